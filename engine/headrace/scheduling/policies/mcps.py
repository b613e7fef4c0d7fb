"""Most chunks processed: who has the most computed tokens goes first."""

from headrace.scheduling.two_phase import Policy


class MCPS(Policy):
    """All requests by computed tokens, most first; ties by opening time."""

    moves_when_computed = True

    @staticmethod
    def key(request):
        return -request.computed, request.opened_s, request.id
