"""headrace simulate, from options: small runs of what the README shows."""

import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
import yaml

from headrace import cell
from headrace.config import read_all
from headrace.scheduling import load
from headrace.study import cell_spec
from headrace.workload import generate, read_table, write_arrivals, write_table

REPOSITORY = Path(__file__).parents[3]
SMALL = ("--queries", 40)
PERF_MODEL = Path("data/perf_models/h200-tp2.llama-3.1-8b.silicon.json")


def numbers(result) -> dict:
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def requests(folder: Path) -> pl.DataFrame:
    return pl.read_parquet(folder / "requests.parquet")


@pytest.mark.parametrize(("workload", "qps"), [("anns", 2.0), ("crawler", 4.0)])
def test_a_cell_of_the_study_byte_for_byte(headrace, tmp_path, monkeypatch, workload, qps):
    """What the workflow's rules do, beside the command: same tables, whatever the folder it is called in."""
    assert headrace("simulate", "--workload", workload, "--qps", qps, "--worlds", 3, "--queries", 60,
                    "--policy", "lcas", "--out", "out").exit_code == 0  # fmt: skip
    monkeypatch.chdir(REPOSITORY)
    config = read_all(["config/config.yaml"])
    config["workloads"][workload].update(worlds=3, queries=60)
    size = {"worlds": 3, "seed": config["seed"], "queries": 60}
    chunks, arrivals = tmp_path / "chunks.parquet", tmp_path / "arrivals.parquet"
    candidates = config["workloads"][workload]["typical_of"]
    generate(
        workload, config["generators"][workload], **size, out=chunks, typical_of=candidates, progress=False
    )
    write_arrivals(**size, out=arrivals)
    axes = {
        "backend": "sim", "hardware": "h200-tp2", "workload": workload, "delay": 1,
        "eviction": "cost_published", "policy": "lcas", "stream": True, "qps": qps,
    }  # fmt: skip
    cell.run(cell_spec(config, "stream2llm", axes), chunks, arrivals, PERF_MODEL, tmp_path / "study")
    for name in ("requests.parquet", "cell.json"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "study" / name).read_bytes()


def test_the_headline_says_what_the_numbers_are(headrace):
    text = " ".join(headrace("simulate", *SMALL).stdout.split())
    assert text.startswith("Simulated: crawler (synthetic), h200-tp2, 4 QPS, fcfs, streaming")
    assert "Performance model h200-tp2.llama-3.1-8b.silicon; pool and overheads fitted to" in text
    assert "TTFT runs from the return of the last hand-over" in text
    assert "p99_ttft_ms" in text and "preemptions_swap" in text and "offered_load" in text


def test_nothing_is_kept_without_out(headrace, tmp_path):
    assert headrace("simulate", *SMALL).exit_code == 0
    assert list(tmp_path.iterdir()) == []


def test_json_is_all_there_is_on_stdout(headrace, tmp_path):
    found = numbers(headrace("simulate", *SMALL, "--json", "--worlds", 2, "--out", "out"))
    assert found["policy"] == "fcfs" and found["completed"] == 40 and found["spec"]["worlds"] == 2
    ttft = [world["p99_ttft_ms"] for world in found["worlds"]]
    assert found["p99_ttft_ms"] == pytest.approx(sum(ttft) / 2)
    assert found["range"]["p99_ttft_ms"] == sorted(ttft)
    assert json.loads((tmp_path / "out/summary.json").read_text()) == found


def test_several_worlds_show_their_range(headrace):
    lines = headrace("simulate", *SMALL, "--worlds", 2).stdout.splitlines()
    assert any(line.split() == ["fcfs", "lowest", "highest"] for line in lines)


def test_a_speedup_is_the_other_ones_time_over_the_first_ones_world_by_world(headrace):
    options = ("--queries", 300, "--worlds", 2, "--qps", 8, "--policy", "mcps", "--against", "lcas")
    found = numbers(headrace("simulate", *options, "--json"))
    pairs = zip(found["worlds"], found["against"][0]["worlds"], strict=True)
    ratios = [other["p99_ttft_ms"] / mcps["p99_ttft_ms"] for mcps, other in pairs]
    assert abs(sum(ratios) / 2 - 1) > 0.05  # or the direction would not show
    line = next(line for line in headrace("simulate", *options).stdout.splitlines() if "p99_ttft_ms" in line)
    assert line.split()[3:] == [f"{sum(ratios) / 2:.2f}x", f"({min(ratios):.2f}-{max(ratios):.2f})"]


def test_overload_is_said(headrace):
    text = headrace("simulate", "--queries", 200, "--qps", 40, "--against", "mcps").stdout
    assert "Overload in worlds: fcfs 1/1, mcps 1/1." in text
    assert "Overload" not in headrace("simulate", "--queries", 200, "--qps", 0.5).stdout


