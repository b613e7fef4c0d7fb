"""Workloads: which chunks every query hands over, and when each query arrives.

Inputs:  the parameters of the generators (config/workloads/*.yaml), or traces in a published format
Outputs: <results>/{study}/workloads/{workload}.parquet           one row per chunk, all worlds
         <results>/{study}/workloads/{workload}.arrivals.parquet  one row per query, at 1 query/s
         <results>/{study}/workloads/{workload}.traces.json       read and skipped traces, if from traces
         <results>/{study}/dataset/                               the published data set, if asked for
"""


rule generate_workload:
    """Draw every world of a workload from its published statistics."""
    output:
        "<results>/{study}/workloads/{workload}.parquet",
    log:
        "<logs>/{study}/generate_workload/{workload}.log",
    benchmark:
        "<benchmarks>/{study}/generate_workload/{workload}.tsv"
    wildcard_constraints:
        workload=workload_names(generated=True),
    conda:
        "../../envs/headrace.yaml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        parameters=generator_parameters,
        queries=workload_key("queries"),
        worlds=workload_key("worlds"),
        typical_of=candidates,
        seed=config["seed"],
        sources=workload_sources(
            "headrace.workload.generate", "headrace.workload.synthetic_{}"
        ),
    script:
        "../scripts/generate_workload.py"


rule fetch_dataset:
    """Download what the configuration needs of the public data set, at the revision that it names."""
    output:
        directory("<results>/{study}/dataset"),
    log:
        "<logs>/{study}/fetch_dataset.log",
    benchmark:
        "<benchmarks>/{study}/fetch_dataset.tsv"
    localrule: True
    conda:
        "../../envs/headrace.yaml"
    resources:
        mem_mb=1000,
        runtime=240,
    params:
        repo=config["published"]["repo"],
        revision=config["published"]["revision"],
        folders=published_folders(),
    script:
        "../scripts/fetch_dataset.py"


rule tokenise_traces:
    """Read traces in a published format and count the tokens of every chunk."""
    input:
        trace_folder,
    output:
        chunks="<results>/{study}/workloads/{workload}.parquet",
        traces="<results>/{study}/workloads/{workload}.traces.json",
    log:
        "<logs>/{study}/tokenise_traces/{workload}.log",
    benchmark:
        "<benchmarks>/{study}/tokenise_traces/{workload}.tsv"
    wildcard_constraints:
        workload=workload_names(generated=False),
    conda:
        "../../envs/headrace.yaml"
    threads: 8
    resources:
        mem_mb=8000,
        runtime=120,
    params:
        subfolder=trace_subfolder,
        listing=trace_listing,
        tokeniser=config["tokeniser"],
        queries=workload_key("queries"),
        worlds=workload_key("worlds"),
        sources=workload_sources("headrace.workload.traces", "headrace.workload.{}"),
    script:
        "../scripts/tokenise_traces.py"


rule generate_arrivals:
    """Draw Poisson arrivals; world 0 has the published ones."""
    output:
        "<results>/{study}/workloads/{workload}.arrivals.parquet",
    log:
        "<logs>/{study}/generate_arrivals/{workload}.log",
    benchmark:
        "<benchmarks>/{study}/generate_arrivals/{workload}.tsv"
    localrule: True
    conda:
        "../../envs/headrace.yaml"
    resources:
        mem_mb=500,
        runtime=5,
    params:
        queries=workload_key("queries"),
        worlds=workload_key("worlds"),
        seed=config["seed"],
        sources=digest("headrace.workload.arrivals"),
    script:
        "../scripts/generate_arrivals.py"
