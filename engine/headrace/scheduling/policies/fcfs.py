"""First come, first served, among requests whose context is complete, then among open streams."""

from headrace.scheduling.two_phase import Policy


class FCFS(Policy):
    """Closed streams (and plain requests) first, by opening time; then open streams, likewise."""

    @staticmethod
    def key(request):
        return not request.closed, request.opened_s, request.id
