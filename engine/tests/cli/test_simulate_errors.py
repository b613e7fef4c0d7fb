"""Bad options of headrace simulate: one line each, with what would be right; nothing is written."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

OPTIONS = [
    (("--policy", "mcp"), "policy: unknown policy 'mcp'; did you mean 'mcps'?"),
    (("--policy", "mine.py"), "names no class: mine.py:Name is right; known: Mine"),
    (("--policy", "mine.py:Mime"), "mine.py defines no class Mime; did you mean 'Mine'?"),
    (("--policy", "yours.py:Mine"), "no such file yours.py"),
    (("--against", "lca"), "unknown policy 'lca'; did you mean 'lcas'?"),
    (("--policy", "./mine.py:Mime"), "mine.py defines no class Mime; did you mean 'Mine'?"),
    (("--policy", "mine.py:Mine", "--against", "./mine.py:Mine"), "there are two policies 'mine.Mine'"),
    (("--tokeniser", "tekken"), "--tokeniser: goes with a folder of traces; leave it out"),
    (("--against", "fcfs"), "--against: there are two policies 'fcfs'; name each one once"),
    (("--hardware", "h20-tp2"), "hardware: unknown hardware 'h20-tp2'; did you mean 'h200-tp2'?"),
    (("--eviction", "swop"), "unknown eviction rule 'swop'; did you mean 'swap'?"),
    (("--workload", "crawlr"), "no workload, file or folder 'crawlr'; did you mean 'crawler'?"),
    (("--workload", "mine.py"), "mine.py: is no folder of traces and no .parquet file"),
    (("--workload", "."), ".: holds no traces in a published format; query_*.csv (crawler), or"),
    (("--kv-blocks", 100), "don't fit a KV pool of 100 blocks of 16 tokens"),
    (("--policy", "vllm_032", "--workload", "anns"), "an update changes its prompt, and the policy can only"),
    (("--token-budget", 999_999), "a step of 999999 tokens is beyond its table"),
    (("--chunks", "mine.py"), "--chunks: goes with --spec; give a spec, or the chunk table as --workload"),
    (("--perf-model", "mine.py"), "--perf-model: goes with --spec"),
    (("--window", "1:2"), "--window: goes with --timeline; name the picture's file"),
    (("--world", 0), "--world: goes with --timeline"),
    (("--timeline", "a.png", "--world", 1), "--world: there is no world 1; 0 to 0"),
    (("--timeline", "a.pgn"), "a.pgn: .pgn is no picture format; did you mean 'png'?"),
    (("--timeline", "a"), "a: no ending is no picture format; known: pdf, png, svg"),
    (
        ("--timeline", "a.svg", "--window", "9e3:9e4"),
        "no request is there from 9000 to 90000 s; the run ends",
    ),
]
USAGE = [
    (("--qps", 0), "'--qps': 0.0 is not in the range x>0"),
    (("--qps", "fast"), "'--qps': 'fast' is not a valid number"),
    (("--worlds", 0), "'--worlds': 0 is not in the range x>=1"),
    (("--delay", 1.5), "'--delay': '1.5' is not a valid whole number"),
    (("--polcy", "fcfs"), "No such option '--polcy'"),
    (("--config", "none.yaml"), "File 'none.yaml' does not exist"),
    (("--timeline", "a.svg", "--window", "5"), "'5' is no time window; write START:END in seconds"),
    (("--timeline", "a.svg", "--window", "5:1"), "'5:1' is empty"),
    (("--out", "mine.py"), "Directory 'mine.py' is a file"),
    (("crawler",), "unexpected extra argument"),
]


def refused(result, code, tmp_path, message):
    assert result.exit_code == code
    assert len(result.stderr.splitlines()) == 1 and result.stderr.startswith("headrace: ")
    assert message in result.stderr
    assert not result.stdout
    assert {path.name for path in tmp_path.iterdir()} <= {"mine.py", "out"}


@pytest.mark.parametrize(("options", "message"), OPTIONS)
def test_a_bad_option_is_one_line(headrace, mine, tmp_path, options, message):
    mine()
    result = headrace("simulate", "--queries", 30, *options)
    refused(result, 1, tmp_path, message)


@pytest.mark.parametrize(("options", "message"), USAGE)
def test_a_value_that_is_none_is_one_line_and_exit_code_2(headrace, mine, tmp_path, options, message):
    mine()
    refused(headrace("simulate", *options), 2, tmp_path, message)


def test_an_unknown_command_is_one_line(headrace):
    result = headrace("simulat")
    assert result.exit_code == 2 and "'simulat'" in result.stderr and len(result.stderr.splitlines()) == 1


POLICY = "from headrace.scheduling import Policy\nclass Mine(Policy):\n"
KEY = POLICY + "    @staticmethod\n    def key(request):\n        return "
SCHEDULER = (
    "class Mine:\n"
    "    def __init__(self, eviction, limits): pass\n"
    "    def event(self, request, kind, now_s): pass\n"
    "    def stepped(self, plan, seconds, now_s): pass\n"
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = (\n", "mine.py: line 1: SyntaxError: '(' was never closed; correct the line"),
        ("\nimport nothing_of_this_name\n", "mine.py: line 2: ModuleNotFoundError"),
        ("raise SystemExit\n", "mine.py: line 1: SystemExit: ; correct the file"),
        ("\0", "mine.py:Mine: SyntaxError: source code string cannot contain null bytes; correct the file"),
        ("1 / 0\n", "mine.py: line 1: ZeroDivisionError: division by zero; correct the file"),
        ("Mine = 3\n", "defines no class Mine; define one derived from headrace.scheduling.Policy"),
        ("class Mine: pass\n", "Mine is no Policy, and no Scheduler without event, plan, stepped"),
        (SCHEDULER, "no Scheduler without plan; derive it from headrace.scheduling.Policy"),
        (
            SCHEDULER.replace("eviction, limits", "limits") + "    def plan(self, now_s, ledger): pass\n",
            "policy mine.py:Mine: Mine takes (limits); __init__ takes eviction and limits",
        ),
        (POLICY + "    pass\n", "Mine has no key; define key(request), a staticmethod"),
        (POLICY + "    def key(self, request): return request.id\n", "key takes (self, request); write @st"),
        (KEY + "request.promt, request.id\n", "object has no attribute 'promt'; did you mean 'prompt'?"),
        (KEY + "request.promt, request.id\n", "headrace: mine.py: line 5: AttributeError"),
        (KEY + "1 / 0, request.id\n", "mine.py: line 5: ZeroDivisionError"),
        (KEY + "exit(0)\n", "mine.py: line 5: SystemExit: 0; correct the file"),
        (KEY + "(0,)\n", "ValueError: two requests have the key (0,): end it in the id; key must give"),
        (KEY + "'a' if request.id % 2 else 0, request.id\n", "policy mine.py:Mine: TypeError: '<' not sup"),
        (SCHEDULER + "    def plan(self, now_s, ledger): return None\n", "check what its plan does"),
    ],
)  # fmt: skip
def test_a_faulty_policy_of_ones_own_is_one_line(headrace, mine, tmp_path, text, message):
    mine(text)
    result = headrace("simulate", "--queries", 30, "--policy", "mine.py:Mine", "--out", "out")
    refused(result, 1, tmp_path, message)
    assert not (tmp_path / "out").exists()


def test_a_dataclass_in_the_policys_file(headrace, mine):
    """Its annotations as text: dataclasses look them up in the module."""
    text = "from __future__ import annotations\nfrom dataclasses import dataclass\n"
    mine(text + "@dataclass\nclass Weight:\n    tokens: int = 1\n" + KEY + "Weight().tokens, request.id\n")
    assert headrace("simulate", "--queries", 5, "--policy", "mine.py:Mine").exit_code == 0


def test_more_than_the_memory_holds_is_one_line(headrace, tmp_path, monkeypatch):
    def generate(*_, **__):
        raise MemoryError("Unable to allocate 745. GiB")

    monkeypatch.setattr("headrace.workload.generate", generate)
    message = "headrace: memory: not enough (Unable to allocate 745. GiB); ask for fewer queries or worlds"
    refused(headrace("simulate"), 1, tmp_path, message)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_behind_stdout_is_one_line():
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "headrace", "policies"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1 and done.stderr.splitlines()[0].startswith("headrace: output: No space left")


def test_a_tokeniser_that_cannot_be_had_is_one_line(tmp_path):
    """From a shell: the libraries say nothing of their own, and nothing about PyTorch."""
    options = ("--workload", Path(__file__).parents[3] / "data/traces/anns_sample", "--tokeniser", "no/such")
    command = [sys.executable, "-m", "headrace", "simulate", *options]
    environment = os.environ | {"HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("headrace: tokeniser.name: 'no/such' can't be loaded")
