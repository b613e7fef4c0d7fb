"""The replay client: one event loop that tokenises and hands chunks over, one thing after the other."""

import numpy as np

from headrace.perf.overheads import Overheads


class Client:
    """When the client's single event loop gets to each thing it has to do; times in seconds.

    arrival_s (queries,): start of each query, which tokenises all of its text at once
    (text_tokens (queries,)) and so blocks the loop for `tokenise_token_s` per token. Chunk i of
    query[i] is due at its start + offset_s[i] and costs `handover_s` plus `handover_token_s` per
    token of its message. The loop works first come, first served; what is due while it is busy
    waits. The published client sleeps from the end of one hand-over to the next, so its lateness
    adds up within a query; here every chunk is due on schedule (the difference is milliseconds).

    returned_s (chunks,): when the call that hands over each chunk returns. Rows keep their order;
    within a query, offsets must not decrease.
    """

    __slots__ = ("_done_s", "_due_s", "reply_s", "returned_s")

    def __init__(
        self,
        arrival_s: np.ndarray,
        query: np.ndarray,
        offset_s: np.ndarray,
        message_tokens: np.ndarray,
        text_tokens: np.ndarray,
        overheads: Overheads,
    ):
        due = np.concatenate([arrival_s, arrival_s[query] + offset_s])
        cost = np.concatenate(
            [
                overheads.tokenise_token_s * text_tokens,
                overheads.handover_s + overheads.handover_token_s * message_tokens,
            ]
        )
        order = np.argsort(due, kind="stable")
        worked = np.cumsum(cost[order])
        start_of_busy = np.maximum.accumulate(due[order] - (worked - cost[order]))
        done = np.empty_like(due)
        done[order] = worked + start_of_busy
        self.returned_s = done[len(arrival_s) :]
        self.reply_s = overheads.reply_s
        self._due_s, self._done_s = due[order], done[order]

    def noted_s(self, sampled_s: np.ndarray) -> np.ndarray:
        """When the loop gets to note a token that was sampled at `sampled_s`: `reply_s` later, and after
        all that was due before. Shape of `sampled_s`; NaN stays NaN.
        """
        reached = sampled_s + self.reply_s
        due_before = np.searchsorted(self._due_s, reached, side="right")
        return np.maximum(reached, np.append(-np.inf, self._done_s)[due_before])
