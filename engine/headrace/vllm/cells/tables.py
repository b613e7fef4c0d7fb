"""The tables of a cell on a real engine, from what the replay client saw and the engine reported."""

import numpy as np
import polars as pl

from headrace.replay import Replay
from headrace.vllm.cells.replay_log import ReplayLog

PERCENTILES = (50, 99)


def requests_table(world: int, replay: Replay, log: ReplayLog) -> pl.DataFrame:
    """One row per query, with the columns of the simulator's table.

    Times are seconds of the client's clock, but for last_chunk_s (the engine took it); counts are the
    engine's. handed_over_s: streaming, when the last hand-over returned; otherwise when it began.
    """
    first = np.cumsum(replay.chunks) - replay.chunks
    last = first + replay.chunks - 1
    handed_over_s = log.returned_s[last] if replay.stream else log.began_s[last]

    def times(name):
        return np.array([getattr(answer, name) for answer in log.answers], dtype=np.float64)

    def reported(name, kind):
        return np.array([answer.report[name] for answer in log.answers], dtype=kind)

    return pl.DataFrame(
        {
            "world": np.full(len(replay.ids), world, dtype=np.int32),
            "request_id": replay.ids.astype(np.int32),
            "arrival_s": replay.arrival_s,
            "opened_s": log.returned_s[first] if replay.stream else handed_over_s,
            "handed_over_s": handed_over_s,
            "last_chunk_s": reported("last_chunk_s", np.float64) - log.engine_s,
            "first_token_s": times("first_token_s"),
            "finished_s": times("finished_s"),
            "ttft_s": times("first_token_s") - handed_over_s,
            "e2e_s": times("finished_s") - replay.arrival_s,
            "prompt_tokens": reported("prompt_tokens", np.int32),
            "output_tokens": reported("output_tokens", np.int32),
            "computed_tokens": reported("computed_tokens", np.int32),
            "invalidated_tokens": reported("invalidated_tokens", np.int32),
            "preemptions_recompute": reported("preemptions_recompute", np.int32),
            "preemptions_swap": reported("preemptions_swap", np.int32),
            "chunks": replay.chunks.astype(np.int32),
        }
    )


def lateness_table(world: int, replay: Replay, log: ReplayLog) -> pl.DataFrame:
    """One row per chunk handed over: when it was due, when the call that did it began and returned."""
    first = np.cumsum(replay.chunks) - replay.chunks
    return pl.DataFrame(
        {
            "world": np.full(len(replay.query), world, dtype=np.int32),
            "request_id": replay.ids[replay.query].astype(np.int32),
            "chunk_index": (np.arange(len(replay.query)) - first[replay.query]).astype(np.int32),
            "due_s": log.due_s,
            "began_s": log.began_s,
            "returned_s": log.returned_s,
        }
    )


def lateness_summary(sends: pl.DataFrame) -> dict[str, float]:
    """How late chunks were sent, in ms: percentiles and the most; and how long a hand-over took."""
    late_ms = (sends["began_s"] - sends["due_s"]).to_numpy() * 1e3
    took_ms = (sends["returned_s"] - sends["began_s"]).to_numpy() * 1e3
    found = {f"p{p}_ms": float(np.percentile(late_ms, p)) for p in PERCENTILES}
    return found | {
        "max_ms": float(late_ms.max()),
        "handover_p50_ms": float(np.percentile(took_ms, 50)),
    }
