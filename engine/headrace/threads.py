"""Thread pools of libraries, kept at one thread where the work is small."""

import os


def one_each() -> None:
    """One thread for Polars and for OpenBLAS, unless the user has set another number.

    To be called before they are imported. A cell's tables are small and as many cells run as there
    are cores: starting the pools costs a tenth of a second of CPU time and brings nothing.
    """
    for variable in ("POLARS_MAX_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
