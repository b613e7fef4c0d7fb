"""vLLM with the plugin beside stock vLLM, in one run: `make bench-vllm` prints these tables.

Both engines are alive at the same time and answer in turn, each in a process of its own. Medians.
Parts can be named: scheduling, failures, plain, streams.
"""

import json
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean, median

from rich.console import Console
from rich.progress import track
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))
from bench import machine

ROUNDS = 3
SIDES = ("stock", "plugin")
TINY = {"hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 2, "vocab_size": 1024}
SMALL = {"hidden_size": 512, "intermediate_size": 1408, "num_hidden_layers": 8, "vocab_size": 8192}
PROMPT = 5000
FAILURES = {
    "outgrown": "two streams outgrow the KV cache; a plain request comes",
    "idle": "an open stream holds the KV cache for 5 s; a plain request comes",
    "beyond": "a stream grows beyond max_model_len",
}
STREAMS = {
    "20 chunks, 0.3 s apart": (1, 20, 0.3),
    "20 chunks, 0.1 s apart": (1, 20, 0.1),
    "20 chunks, 10 ms apart": (1, 20, 0.01),
    "50 chunks, 10 ms apart": (1, 50, 0.01),
    "100 chunks, 10 ms apart": (1, 100, 0.01),
    "100 chunks at once": (1, 100, 0.0),
    "4 streams of 20 chunks, 0.3 s apart (more than the machine can take)": (4, 20, 0.3),
    "4 streams of 20 chunks, 0.6 s apart": (4, 20, 0.6),
}
MANY = {"plain": 24, "tokens": 200, "output_tokens": 64}
MIXES = {
    "one, of 500 tokens": {"plain": 1, "tokens": 500, "output_tokens": 1, "idle": 0, "busy": 0},
    "24 at once, 200 tokens, 64 of output": MANY | {"idle": 0, "busy": 0},
    "the same beside 8 idle streams": MANY | {"idle": 8, "busy": 0},
    "the same beside 4 streams that come in": MANY | {"idle": 0, "busy": 4},
}
LIVE = (10, 100, 1000)
STEPS = {"decode": "all decode", "queued": "16 decode, others queue", "streams": "open, ten get a chunk"}


class Process:
    """side.py, asked over its pipes."""

    def __init__(self, side: str, folder: Path, **options: object):
        options = {"model": str(folder), "enable_prefix_caching": False} | options
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("side.py")), side, json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def answer(self) -> object:
        """Its next line; RuntimeError if it ended."""
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"ended with code {self.process.wait()}")
        return json.loads(line)

    def ask(self, name: str, **arguments: object) -> dict:
        self.process.stdin.write(json.dumps({"name": name} | arguments) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def close(self) -> None:
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()


def model(folder: Path, sizes: dict) -> Path:
    """A model's folder without weights: vLLM makes them up."""
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 8192,
        "torch_dtype": "float32",
        **sizes,
    }
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def table(title: str, *columns: str) -> Table:
    made = Table(title=title, title_justify="left")
    for place, column in enumerate(columns):
        made.add_column(column, justify="right" if place else "left")
    return made


def failures(folder: Path, console: Console) -> None:
    """Each in an engine of its own, which may not survive it."""
    shown = table("Failures of stock vLLM (pool of 79 blocks, max_model_len 2,048)", "what happens", *SIDES)
    for kind in track(FAILURES, "failures"):
        cells = []
        for side in SIDES:
            process = Process(side, folder, num_gpu_blocks_override=80, max_model_len=2048)
            try:
                process.answer()
                end = process.ask("failure", kind=kind)
                ends = ", ".join(map(outcome, end["ends"]))
                cells.append(f"{ends}; then {'serves on' if end['alive'] else 'serves nobody'}")
            except RuntimeError as error:
                cells.append(str(error))
            process.close()
        shown.add_row(FAILURES[kind], *cells)
    console.print(shown)


def outcome(end: dict | None) -> str:
    """Of one request, in words."""
    if end is None:
        return "never"
    if "error" in end:
        return "the engine dies" if end["error"].startswith("EngineDeadError") else "refused"
    return f"{end['first_s']:.2f} s"


