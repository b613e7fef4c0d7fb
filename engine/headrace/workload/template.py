"""The prompt around the context: an opening, then the context, then the query."""

OPENING = (
    "Answer the question from the context below and from nothing else. "
    "If the context does not hold the answer, say so.\n\nContext:\n"
)


def closing(query: str) -> str:
    """What follows the context."""
    return f"\nQuestion: {query}\nAnswer:"
