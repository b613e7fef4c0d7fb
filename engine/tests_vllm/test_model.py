"""The oracle: the tiny model's output tells whether its KV cache is right."""

import random

from drive import answers
from engine import BLOCK_SIZE
from model import VOCABULARY

PROMPTS, OUTPUT_TOKENS = 40, 4


def test_the_file_is_small(model_folder):
    assert (model_folder / "model.safetensors").stat().st_size < 1.5e6


def test_any_changed_block_changes_the_output(engine):
    """First, middle and last full block, and a single token: each in at least 90 % (a token: 60 %)."""
    draw = random.Random(3)
    prompts, places = [], ("first", "middle", "last", "token")

    def noise(count):
        return draw.choices(range(1, VOCABULARY), k=count)

    for _ in range(PROMPTS):
        prompt = noise(draw.randint(100, 1900))
        middle, last = len(prompt) // 2 // BLOCK_SIZE, (len(prompt) - 1) // BLOCK_SIZE - 1
        prompts.append(prompt)
        for block in (0, middle, last):
            start = block * BLOCK_SIZE
            prompts.append(prompt[:start] + noise(BLOCK_SIZE) + prompt[start + BLOCK_SIZE :])
        token = len(prompt) // 2
        prompts.append([*prompt[:token], 1 + prompt[token] % (VOCABULARY - 1), *prompt[token + 1 :]])
    found, _ = answers(engine, prompts, [OUTPUT_TOKENS] * len(prompts))
    changed = {
        place: sum(found[5 * case] != found[5 * case + 1 + index] for case in range(PROMPTS)) / PROMPTS
        for index, place in enumerate(places)
    }
    print(changed)
    assert min(changed[place] for place in places[:3]) >= 0.9, changed
    assert changed["token"] >= 0.6, changed


def test_answers_differ_from_each_other(engine):
    """Not only the last token of the prompt counts: prompts with the same end are answered differently."""
    draw = random.Random(4)
    end = draw.choices(range(1, VOCABULARY), k=BLOCK_SIZE)
    prompts = [draw.choices(range(1, VOCABULARY), k=500) + end for _ in range(20)]
    found, _ = answers(engine, prompts, [OUTPUT_TOKENS] * 20)
    assert len({tuple(tokens) for tokens in found}) >= 18
