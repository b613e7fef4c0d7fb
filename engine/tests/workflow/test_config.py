"""The configuration: merging, and one line for everything that is wrong with it."""

import copy
import dataclasses

import pytest
import yaml

from headrace.config import load, merge, read, read_all
from headrace.errors import HeadraceError
from headrace.perf.architecture import Model
from headrace.perf.hardware import Hardware, RooflineSource, SiliconSource
from headrace.perf.overheads import Overheads
from headrace.validation import ConfigError
from headrace.workload.synthetic_anns import AnnsParameters
from headrace.workload.synthetic_crawler import CrawlerParameters

CONFIG = "config/config.yaml"


def problems(changes, tmp_path):
    """Lines of the ConfigError for config.yaml with `changes` in a further file."""
    file = tmp_path / "own.yaml"
    file.write_text(yaml.safe_dump(changes), encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        read_all([CONFIG, file])
    return str(error.value).replace(str(file), "own.yaml").splitlines()


def study(**changes):
    return {"studies": {"stream2llm": changes}}


@pytest.mark.parametrize("overlays", [[], ["config/smoke.yaml"]])
def test_the_configurations_of_the_project_are_valid(overlays, repository):
    assert read_all([CONFIG, *overlays])["backend"] == "sim"


def test_later_files_go_on_top_key_by_key(tmp_path):
    file = tmp_path / "own.yaml"
    file.write_text("hardware: {h200-tp2: {kv_blocks: 9999}}\nworkloads: {anns: {worlds: 3}}\n")
    plain, changed = read_all([CONFIG]), read_all([CONFIG, file])
    assert changed["hardware"]["h200-tp2"]["kv_blocks"] == 9999
    assert changed["workloads"]["anns"]["worlds"] == 3
    changed["hardware"]["h200-tp2"]["kv_blocks"] = plain["hardware"]["h200-tp2"]["kv_blocks"]
    changed["workloads"]["anns"]["worlds"] = plain["workloads"]["anns"]["worlds"]
    assert changed == plain


def test_lists_are_replaced_and_nothing_is_shared():
    base, top = {"a": {"b": [1, 2], "c": 3}}, {"a": {"b": [4]}}
    kept = copy.deepcopy(top)
    merge(base, top)
    base["a"]["b"].append(5)
    assert base == {"a": {"b": [4, 5], "c": 3}}
    assert top == kept


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"worlds": 8},
            "own.yaml: key worlds: unknown key; did you mean 'workloads'?",
        ),
        (
            {"workloads": {"anns": {"wrolds": 20}}},
            "own.yaml: key workloads.anns.wrolds: unknown key; did you mean 'worlds'?",
        ),
        (
            {"workloads": {"anns": {"worlds": "many"}}},
            "own.yaml: key workloads.anns.worlds: is 'many' (string); must be an integer",
        ),
        (
            {"workloads": {"anns": {"worlds": 0}}},
            "own.yaml: key workloads.anns.worlds: is 0 (integer); must be at least 1",
        ),
        (
            {"backend": "sims"},
            "own.yaml: key backend: is 'sims' (string); did you mean 'sim'?",
        ),
        (
            {"studies": None},
            "own.yaml: key studies: is None (null); must be a mapping",
        ),
        (
            {"hardware": {"h200-tp2": {"overheads": {"step_s": -1}}}},
            "own.yaml: key hardware.h200-tp2.overheads.step_s: is -1 (integer); must be at least 0",
        ),
        (
            {"hardware": {"h200-tp2": {"overheads": {"step_s": float("nan")}}}},
            "own.yaml: key hardware.h200-tp2.overheads.step_s: is nan (number); must be finite",
        ),
        (
            study(grid={"main": {"settings": [{"workload": "anns", "delay": 1, "qps": [float("inf")]}]}}),
            "own.yaml: key studies.stream2llm.grid.main.settings[0].qps[0]: is inf (number); must be finite",
        ),
        (
            {"workloads": {"crwler": {"source": "synthetic", "queries": 9, "worlds": 1}}},
            "own.yaml: key workloads.crwler: no study has a workload 'crwler'; did you mean 'crawler'?",
        ),
        (
            study(workloads={"ann": {"token_budget": 512, "delay_scope": "all"}}),
            "own.yaml: key studies.stream2llm.workloads.ann: unknown workload 'ann'; did you mean 'anns'?",
        ),
        (
            {"hardware": {"h200-tp2": {"perf_model": {"file": "data/perf_models/none.json"}}}},
            "own.yaml: key hardware.h200-tp2.perf_model.file: there is no file 'data/perf_models/none.json';"
            " name a JSON file, relative to the repository; make perf-models builds one",
        ),
        (
            {"hardware": {"h200-tp2": {"perf_model": {"provider": "roofline"}}}},
            "config/hardware.yaml: key h200-tp2.perf_model.file:"
            " data/perf_models/h200-tp2.llama-3.1-8b.silicon.json has provider silicon, not roofline;"
            " name the file of this hardware, or correct the key",
        ),
        (
            {
                "workloads": {"crawler": {"source": "data/traces/crawler_sample"}},
                "tokeniser": {"kind": "tekken"},
            },
            "config/config.yaml: key tokeniser.name: names 'meta-llama/Llama-3.1-8B-Instruct', but kind is"
            " tekken, which needs no name; set name: null",
        ),
        (
            {"generators": {"crawler": {"gap_s": {"p5O": 1.0}}}},
            "own.yaml: key generators.crawler.gap_s.p5O: unknown key; known: max, min",
        ),
        (
            study(policies=[{"policy": "fcsf", "stream": True}]),
            "own.yaml: key studies.stream2llm.policies[0].policy: unknown policy 'fcsf';"
            " did you mean 'fcfs'?",
        ),
        (
            study(grid={"main": {"hardware": ["h200-tp2", "h300-tp2"]}}),
            "own.yaml: key studies.stream2llm.grid.main.hardware[1]: unknown hardware 'h300-tp2';"
            " did you mean 'h200-tp2'?",
        ),
        (
            study(grid={"main": {"evictions": ["cost_published", "swap"]}}),
            "own.yaml: key studies.stream2llm.grid.main.evictions: cost_published and swap for the same"
            " cells with delay 1; name one of them, or stretch the waits",
        ),
        (
            study(grid={"delay": {"evictions": ["cost"]}}),
            "own.yaml: key studies.stream2llm.grid.delay.evictions[0]: unknown eviction rule 'cost';"
            " did you mean 'cost_victim'?",
        ),
        (
            study(grid={"main": {"settings": [{"workload": "crawlr", "delay": 1, "qps": [1]}]}}),
            "own.yaml: key studies.stream2llm.grid.main.settings[0].workload: unknown workload 'crawlr';"
            " did you mean 'crawler'?",
        ),
        (
            study(grid={"main": {"settings": [{"workload": "anns", "delay": 1, "qps": [0]}]}}),
            "own.yaml: key studies.stream2llm.grid.main.settings[0].qps[0]: is 0 (integer);"
            " must be more than 0",
        ),
        (
            study(model="llama-3.1-8"),
            "own.yaml: key studies.stream2llm.model: unknown model 'llama-3.1-8';"
            " did you mean 'llama-3.1-8b'?",
        ),
        (
            {"workloads": {"anns": {"source": "no/such/folder"}}},
            "own.yaml: key workloads.anns.source: 'no/such/folder' is no folder, and no other source is"
            " called so; synthetic, published or a folder with traces",
        ),
    ],
)
def test_every_problem_is_one_line(changes, line, tmp_path):
    assert line in problems(changes, tmp_path)


