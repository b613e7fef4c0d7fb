"""Every regenerated number held against the published one: errors, intervals, a null baseline, verdicts."""

from headrace.scorecard.score import write
from headrace.scorecard.summary import print_summary

__all__ = ["print_summary", "write"]