def test_who_ignores_the_eviction_rule_is_named(headrace):
    line = "vllm_032: a victim is always recomputed, whatever the eviction rule."
    both = headrace("simulate", *SMALL, "--against", "vllm_032").stdout
    assert line in both
    assert line not in headrace("simulate", *SMALL, "--against", "default_vllm").stdout


def test_queries_keep_their_arrivals_whatever_their_numbers(headrace, tmp_path):
    assert headrace("workload", "make", "crawler", "--out", "w", "--queries", 9, "--worlds", 1).exit_code == 0
    table = read_table(tmp_path / "w/crawler.parquet")
    write_table(table.with_columns(pl.col("query_id") + 100), tmp_path / "late.parquet")
    write_arrivals(109, worlds=1, seed=1, out=tmp_path / "arrivals.parquet")
    options = ("--workload", "late.parquet", "--qps", 1)
    for out, more in (("a", ()), ("b", ("--arrivals", "arrivals.parquet"))):
        result = headrace("simulate", *options, *more, "--out", out)
        assert result.exit_code == 0, result.stderr
    assert requests(tmp_path / "a")["request_id"].to_list() == list(range(100, 109))
    assert requests(tmp_path / "a").equals(requests(tmp_path / "b"))


def test_a_policy_of_ones_own_beside_two_others(headrace, mine, tmp_path):
    mine()
    options = ("--policy", "mine.py:Mine", "--against", "default_vllm", "--against", "mcps")
    result = headrace("simulate", *SMALL, *options)
    assert result.exit_code == 0, result.stderr
    head = next(line for line in result.stdout.splitlines() if "speedup" in line)
    assert head.split() == ["Mine", "default_vllm", "speedup", "mcps", "speedup"]
    found = numbers(headrace("simulate", *SMALL, *options, "--out", "out", "--json"))
    assert found["policy"] == "mine.py:Mine"
    assert [other["policy"] for other in found["against"]] == ["default_vllm", "mcps"]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "Mine", "default_vllm", "mcps", "summary.json",
    }  # fmt: skip
    same = ("request_id", "arrival_s", "handed_over_s", "prompt_tokens")
    assert requests(tmp_path / "out/Mine").select(same).equals(requests(tmp_path / "out/mcps").select(same))


def test_two_versions_of_a_policy_are_told_apart_by_their_files(headrace, mine, tmp_path):
    (tmp_path / "old.py").write_text(mine().read_text())
    result = headrace("simulate", *SMALL, "--policy", "./mine.py:Mine", "--against", "old.py:Mine")
    head = next(line for line in result.stdout.splitlines() if "speedup" in line)
    assert head.split() == ["mine.Mine", "old.Mine", "speedup"]


def test_a_policy_in_a_file_decides_as_the_built_in_one_does(headrace, mine, tmp_path):
    mine(Path(sys.modules[load("fcfs").__module__].__file__).read_text())
    options = (*SMALL, "--qps", 16)
    assert headrace("simulate", *options, "--policy", "mine.py:FCFS", "--out", "own").exit_code == 0
    assert headrace("simulate", *options, "--policy", "fcfs", "--out", "built_in").exit_code == 0
    assert requests(tmp_path / "own").equals(requests(tmp_path / "built_in"))


def test_cell_json_says_which_policy_of_ones_own_it_was(headrace, mine, tmp_path):
    def sha256() -> str:
        options = ("--queries", 5, "--policy", "mine.py:Mine", "--out", "out")
        assert headrace("simulate", *options).exit_code == 0
        return json.loads((tmp_path / "out/cell.json").read_text())["policy_sha256"]

    file = mine()
    first = sha256()
    assert first == sha256()
    file.write_text(file.read_text() + "\n# changed\n")
    assert sha256() != first


def test_options_reach_the_spec(headrace):
    options = ("--delay", 3, "--eviction", "swap", "--no-stream", "--token-budget", 512, "--slots", 9)
    more = ("--kv-blocks", 50_000, "--seed", 7, "--hardware", "h100-tp2", "--qps", 0.5)
    spec = numbers(headrace("simulate", *SMALL, "--json", *options, *more))["spec"]
    expected = {
        "delay": 3, "eviction": "swap", "stream": False, "seed": 7, "hardware": "h100-tp2", "qps": 0.5,
    }  # fmt: skip
    assert {key: spec[key] for key in expected} == expected
    engine = {"token_budget": 512, "slots": 9, "kv_blocks": 50_000, "host_blocks": 109_032}
    assert {key: spec["engine"][key] for key in engine} == engine


