"""Two ranks, each with its share of the KV heads: each swaps its own, and both take the same updates."""

import json
import os
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).with_name("two_ranks.py")
LIMIT_S = 400


def test_streams_on_two_ranks_are_answered_like_whole_prompts_there(model_folder):
    ranks = subprocess.run(
        [sys.executable, PROGRAM, model_folder],
        env=os.environ | {"VLLM_CPU_OMP_THREADS_BIND": "0|1"},
        stdout=subprocess.PIPE,
        timeout=LIMIT_S,
        check=True,
        text=True,
    )
    found = json.loads(ranks.stdout.splitlines()[-1])
    print(found)
    assert found["ranks"] == 2
    assert found["cases"] == found["different_answers"] == 12
    assert found["wrong"] == found["leaked"] == 0
    assert found["swapped_in"] > 0 and found["invalidated"] > 0 and found["updates"] > 0