def test_all_problems_are_told_at_once(tmp_path):
    lines = problems({"backend": 3, "seed": -1, "colour": "blue"}, tmp_path)
    assert [line.split(":")[1].strip() for line in lines] == ["key colour", "key backend", "key seed"]


def test_a_key_of_an_included_file_is_named_there(tmp_path):
    hardware = read("config/hardware.yaml")
    del hardware["h100-tp2"]["kv_blocks"]
    hardware["h200-tp2"]["hots_blocks"] = 1
    file = tmp_path / "hardware.yaml"
    file.write_text(yaml.safe_dump(hardware), encoding="utf-8")
    lines = [
        line.replace(str(file), "hardware.yaml")
        for line in problems({"files": {"hardware": str(file)}}, tmp_path)
    ]
    assert "hardware.yaml: key h200-tp2.hots_blocks: unknown key; did you mean 'host_blocks'?" in lines
    assert "hardware.yaml: key h100-tp2.kv_blocks: is missing; set it: KV blocks of the GPU pool." in lines


def test_the_command_line_is_named_for_its_keys():
    config = read(CONFIG)
    config["sed"] = 1
    with pytest.raises(ConfigError, match=r"^config: key sed: unknown key; did you mean 'seed'\?$"):
        load(config, [CONFIG])


