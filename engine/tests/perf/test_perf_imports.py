import subprocess
import sys


def test_importing_performance_models_pulls_in_nothing_heavy():
    heavy = "numpy", "polars", "pandas", "matplotlib", "yaml", "snakemake", "aisimulate"
    code = f"import headrace.perf, sys; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
