"""The null baseline: what one would say without a simulator, from the calibrated rows alone.

A policy does what `default_vllm` does; between two calibrated rates the logarithm of a value is linear in
QPS; memory pressure changes nothing but what a calibrated row of the same delay says. So a speedup over
streaming `default_vllm` is 1, and where the calibrated rows say nothing there is no baseline.
"""

import math
import re

import polars as pl

Line = dict[float, float]


class NullBaseline:
    """Answers from the published rows with role `calibrated`; `rows` has columns KEYS, published and role."""

    def __init__(self, rows: pl.DataFrame):
        calibrated = rows.filter(role="calibrated", policy="default_vllm")
        self.lines: dict[tuple, Line] = {}
        for row in calibrated.sort("setting", "qps").iter_rows(named=True):
            run = (row["hardware"], row["workload"], row["setting"], row["stream"], row["quantity"])
            self.lines.setdefault(run, {})[row["qps"]] = row["published"]

    def value(self, row: dict) -> float | None:
        """The baseline's value for a scorecard row, None where it has none."""
        quantity = row["quantity"]
        if quantity.startswith(("speedup_vs_streaming_", "invalidated_ratio_")):
            return 1.0 if self.lines else None
        if quantity.startswith("speedup_vs_non_streaming_"):
            ttft = f"ttft_{quantity.rpartition('_')[2]}_s"
            whole, streaming = (self._default(row, stream, ttft) for stream in (False, True))
            return whole / streaming if whole and streaming else None
        return self._default(row, row["stream"], quantity)

    def _default(self, row: dict, stream: bool, quantity: str) -> float | None:
        for setting in self._settings(row["setting"]):
            line = self.lines.get((row["hardware"], row["workload"], setting, stream, quantity), {})
            value = interpolate(line, row["qps"])
            if value is not None:
                return value
        return None

    def _settings(self, setting: str | None) -> list[str]:
        """Nearest first: the setting itself, the same delay under another eviction, the main grid."""
        delay = re.match(r"delay\d+_", setting or "")
        known = sorted({run[2] for run in self.lines})
        near = [other for other in known if delay and other.startswith(delay[0])]
        return [setting, *near, "main"]


def interpolate(line: Line, qps: float | None) -> float | None:
    """Log-linear in QPS between the two nearest rates of `line` (QPS -> value); None outside them."""
    if qps in line:
        return line[qps]
    below = [rate for rate in line if qps is not None and rate < qps]
    above = [rate for rate in line if qps is not None and rate > qps]
    if not below or not above:
        return None
    left, right = max(below), min(above)
    weight = (qps - left) / (right - left)
    return math.exp((1 - weight) * math.log(line[left]) + weight * math.log(line[right]))
