"""The replay client: one event loop that tokenises and hands chunks over, one thing after the other."""

import numpy as np

from headrace.perf.overheads import Overheads


def hand_over_times(
    arrival_s: np.ndarray,
    query: np.ndarray,
    offset_s: np.ndarray,
    message_tokens: np.ndarray,
    text_tokens: np.ndarray,
    overheads: Overheads,
) -> np.ndarray:
    """When the client's call that hands over each chunk returns, in seconds; shape (chunks,).

    arrival_s (queries,): start of each query, which tokenises all of its text at once
    (text_tokens (queries,)) and so blocks the loop for `tokenise_token_s` per token. Chunk i of
    query[i] is due at its start + offset_s[i] and costs `handover_s` plus `handover_token_s` per
    token of its message. The loop works first come, first served; what is due while it is busy
    waits. The published client sleeps from the end of one hand-over to the next, so its lateness
    adds up within a query; here every chunk is due on schedule (the difference is milliseconds).

    Rows keep their order; within a query, offsets must not decrease.
    """
    due = np.concatenate([arrival_s, arrival_s[query] + offset_s])
    cost = np.concatenate(
        [
            overheads.tokenise_token_s * text_tokens,
            overheads.handover_s + overheads.handover_token_s * message_tokens,
        ]
    )
    order = np.argsort(due, kind="stable")
    done = np.cumsum(cost[order])
    start_of_busy = np.maximum.accumulate(due[order] - (done - cost[order]))
    returned = np.empty_like(due)
    returned[order] = done + start_of_busy
    return returned[len(arrival_s) :]
