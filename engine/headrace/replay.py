"""A workload as the replay client sends it: whose chunks are handed over when."""

from pathlib import Path

import numpy as np
import polars as pl

from headrace.errors import HeadraceError
from headrace.perf import Overheads
from headrace.request import Request
from headrace.sim import HandOver
from headrace.sim.client import Client
from headrace.workload import stretch


class Replay:
    """One world of a workload under one cell's delay, request rate and mode, as arrays.

    Per query: ids, arrival_s, output_tokens, chunks (handed over), text_tokens (tokenised at its
    start). Per chunk handed over: query (index into the former), offset_s (from the query's start),
    message_tokens, prompt_tokens (in all, after it), prefix_tokens, final.

    Streaming hands over every chunk: an append as its new tokens, an update as the whole prompt.
    Otherwise the whole prompt goes when the last chunk is there. A query without chunks (a trace
    that was skipped) arrives and sends nothing, as in the published replay. Raises HeadraceError
    when a query has no arrival.
    """

    def __init__(self, chunks: pl.DataFrame, arrivals: pl.DataFrame, spec: dict):
        self.stream = spec["stream"]
        query_ids = chunks["query_id"].to_numpy()
        first = np.flatnonzero(np.diff(query_ids, prepend=-1))
        self.ids = query_ids[first]
        sends = np.isin(arrivals["query_id"].to_numpy(), self.ids)
        self.arrival_s = arrivals["arrival_s"].to_numpy()[sends] / spec["qps"]
        if len(self.arrival_s) != len(self.ids):
            raise HeadraceError(
                f"workload {spec['workload']}",
                f"{len(self.ids)} queries have chunks, {len(self.arrival_s)} of them an arrival",
                "generate both tables from one config",
            )
        last = np.append(first[1:], len(query_ids)) - 1
        self.output_tokens = chunks["output_tokens"].to_numpy()[last]

        query = np.repeat(np.arange(len(first)), last - first + 1)
        offset_s = chunks["offset_s"].to_numpy()
        offset_s = stretch(offset_s, offset_s[first][query], spec["delay"], spec["delay_scope"])
        prompt_tokens = chunks["prompt_tokens"].to_numpy()
        if self.stream:
            prefix_tokens = chunks["common_prefix_tokens"].to_numpy()
            appended = (chunks["mode"] == "append").to_numpy()
            self.message_tokens = np.where(appended, prompt_tokens - prefix_tokens, prompt_tokens)
            self.final = chunks["final"].to_numpy()
        else:
            query, offset_s, prompt_tokens = query[last], offset_s[last], prompt_tokens[last]
            prefix_tokens = np.zeros_like(prompt_tokens)
            self.message_tokens = prompt_tokens
            self.final = np.ones(len(last), dtype=bool)
        self.query, self.offset_s = query, offset_s
        self.prompt_tokens, self.prefix_tokens = prompt_tokens, prefix_tokens
        self.chunks = np.bincount(query)
        self.text_tokens = np.bincount(query, weights=self.message_tokens)

    def check_appends(self, place: object) -> None:
        """Raise HeadraceError unless every chunk adds tokens and keeps all that came before.

        For a scheduler that serves nothing else (`appends_only`). An update that keeps the whole prompt so
        far is an append.
        """
        same = self.query[1:] == self.query[:-1]
        before = np.append(0, np.where(same, self.prompt_tokens[:-1], 0))
        for wrong, problem in (
            (self.prefix_tokens < before, "an update changes its prompt"),
            (self.prompt_tokens <= before, "a chunk adds no token to its prompt"),
        ):
            if wrong.any():
                raise HeadraceError(
                    f"{place}: query {self.ids[self.query[wrong.argmax()]]}",
                    f"{problem}, and the policy can only append",
                    "take another policy, or hand prompts over whole (stream: false, --no-stream)",
                )

    def requests(self) -> list[Request]:
        """A new request for every query, in the order of the queries."""
        return list(map(Request, self.ids.tolist(), self.output_tokens.tolist()))

    def client(self, overheads: Overheads) -> Client:
        """The client that sends this replay: when it hands over each chunk, when it notes a token."""
        return Client(
            self.arrival_s, self.query, self.offset_s, self.message_tokens, self.text_tokens, overheads
        )

    def hand_overs(self, client: Client) -> list[HandOver]:
        """Every chunk, sorted by the time at which the client has handed it over.

        Plain tuples of HandOver's fields: a cell has hundreds of thousands.
        """
        order = np.argsort(client.returned_s, kind="stable")
        columns = (client.returned_s, self.query, self.prompt_tokens, self.prefix_tokens, self.final)
        return list(zip(*(column[order].tolist() for column in columns), strict=True))

    def handed_over_s(self, returned_s: np.ndarray, overheads: Overheads) -> np.ndarray:
        """Where TTFT starts, per query, given when the client's last call returned.

        Streaming: there. Otherwise at the submission, when that call began (as published).
        """
        if self.stream:
            return returned_s
        return returned_s - overheads.handover_s - overheads.handover_token_s * self.message_tokens


def first_worlds(table: pl.DataFrame, path: Path, worlds: int) -> pl.DataFrame:
    """The rows of worlds 0..`worlds` - 1. Raises HeadraceError when one of them has none."""
    wanted = table.filter(pl.col("world") < worlds)
    there = wanted["world"].n_unique()
    if there < worlds:
        raise HeadraceError(path, f"has {there} worlds, the cell wants {worlds}", "number them from 0 on")
    return wanted
