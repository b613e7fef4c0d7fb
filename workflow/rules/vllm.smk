"""Cells on vLLM, in real time on the hardware itself (backend vllm): one job per group of cells.

Cells that are equal in the axes `vllm.share` are served by one engine, one after another; every group is a
rule of its own, named after their values. A job that is interrupted leaves its finished cells in
<results>/{study}/vllm/served, and the next one does not serve them again.

Inputs:  <results>/{study}/workloads/{workload}.parquet and .arrivals.parquet,
         the performance model that config/hardware.yaml names (eviction rules compare costs of it),
         the weights that `vllm.weights` names
Outputs: <results>/weights/{model}.json             where the weights are, checked
         <results>/{study}/cells/backend=vllm/../   as of the simulator: requests.parquet, cell.json, run.json;
         and lateness.parquet: one row per chunk, when it was due and when it was sent
"""


rule prefetch_weights:
    """Download the weights, or find them in a folder, and check that they are whole and of the model."""
    output:
        "<results>/weights/{model}.json",
    log:
        "<logs>/prefetch_weights/{model}.log",
    benchmark:
        "<benchmarks>/prefetch_weights/{model}.tsv"
    wildcard_constraints:
        model="|".join(map(re.escape, config["models"])),
    localrule: True
    conda:
        "../../envs/headrace.yaml"
    resources:
        mem_mb=2000,
        runtime=240,
    params:
        model=lambda wildcards: config["models"][wildcards.model],
        weights=config["vllm"]["weights"],
        revision=config["vllm"]["revision"],
        load_format=config["vllm"]["load_format"],
        sources=digest("headrace.vllm.cells.weights"),
    script:
        "../scripts/prefetch_weights.py"


for study in config["studies"]:
    for name, found in jobs_on_vllm(study).items():

        rule:
            """Serve a group of cells on one engine of vLLM."""
            name:
                f"vllm_{study}_{name}"
            input:
                chunks=workload_tables(study, replayed(found)),
                arrivals=arrivals_tables(study, replayed(found)),
                perf_model=hardware_of_job(found)["perf_model"]["file"],
                weights=f"<results>/weights/{config['studies'][study]['model']}.json",
            output:
                served_files(study, found),
            log:
                f"<logs>/{study}/vllm/{name}.log",
            benchmark:
                f"<benchmarks>/{study}/vllm/{name}.tsv"
            conda:
                "../../envs/vllm.yaml"
            threads: 8
            resources:
                nodes=1,
                gpu=gpus_of_job(found),
                gpu_model=gpu_model_of_job(found),
                mem_mb=memory_of_job(study, found),
                runtime=minutes_of_job(study, found),
            params:
                name=f"vllm_{study}_{name}",
                cells=served_specs(study, found),
                workloads=replayed(found),
                templates=templates(replayed(found)),
                gpu=hardware_of_job(found)["gpu"],
                model=config["models"][config["studies"][study]["model"]],
                seed=config["seed"],
                settings=engine_settings(),
                python=config["vllm"]["python"],
            script:
                "../scripts/cells_on_vllm.py"
