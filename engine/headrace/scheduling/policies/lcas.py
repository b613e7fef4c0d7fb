"""Last chunk arrival: who has waited longest since the latest chunk goes first."""

from headrace.scheduling.two_phase import Policy


class LCAS(Policy):
    """The two tiers of FCFS, each by the time of the last chunk, oldest first.

    The published docstring says newest first; the published code does this. Chunks that the engine
    took at the same instant keep the order in which they were handed over.
    """

    @staticmethod
    def key(request):
        return not request.closed, request.last_chunk_s, request.handed_over_s, request.id