def test_another_seed_is_another_workload(headrace, tmp_path):
    for seed in (1, 2):
        assert headrace("simulate", *SMALL, "--seed", seed, "--out", f"{seed}").exit_code == 0
    assert not requests(tmp_path / "1")["prompt_tokens"].equals(requests(tmp_path / "2")["prompt_tokens"])
    assert requests(tmp_path / "1")["arrival_s"].equals(requests(tmp_path / "2")["arrival_s"])  # world 0


def test_config_goes_on_top(headrace, tmp_path):
    top = {
        "seed": 5,
        "hardware": {"h200-tp2": {"kv_blocks": 60_000}},
        "workloads": {"crawler": {"queries": 7}},
    }
    (tmp_path / "top.yaml").write_text(yaml.safe_dump(top))
    found = numbers(headrace("simulate", "--json", "--config", "top.yaml"))
    assert found["completed"] == 7 and found["spec"]["seed"] == 5
    assert found["spec"]["engine"]["kv_blocks"] == 60_000


def test_a_wrong_config_is_a_line_per_problem(headrace, tmp_path):
    (tmp_path / "top.yaml").write_text("sed: 5\nworkloads: {anns: {worlds: none}}\n")
    result = headrace("simulate", "--config", "top.yaml")
    assert result.exit_code == 1
    first, second = sorted(result.stderr.splitlines())
    assert first.endswith("top.yaml: key sed: unknown key; did you mean 'seed'?")
    assert "top.yaml: key workloads.anns.worlds" in second


def test_a_chunk_table_of_ones_own_with_its_arrivals(headrace, tmp_path):
    assert headrace("workload", "make", "anns", "--out", "w", "--queries", 12, "--worlds", 2).exit_code == 0
    found = numbers(
        headrace("simulate", "--workload", "w/anns.parquet", "--worlds", 2, "--qps", 1, "--json",
                 "--arrivals", "w/anns.arrivals.parquet", "--out", "a")
    )  # fmt: skip
    assert found["spec"]["workload"] == "anns" and found["spec"]["engine"]["token_budget"] == 8192
    assert found["spec"]["source"] == "w/anns.parquet"
    assert headrace("simulate", "--workload", "anns", "--queries", 12, "--worlds", 2, "--qps", 1,
                    "--out", "b").exit_code == 0  # fmt: skip
    assert requests(tmp_path / "a").equals(requests(tmp_path / "b"))


def test_only_the_first_queries_of_a_table(headrace, tmp_path):
    assert headrace("workload", "make", "crawler", "--out", "w", "--queries", 9, "--worlds", 1).exit_code == 0
    text = headrace("simulate", "--workload", "w/crawler.parquet").stdout
    assert text.startswith("Simulated: crawler.parquet (served as crawler), h200-tp2")
    found = numbers(headrace("simulate", "--workload", "w/crawler.parquet", "--queries", 4, "--json"))
    assert found["completed"] == found["spec"]["queries"] == 4


def test_a_folder_of_traces(headrace):
    traces = REPOSITORY / "data/traces/anns_sample"
    found = numbers(
        headrace("simulate", "--workload", traces, "--tokeniser", "tekken", "--json", "--queries", 5)
    )
    assert found["completed"] == 5 and found["spec"]["workload"] == "anns"


def test_a_prompt_that_the_pool_cant_hold(headrace, tmp_path):
    assert headrace("workload", "make", "anns", "--out", "w", "--queries", 9, "--worlds", 1).exit_code == 0
    table = read_table(tmp_path / "w/anns.parquet")
    write_table(table.filter(pl.col("query_id") == 0), tmp_path / "one.parquet")
    result = headrace("simulate", "--workload", "one.parquet", "--kv-blocks", 20)
    assert result.exit_code == 1
    assert result.stderr.startswith("headrace: one.parquet: query 0 of world 0: ")
    assert "don't fit a KV pool of 20 blocks" in result.stderr


def test_from_a_shell_the_error_is_one_line_and_stdout_is_empty(tmp_path):
    command = [sys.executable, "-m", "headrace", "simulate", "--policy", "fcsf"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        "headrace: policy: unknown policy 'fcsf'; did you mean 'fcfs'? (one of your own: mine.py:Mine)"
    ]


def test_help_imports_nothing_heavy():
    text = "import sys; from headrace.cli import main; main(['simulate', '--help'], standalone_mode=False);"
    text += (
        "heavy = {'polars', 'numpy', 'rich', 'matplotlib', 'yaml'} & set(sys.modules); sys.exit(len(heavy))"
    )
    assert subprocess.run([sys.executable, "-c", text], capture_output=True).returncode == 0
