"""What the judgement of the simulator is made from, beside the scorecard."""

# The tables and figures that judge the simulator.
JUDGEMENTS = ("targets", "fidelity", "fidelity_errors")


def judgement_names():
    """Those of them that can be made: simulated, on the GPU that the study published most of."""
    judged = config["backend"] == "sim" and grid("stream2llm", hardware="h200-tp2")
    return JUDGEMENTS if judged else ()


def fidelity_pages():
    """The page about them, in all its forms."""
    return rules.fidelity_page.output if judgement_names() else []


def variant_table(name):
    """A table of runs beside the grid, where there is a generated workload to make it of."""
    drawn = varied_workloads("stream2llm")
    return [f"<stream2llm>/variants/{name}.csv"] if drawn else []


def explanations(study):
    """Why rows of the scorecard are off, as the configuration says."""
    return config.get("explanations", {}).get(study, {"rows": []})["rows"]


def adopted_fit(study):
    """The fit whose values the configuration holds, once there is one."""
    file = f"data/calibration/{study}.json"
    return [file] if Path(file).is_file() else []
