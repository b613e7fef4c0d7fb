"""Tables of a study, one module per table: CSV for machines, Markdown for readers, from the same rows."""
