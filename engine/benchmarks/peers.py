"""NVIDIA's aisimulate and Headrace on one workload, run in turn: `make bench-peers`.

20,000 requests x 5,700 prompt tokens, 1 output token, Poisson 2/s, 512 tokens a step, 128 slots.
aisimulate reports the wall time of its simulation alone; ours is measured the same way, without
start-up on either side. The package (120 MB) is installed into .cache/aisimulate on first use.
"""

import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from statistics import median
from time import perf_counter

import simulation as ours
from rich.console import Console
from rich.table import Table

from headrace.scheduling import POLICIES

RELEASE = "aisimulate==0.13.0.dev202610270000000085"
CONFIG = """
traffic:
  source: {{type: synthetic, input_tokens: {prompt_tokens}, output_tokens: 1}}
  load: {{type: poisson, requests_per_second: {qps}, seed: 42}}
  stop: {{requests: {requests}}}
engine:
  mode: aggregated
  model: meta-llama/Meta-Llama-3.1-8B
  hardware: a100_sxm
  backend: vllm
  workers:
    aggregated:
      scheduler: {{max_batched_tokens: {token_budget}, max_sequences: {slots}}}
      parallelism: {{tensor: 1}}
"""


def installed(cache: Path) -> Path:
    """The aisimulate command, installed in an environment of its own."""
    command = cache / "bin" / "aisimulate"
    if not command.exists():
        venv.create(cache, with_pip=True)
        subprocess.run([cache / "bin" / "pip", "install", "--quiet", "--pre", RELEASE], check=True)
    return command


def aisimulate(command: Path, workload: ours.Peers) -> float:
    """Wall seconds that its simulation took, by its own account."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "prediction.yaml"
        config.write_text(CONFIG.format(**workload._asdict()))
        subprocess.run(
            [command, "predict", "-c", config, "--output-dir", f"{folder}/out", "--overwrite"],
            check=True,
            capture_output=True,
        )
        (report,) = Path(folder).rglob("prediction.json")
        return _find(json.loads(report.read_text()), "wall_time_ms") / 1e3


def _find(node: object, key: str) -> float:
    """The first value under `key`, at any depth. Raises KeyError when there is none."""
    if isinstance(node, dict):
        if key in node:
            return float(node[key])
        node = list(node.values())
    for child in node if isinstance(node, list) else []:
        try:
            return _find(child, key)
        except KeyError:
            continue
    raise KeyError(key)


def main(rounds: int = 5) -> None:
    workload = ours.Peers()
    command = installed(Path(".cache/aisimulate"))
    walls = {"aisimulate": [], **{policy: [] for policy in POLICIES}}
    for turn in range(rounds):
        walls["aisimulate"].append(aisimulate(command, workload))
        for policy in POLICIES:
            run = ours.prepare_peers(workload, policy)
            start = perf_counter()
            result = run()
            walls[policy].append(perf_counter() - start)
        print(f"round {turn + 1} of {rounds}", file=sys.stderr)
    peer = median(walls["aisimulate"])
    table = Table(
        title=f"{workload.requests:,} requests, {result.steps:,} steps; wall time, median of {rounds}"
    )
    for heading in ("simulator", "seconds", "requests/s", "steps/s", "times aisimulate"):
        table.add_column(heading, justify="left" if heading == "simulator" else "right")
    for name, times in walls.items():
        seconds = median(times)
        table.add_row(
            "aisimulate, fcfs" if name == "aisimulate" else f"headrace, {name}",
            f"{seconds:.3f}",
            f"{workload.requests / seconds:,.0f}",
            f"{result.steps / seconds:,.0f}",
            f"{peer / seconds:.1f}",
        )
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
