import csv
import json
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from headrace.errors import HeadraceError

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture
def repository() -> Path:
    return REPOSITORY


@pytest.fixture(scope="session")
def parameters() -> Callable[[str], dict]:
    """The committed parameters of a workload's generator."""
    return lambda name: yaml.safe_load((REPOSITORY / f"config/workloads/{name}.yaml").read_text())


@pytest.fixture(scope="session")
def refused():
    """A context in which HeadraceError must be raised, in one line that holds all the given words."""

    @contextmanager
    def check(*words: str):
        with pytest.raises(HeadraceError) as caught:
            yield
        assert "\n" not in str(caught.value)
        for word in words:
            assert word in str(caught.value)

    return check


@pytest.fixture
def crawler_folder(tmp_path: Path):
    """Writes query_<id>.csv from rows and returns its folder."""
    folder = tmp_path / "crawler"
    folder.mkdir()

    def write(
        rows: list[tuple],
        header=("type", "query", "startTime", "endTime", "content"),
        name: str = "query_0.csv",
    ) -> Path:
        with (folder / name).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([header, *rows])
        return folder

    return write


@pytest.fixture
def anns_folder(tmp_path: Path):
    """Writes one query's trace, the map and the corpus and returns their folder."""
    folder = tmp_path / "anns"
    folder.mkdir()

    def write(
        rows: list[tuple], header=("StartTime_us", "EndTime_us", "PipelinePool"), **corpus: str
    ) -> Path:
        with (folder / "a_pipeline_trace.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([header, *rows])
        entry = {"query": "What is a weir?", "trace_file": "a_pipeline_trace.csv"}
        (folder / "query_trace_map_5k.json").write_text(json.dumps({"0": entry}))
        texts = corpus or {"1": "one two three", "2": "four five", "3": "six"}
        (folder / "retrieved_corpus_content.part.0.json").write_text(json.dumps(texts))
        return folder

    return write


@pytest.fixture(scope="session")
def word_tokeniser(tmp_path_factory) -> dict:
    """A tokeniser that makes a token of every word and sign; its model asks to cut texts after 4 tokens."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("tokeniser")
    words = ["<s>", "<unk>", "one", "two", "three", "four", "five", "six", "seven"]
    model = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    model.pre_tokenizer = pre_tokenizers.Whitespace()
    model.enable_truncation(4)
    PreTrainedTokenizerFast(tokenizer_object=model, bos_token="<s>", unk_token="<unk>").save_pretrained(
        folder
    )
    return {"kind": "transformers", "name": str(folder)}
