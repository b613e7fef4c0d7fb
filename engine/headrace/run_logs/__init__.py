"""The study's published run logs, read into the tables of cells; `headrace.run_logs.read` does all of it."""
