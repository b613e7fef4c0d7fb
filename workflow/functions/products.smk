"""The figures and tables of Stream2LLM: their files, the cells that they show, which of them a backend can give."""

from itertools import chain

# The cells that figures and tables show. Figures of cells are of one hardware: the first of the main grid.
MAIN_GRID = {"hardware": study_hardware("stream2llm", delay=1)[:1], "delay": 1}
PRESSURE = {"delay": stretched("stream2llm")}
SHOWN = {
    "fig5": MAIN_GRID,
    "fig6": MAIN_GRID | {"workload": "crawler"},
    "fig7": MAIN_GRID | {"workload": "anns"},
    "fig11": MAIN_GRID,
    "fig12": MAIN_GRID | {"workload": "anns", "stream": True},
}
TABULATED = {"table3": PRESSURE, "table4": PRESSURE, "inline": {"delay": 1}}


def side_cells(backend):
    """A function of the wildcards: the cells of one side of a figure that is drawn on both backends."""

    def tables(wildcards):
        if backend == "published":
            check_data_set()
        found = cells("stream2llm", backend, **SHOWN[wildcards.figure])
        return found(wildcards) if callable(found) else found

    return tables


def side_options(wildcards):
    return {"figure": wildcards.figure}


def side_provenance(wildcards, input):
    """Where the numbers of both sides come from, by their headings."""
    shown = SHOWN[wildcards.figure]
    logs = published_provenance("stream2llm", "logs", **shown)
    providers = [
        config["hardware"][name]["perf_model"]["provider"] for name in shown["hardware"]
    ]
    kind = "silicon tables" if providers == ["silicon"] else ", ".join(providers)
    return {
        f"simulated ({kind})": provenance(backend="sim", **shown),
        "published run logs": logs(wildcards, input),
    }


def figure(name, subcategory, shows):
    """The files of a figure of Stream2LLM; what the report lists it under, and what it says that it shows."""
    stem = f"<stream2llm>/figures/{name}"
    # The report sorts labels as texts: a figure space keeps 8 before 10.
    number = name.removeprefix("fig").rjust(2, "\u2007")
    vector = report(
        f"{stem}.svg",
        caption=f"../report/stream2llm_{name}.rst",
        category="Stream2LLM",
        subcategory=subcategory,
        labels={"figure": number, "shows": shows},
    )
    return {"svg": vector, "pdf": f"{stem}.pdf", "png": f"{stem}.png"}


def table(name):
    """The files of a table of Stream2LLM."""
    stem = f"<stream2llm>/tables/{name}"
    return {"csv": f"{stem}.csv", "md": f"{stem}.md"}


# What can be drawn from cells alone, from workloads, from performance models, from timings here.
OF_CELLS = (*SHOWN, *TABULATED)
OF_WORKLOADS = ("fig8", "fig9", "fig10", "table2")
OF_MODELS = ("fig4",)
TIMED = ("sched_latency",)


def not_in_the_grid():
    """The figures and tables of Stream2LLM of which a study that was cut down has no cell."""
    return [
        name
        for name, axes in (SHOWN | TABULATED).items()
        if not grid("stream2llm", **axes)
    ]


def not_in_run_logs():
    """The figures and tables of Stream2LLM that the backend can't give, by what they would need.

    Run logs say nothing of workloads and performance models: these come from the data set's traces and
    measurements where the configuration names them.
    """
    needs = {}
    if config["backend"] == "published":
        needs["a machine to time it on: backend sim"] = TIMED
        if scored_workloads("stream2llm") != study_workloads("stream2llm"):
            needs["traces of all workloads: workloads.<name>.source"] = OF_WORKLOADS
        if not measured_hardware():
            needs["the study's measurements: hardware.<name>.published"] = OF_MODELS
    return needs


def stream2llm_products():
    """All figures and tables of Stream2LLM that the backend can give of the configured grid."""
    left_out = {*not_in_the_grid(), *chain(*not_in_run_logs().values())}
    beside = [*variant_names("stream2llm"), *judgement_names()]
    names = [*OF_CELLS, *OF_WORKLOADS, *OF_MODELS, *TIMED, *beside]
    return [
        getattr(rules, f"stream2llm_{name}").output
        for name in names
        if name not in left_out
    ]


def table_pages():
    """The pages of the tables among what Stream2LLM gives."""
    tables = [output.csv for output in stream2llm_products() if "csv" in output.keys()]
    return [str(Path(table).with_suffix(".html")) for table in tables]
