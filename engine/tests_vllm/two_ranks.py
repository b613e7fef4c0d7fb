"""Cases on an engine of two ranks, as a program of its own: what came out, as JSON in the last line.

python two_ranks.py MODEL_FOLDER
"""

import json
import sys
from pathlib import Path

CASES = 12


def main(folder: Path) -> None:
    from configurations import Configuration
    from drive import serve
    from engine import Engine
    from test_correctness import answered_cases

    engine = Engine(folder, ranks=2)
    cases, expected = answered_cases(engine, 41, CASES, cancelled=0.0)
    Configuration("lcas", "swap", False, 79, 512, 512, 16, 6).apply(engine)
    outcome = serve(engine, cases, 6)
    counts = engine.scheduler.counts
    found = {
        "ranks": engine.config.parallel_config.tensor_parallel_size,
        "cases": len(outcome.tokens),
        "wrong": len(outcome.wrong(expected)),
        "different_answers": len({tuple(tokens) for tokens in expected}),
        "swapped_in": counts.blocks_swapped_in,
        "invalidated": counts.invalidated_tokens,
        "updates": counts.chunks_update,
        "leaked": engine.leaked_blocks(),
    }
    engine.shutdown()
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
