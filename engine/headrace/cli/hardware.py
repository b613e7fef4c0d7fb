"""headrace hardware: the GPUs of the configuration and their performance models."""

from pathlib import Path
from types import SimpleNamespace

import click

from headrace.cli.configuration import read_configuration
from headrace.cli.inputs import STUDY, model_file
from headrace.cli.options import CONFIG
from headrace.cli.output import console, plain_table

STEP_TOKENS = 2048
RECOMPUTE_TOKENS = 8192
LEGEND = (
    "KV pool: of all GPUs together. Step: one request's {:,} tokens without context; recompute: a forward"
    " pass of {:,} tokens; both from the performance model, with the overheads of the serving software.\n"
    "calibrated: pool and overheads were fitted to published rows of this GPU; else the pool is arithmetic,"
    " and the overheads are assumed or taken over. config/hardware.yaml names the models' files and says"
    " where each number comes from."
)
MISSING = "-: no performance model yet; docs/performance-models.md (Adding a GPU) says how to build it."


@click.command()
@CONFIG
def hardware(config: tuple[Path, ...]) -> None:
    """List the GPUs, their KV pools and performance models."""
    from headrace.threads import one_each

    one_each()
    from headrace.perf import PerfModel

    whole = read_configuration(config)
    block_size = whole["studies"][STUDY]["engine"]["block_size"]
    missing = False
    pools = plain_table("", "GPU", numbers=("TP", "KV blocks", "GB", "tokens", "calibrated"))
    times = plain_table("", "provider", "performance model", numbers=("step", "recompute"))
    for name, entry in whole["hardware"].items():
        file, blocks = model_file(entry), entry["kv_blocks"]
        provider, gigabytes, measured = entry["perf_model"]["provider"], "-", ("-", "-")
        if file.exists():
            model = PerfModel.load(file)
            provider, gigabytes = model.provider, f"{blocks * model.block_bytes / 1e9:.0f}"
            step_s, recompute_s = _times(model, entry["overheads"])
            measured = f"{step_s * 1e3:.1f} ms", f"{recompute_s * 1e3:.0f} ms"
        missing |= not file.exists()
        sizes = f"{blocks:,}", gigabytes, f"{blocks * block_size:,}"
        calibrated = "yes" if entry["calibrated"] else "no"
        pools.add_row(name, entry["gpu"], str(entry["tensor_parallel"]), *sizes, calibrated)
        times.add_row(name, provider, file.stem, *measured)
    out = console()
    out.print(pools, times, LEGEND.format(STEP_TOKENS, RECOMPUTE_TOKENS))
    if missing:
        out.print(MISSING)


def _times(model, overheads: dict) -> tuple[float, float]:
    """Seconds of the step and of the recomputation that the table shows."""
    from headrace.perf import Overheads

    software = Overheads.from_dict(overheads)
    request = SimpleNamespace(computed=0)
    seconds = model.step_time(software, RECOMPUTE_TOKENS)
    return seconds([(request, STEP_TOKENS, 0)]), seconds([(request, RECOMPUTE_TOKENS, 0)])
