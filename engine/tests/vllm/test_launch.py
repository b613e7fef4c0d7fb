"""The process that serves a job: which Python, what it inherits, what it says when it can't."""

import sys

import pytest

from headrace.errors import HeadraceError
from headrace.files import write_json
from headrace.vllm.cells import launch, settings
from headrace.vllm.cells.job import Job
from headrace.vllm.cells.settings import Settings, check_installed, words_of

MODEL = {
    "hub_names": ["some/model"],
    "dtype": "float32",
    "layers": 2,
    "hidden_size": 64,
    "attention_heads": 4,
    "kv_heads": 2,
    "head_dim": 16,
    "intermediate_size": 128,
    "vocab_size": 512,
    "max_context_tokens": 4096,
}
ENGINE = {"kv_blocks": 2**20, "host_blocks": 0, "block_size": 16, "slots": 8, "token_budget": 512}
JOB = Job(
    name="one",
    cells=({"spec": {"tensor_parallel": 1, "engine": ENGINE}, "sources": "", "out": "cell"},),
    workloads={},
    perf_model="model.json",
    weights="weights.json",
    gpu="cpu",
    model=MODEL,
    seed=1,
    settings=Settings(),
    store="served",
)


@pytest.fixture
def other_python(tmp_path):
    """An executable that stands for another Python: notes what it is given, and ends with `code`."""

    def make(code):
        file = tmp_path / "python"
        file.write_text(f"#!/bin/sh\nenv > {tmp_path}/environment\necho $@ > {tmp_path}/given\nexit {code}\n")
        file.chmod(0o755)
        return file

    return make


def test_a_job_is_offline_and_knows_its_pool(other_python, tmp_path, monkeypatch):
    for name in ("HF_HUB_OFFLINE", "VLLM_NO_USAGE_STATS", "VLLM_CPU_KVCACHE_SPACE"):
        monkeypatch.delenv(name, raising=False)
    launch.run(JOB, str(other_python(0)))
    found = (tmp_path / "environment").read_text().splitlines()
    # 16 million tokens of 2 layers, 2 (key and value) x 2 heads of 16 numbers of 4 bytes.
    assert {"HF_HUB_OFFLINE=1", "VLLM_NO_USAGE_STATS=1", "VLLM_CPU_KVCACHE_SPACE=8"} <= {*found}
    assert (tmp_path / "given").read_text().startswith("-m headrace.vllm.cells.launch /")


def test_a_process_that_fails_is_told(other_python):
    with pytest.raises(HeadraceError, match="one: its process ended with 7; its words are above"):
        launch.run(JOB, str(other_python(7)))


def test_a_python_without_vllm_says_so_in_one_line(tmp_path, monkeypatch, capsys):
    write_json(tmp_path / "job.json", JOB.as_dict())
    monkeypatch.setattr(settings, "DISTRIBUTIONS", ())
    assert launch.main(str(tmp_path / "job.json")) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(
        f"config: key vllm.python: {sys.executable} has no vLLM, 0.32 is needed; make setup"
    )


@pytest.mark.parametrize(
    ("release", "right"),
    [("0.32.0", True), ("0.32.1+cu129", True), ("0.31.2", False), ("0.320.0", False), ("1.0", False)],
)
def test_another_release_is_refused_before_it_is_imported(release, right, monkeypatch):
    monkeypatch.setattr(settings, "version", lambda name: release)
    if right:
        return check_installed()
    with pytest.raises(HeadraceError, match=f"has vllm {release}, 0.32 is needed"):
        check_installed()


REFUSED = """2 validation errors for ModelConfig
dtype.literal['auto','half']
  Input should be 'auto' or 'half' [type=literal_error, input_value='bf16', input_type=str]
    For further information visit https://errors.pydantic.dev/2.14/v/literal_error
dtype.is-instance[dtype]
"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (REFUSED, "dtype: Input should be 'auto' or 'half'"),
        ("\nout of memory\nsee above", "out of memory"),
        ("", "ValueError"),
    ],
)
def test_an_error_of_vllm_becomes_one_line(text, said):
    assert words_of(ValueError(text)) == said