def in_turn(folder: Path, questions: dict[str, dict], options: dict) -> dict[str, dict[str, list]]:
    """What both sides answer to each question, ROUNDS times, in turn."""
    processes = {side: Process(side, folder, **options) for side in SIDES}
    for process in processes.values():
        process.answer()
    ends = {label: {side: [] for side in SIDES} for label in questions}
    for label in track(questions, "questions"):
        for turn in range(ROUNDS):
            for side in SIDES if turn % 2 == 0 else SIDES[::-1]:
                ends[label][side].append(processes[side].ask(**questions[label]))
    for process in processes.values():
        process.close()
    return ends


def times_to_first_token(folder: Path, console: Console) -> None:
    shown = table(
        f"Seconds from the last chunk to the first token, {PROMPT:,} tokens", "", *SIDES, "plugin / stock"
    )
    questions = {
        label: {"name": "streams", "many": many, "chunks": chunks, "tokens": PROMPT, "gap_s": gap_s}
        for label, (many, chunks, gap_s) in STREAMS.items()
    }
    options = {"num_gpu_blocks_override": 1024, "max_model_len": 8192, "max_num_batched_tokens": 2048}
    for label, ends in in_turn(folder, questions, options).items():
        medians = [median(mean(end["first_s"]) for end in ends[side]) for side in SIDES]
        shown.add_row(label, *(f"{s:.2f}" for s in medians), f"{medians[1] / medians[0]:.2f}")
    console.print(shown)


def plain_requests(folder: Path, console: Console) -> None:
    shown = table(
        "Requests that do not stream: seconds to the first and to the last token",
        "", *(f"{side} {which}" for which in ("first", "last") for side in SIDES), "plugin / stock (last)",
    )  # fmt: skip
    questions = {label: {"name": "mix"} | arguments for label, arguments in MIXES.items()}
    options = {"num_gpu_blocks_override": 1024, "max_model_len": 8192, "max_num_batched_tokens": 2048}
    for label, ends in in_turn(folder, questions, options).items():
        first, last = (
            [median(end[key] for end in ends[side]) for side in SIDES] for key in ("first_s", "last_s")
        )
        shown.add_row(label, *(f"{s:.3f}" for s in first + last), f"{last[1] / last[0]:.2f}")
    console.print(shown)


def scheduling(console: Console) -> None:
    from steps import Scheduler, StreamScheduler, Timed, steps_us

    shown = table(
        "Scheduling of a step, without a worker: CPU time in microseconds",
        "live requests", "stock", "plugin", "plugin / stock", "of which planning",
    )  # fmt: skip
    for kind, what in (
        ("decode", "decode, a token each"),
        ("queued", "16 run, others queue"),
        ("streams", "open"),
    ):
        for live in LIVE:
            ours = steps_us(StreamScheduler, live, kind)["step_us"]
            planning = steps_us(Timed, live, kind)["planning_us"]
            stock = steps_us(Scheduler, live, kind)["step_us"] if kind != "streams" else None
            ratio = f"{ours / stock:.2f}" if stock else ""
            beside = f"{stock:.0f}" if stock else "has none"
            shown.add_row(f"{live:,}: {what}", beside, f"{ours:.0f}", ratio, f"{planning:.0f}")
        shown.add_section()
    console.print(shown)


def main() -> None:
    console = Console(width=120)
    with tempfile.TemporaryDirectory() as name:
        tiny, small = model(Path(name, "tiny"), TINY), model(Path(name, "small"), SMALL)
        parts = {
            "scheduling": lambda: scheduling(console),
            "failures": lambda: failures(tiny, console),
            "plain": lambda: plain_requests(small, console),
            "streams": lambda: times_to_first_token(small, console),
        }
        for part in sys.argv[1:] or parts:
            parts[part]()
    console.print(f"vLLM's CPU build, made-up weights, {datetime.now(UTC):%Y-%m-%d}, {machine()}")


if __name__ == "__main__":
    main()
