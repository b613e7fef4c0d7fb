"""The examples in docs/examples, run as a user runs them."""

import asyncio
import json
import os
import random
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from api_server import KEY

from headrace.streams import Client

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"


def run(*command, key=KEY):
    return subprocess.run(
        [str(word) for word in command],
        env=os.environ | {"VLLM_API_KEY": key},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def pages(tmp_path):
    """Twelve pages; the last one is about nothing else than what is asked."""
    draw = random.Random(0)
    for number in range(12):
        words = [f"w{draw.randrange(3, 900)}" for _ in range(40)]
        words[5:5] = ["w950"] if number < 11 else ["w951"] * 10
        (tmp_path / f"{number:02d}.txt").write_text(" ".join(words), encoding="utf-8")
    return tmp_path


def test_retrieval(server, pages):
    script = EXAMPLES / "retrieval.py"
    done = run(sys.executable, script, "--url", server.url, "--pages", pages, "--max-tokens", 5, "w950 w951")
    assert done.returncode == 0, done.stderr
    answer, report = done.stdout.splitlines()
    first = {"prompt": retrieved(pages), "max_tokens": 5, "temperature": 0}
    expected = server.http.post("/v1/completions", json=first).json()["choices"][0]["text"]
    assert answer.strip() == expected.strip()
    assert "in 11 chunks" in report  # the instruction, eight pages, the other ranking, the question
    assert "computed in vain, first token after" in report


def test_what_is_to_be_copied_from_it(server, capsys):
    """With a search that takes its time, so that what it changes has been computed."""
    retrieval = runpy.run_path(str(EXAMPLES / "retrieval.py"))

    async def rankings():
        for ranking in (["w5 " * 40], ["w5 " * 40, "w6 " * 40], ["w6 " * 40, "w5 " * 40]):
            yield ranking
            await asyncio.sleep(0.3)

    client = Client(server.url, api_key=KEY)
    answer = asyncio.run(retrieval["answer"](client, "w7", rankings(), max_tokens=3, ignore_eos=True))
    shown, report = capsys.readouterr().out.splitlines()
    assert shown == answer and len(answer.split()) == 3
    assert "in 5 chunks" in report and ", 0 computed in vain" not in report


def retrieved(pages):
    """The prompt that the example ends with: the last page is now the first one."""
    texts = [path.read_text(encoding="utf-8") for path in sorted(pages.glob("*.txt"))]
    body = "".join(page + "\n\n" for page in [texts[-1], *texts[:7]])
    return f"Answer the question at the end from these pages.\n\n{body}Question: w950 w951\nAnswer:"


def test_curl(server):
    done = run("sh", EXAMPLES / "stream.sh", server.url)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["object"] == "text_completion" and answer["stream_metrics"]["chunks"] == 4


def test_a_wrong_key_is_told(server, pages):
    script = EXAMPLES / "retrieval.py"
    done = run(sys.executable, script, "--url", server.url, "--pages", pages, "w950", key="wrong")
    assert done.returncode != 0 and "give the server's key" in done.stderr.splitlines()[-1]
    done = run("sh", EXAMPLES / "stream.sh", server.url, key="wrong")
    assert done.returncode != 0 and "Unauthorized" in done.stdout + done.stderr