def test_published_traces_need_a_folder_and_a_revision(tmp_path):
    lines = problems({"workloads": {"crawler": {"source": "published"}}}, tmp_path)
    assert lines == [
        f"{CONFIG}: key published.folders.crawler: is not set, but workloads.crawler.source is published;"
        " name the folder of rbachkaniwala3/stream2llm-data with the traces",
        f"{CONFIG}: key published.revision: is not set, but workloads.crawler.source is published; name the"
        " commit of rbachkaniwala3/stream2llm-data to download, or its folder with the key data",
    ]


def test_run_logs_need_a_revision_or_a_folder_that_is_there(tmp_path):
    assert problems({"backend": "published"}, tmp_path) == [
        f"{CONFIG}: key published.revision: is not set, but backend is published; name the commit of"
        " rbachkaniwala3/stream2llm-data to download, or its folder with the key data"
    ]
    gone = str(tmp_path / "gone")
    assert problems({"backend": "published", "data": gone}, tmp_path) == [
        f"own.yaml: key data: {gone!r} is no folder; name that of the data set"
    ]


def test_traces_need_a_tokenizer(tmp_path):
    file = tmp_path / "base.yaml"
    config = read(CONFIG)
    del config["tokeniser"]["name"]
    config["workloads"]["anns"]["source"] = str(tmp_path)
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"key tokeniser: has no name; name a tokenizer"):
        read_all([file])


def test_hardware_of_another_model_is_refused(tmp_path):
    lines = problems({"hardware": {"h200-tp2": {"perf_model": {"model": "opt-13b"}}}}, tmp_path)
    assert (
        "own.yaml: key hardware.h200-tp2.perf_model.model: is 'opt-13b';"
        " the study runs 'llama-3.1-8b': name a table of it"
    ) in lines


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (None, "bad.yaml: no such file; check the path"),
        (
            "a: [1",
            "bad.yaml: line 1: not valid YAML (expected ',' or ']', but got '<stream end>');"
            " correct the line",
        ),
        ("- 1\n- 2\n", "bad.yaml: is not a mapping; write key: value"),
    ],
)
def test_a_bad_file_is_one_line(content, line, tmp_path):
    file = tmp_path / "bad.yaml"
    if content is not None:
        file.write_text(content)
    with pytest.raises(HeadraceError) as error:
        read(file)
    assert str(error.value).replace(f"{tmp_path}/", "") == line


def test_mappings_from_the_command_line_get_their_types(tmp_path):
    typed = {"hardware": {"h200-tp2": {"kv_blocks": "9000", "calibrated": "true"}}, "results": "out/2"}
    config = read(CONFIG)
    merge(config, typed)  # as Snakemake does
    whole = load(config, [CONFIG], typed)
    assert whole["hardware"]["h200-tp2"]["kv_blocks"] == 9000
    assert whole["hardware"]["h200-tp2"]["calibrated"] is True
    assert whole["results"] == "out/2"


@pytest.mark.parametrize(
    ("definition", "kind"),
    [
        ("crawler", CrawlerParameters),
        ("anns", AnnsParameters),
        ("hardware", Hardware),
        ("model", Model),
        ("silicon", SiliconSource),
        ("roofline", RooflineSource),
        ("overheads", Overheads),
    ],
)
def test_the_schema_knows_the_keys_of_the_package(definition, kind):
    definitions = read("workflow/schemas/config.schema.yaml")["$defs"]
    rule = (definitions | definitions["hardware"]["properties"])[definition]
    assert set(rule["properties"]) == {field.name for field in dataclasses.fields(kind)}


def test_every_key_of_the_schema_is_described():
    schema = read("workflow/schemas/config.schema.yaml")

    def undescribed(node, path):
        for name, rule in node.get("properties", {}).items():
            if "description" not in rule:
                target = schema["$defs"][rule["$ref"].split("/")[-1]] if "$ref" in rule else {}
                if "description" not in target:
                    yield f"{path}.{name}"
            yield from undescribed(rule, f"{path}.{name}")
        for rule in (node.get("items"), node.get("additionalProperties")):
            if isinstance(rule, dict):
                yield from undescribed(rule, path)

    found = [*undescribed(schema, "")]
    for name, definition in schema["$defs"].items():
        found += undescribed(definition, name)
    assert found == []


def test_every_mapping_of_the_schema_refuses_unknown_keys():
    schema = read("workflow/schemas/config.schema.yaml")

    def lax(node, path):
        if isinstance(node, dict):
            strict = node.get("additionalProperties") is False
            if node.get("type") == "object" and "properties" in node and not strict:
                yield path
            for key, value in node.items():
                yield from lax(value, f"{path}/{key}")

    assert [*lax(schema, "")] == []
