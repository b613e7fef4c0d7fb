"""headrace policies, hardware and score."""

import re
from pathlib import Path

import pytest
import yaml

from headrace.scheduling import EVICTIONS, POLICIES

REPOSITORY = Path(__file__).parents[3]


def test_policies_lists_every_name_and_how_to_add_one(headrace):
    text = headrace("policies").stdout
    for name in (*POLICIES, *EVICTIONS):
        assert re.search(rf"^ {name} +\w+", text, re.M), name
    assert "headrace simulate --policy mine.py:Mine" in text


def test_the_policy_shown_runs_as_it_stands(headrace, mine):
    text = headrace("policies").stdout
    mine("\n".join(line.removeprefix("  ") for line in text.split("# mine.py\n")[1].splitlines()[:-2]))
    assert headrace("simulate", "--queries", 5, "--policy", "mine.py:Mine").exit_code == 0


def test_hardware_shows_pools_and_times(headrace):
    text = headrace("hardware").stdout
    pools = {line.split()[0]: line.split()[-5:] for line in text.splitlines() if "NVIDIA" in line}
    blocks = yaml.safe_load((REPOSITORY / "config/hardware.yaml").read_text())["h200-tp2"]["kv_blocks"]
    gigabytes = round(blocks * 2 * 2**20 / 1e9)  # blocks of 2 MiB, 16 tokens each
    assert pools["h200-tp2"] == ["2", f"{blocks:,}", f"{gigabytes}", f"{16 * blocks:,}", "yes"]
    assert pools["a40-tp1"] == ["1", "9,232", "19", "147,712", "no"]
    times = {line.split()[0]: line.split() for line in text.splitlines() if line.endswith(" ms ")}
    assert times["h200-tp2"][1:3] == ["silicon", "h200-tp2.llama-3.1-8b.silicon"]
    assert times["a40-tp1"][1] == "roofline"


def test_hardware_takes_a_configuration_on_top(headrace, tmp_path):
    top = {"hardware": {"h200-tp2": {"kv_blocks": 1000, "overheads": {"step_s": 1.0}}}}
    (tmp_path / "top.yaml").write_text(yaml.safe_dump(top))
    text = headrace("hardware", "--config", "top.yaml").stdout
    assert "16,000" in text  # tokens in 1,000 blocks
    seconds = re.search(r"^ h200-tp2 +silicon.* (\d+\.\d) ms +(\d+) ms", text, re.M)
    assert float(seconds[1]) > 1000 and int(seconds[2]) > 1000  # both have a step of a second in them


def test_a_slower_forward_pass_shows_in_both_times(headrace, tmp_path):
    def seconds(scale: float) -> list[float]:
        scales = {"dense_scale": scale, "attention_scale": scale, "step_s": 0.0, "request_s": 0.0}
        (tmp_path / "top.yaml").write_text(yaml.safe_dump({"hardware": {"h200-tp2": {"overheads": scales}}}))
        text = headrace("hardware", "--config", "top.yaml").stdout
        return [
            float(ms)
            for ms in re.search(r"^ h200-tp2 +silicon.* (\d+\.\d) ms +(\d+) ms", text, re.M).groups()
        ]

    assert seconds(10.0) == pytest.approx([10 * ms for ms in seconds(1.0)], rel=0.01)


def test_a_gpu_without_its_performance_model_is_listed_and_told_how_to_get_one(headrace, tmp_path):
    a40 = yaml.safe_load((REPOSITORY / "config/hardware.yaml").read_text())["a40-tp1"]
    model = a40["perf_model"] | {"file": "data/perf_models/new-tp1.llama-3.1-8b.roofline.json"}
    (tmp_path / "top.yaml").write_text(yaml.safe_dump({"hardware": {"new-tp1": a40 | {"perf_model": model}}}))
    result = headrace("hardware", "--config", "top.yaml")
    assert result.exit_code == 0, result.stderr
    assert re.search(r"^ new-tp1 +roofline +new-tp1.llama-3.1-8b.roofline +- +- *$", result.stdout, re.M)
    assert "-: no performance model yet; docs/performance-models.md" in result.stdout
    result = headrace("simulate", "--config", "top.yaml", "--hardware", "new-tp1")
    assert result.exit_code == 1 and len(result.stderr.splitlines()) == 1
    assert "no performance model of new-tp1 yet; build it (docs/performance-models.md" in result.stderr


def test_score_of_no_file_is_one_line(headrace):
    result = headrace("score", "none.csv")
    assert result.exit_code == 2 and len(result.stderr.splitlines()) == 1
