"""Calibration: values that nobody published, fitted to the declared calibration set.

parameters, rows and objective say what is moved, what is compared and what is minimised; serving, evaluations
and workers give the simulator's numbers at a point, judge says how good they are; stages, search and course
find a better one step by step, solve the whole way; document is the result, show prints it, adopt writes it
into the configuration.
"""
