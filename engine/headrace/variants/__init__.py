"""Runs beside the grid of a study: what a perfect model would show, throughput parity, sensitivity."""
