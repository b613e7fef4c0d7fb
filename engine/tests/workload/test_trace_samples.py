import polars as pl
import pytest

from headrace.workload import read_table, read_traces
from headrace.workload.samples import write_samples


def files_of(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*_*") if path.is_file()}


def test_the_committed_samples_are_what_the_function_writes(repository, tmp_path):
    write_samples(tmp_path)
    written = files_of(tmp_path)
    assert written == files_of(repository / "data" / "traces")
    assert sum(map(len, written.values())) < 1.5e6
    write_samples(tmp_path, seed=1)
    assert files_of(tmp_path) != written


@pytest.mark.parametrize(("name", "skipped"), [("crawler", ["query_17.csv"]), ("anns", [])])
def test_the_samples_are_read(repository, tmp_path, name, skipped, capfd):
    folder, out = repository / "data" / "traces" / f"{name}_sample", tmp_path / "chunks.parquet"
    counts = read_traces(name, folder, {"kind": "tekken"}, 1, out, progress=True)
    assert f"tokenise {name}" in capfd.readouterr().err
    assert (counts["traces"], counts["skipped"]) == (24, skipped)
    table = read_table(out)
    final = table.filter(pl.col("final"))
    assert len(final) == counts["queries"] == 24 - len(skipped)
    assert final["prompt_tokens"].median() > 1000
    # Our opening has as many tokens as the generators' parameters say.
    assert table["common_prefix_tokens"].filter(table["chunk_index"] > 0).min() >= 27


@pytest.mark.parametrize("name", ["crawler", "anns"])
def test_the_number_of_threads_changes_nothing(repository, word_tokeniser, tmp_path, name, capfd):
    folder, written = repository / "data" / "traces" / f"{name}_sample", []
    for threads in (1, 3):
        path = tmp_path / f"{threads}.parquet"
        read_traces(name, folder, word_tokeniser, 1, path, progress=False, threads=threads)
        written.append(path.read_bytes())
    assert written[0] == written[1]
    assert "tokenise" not in capfd.readouterr().err


def test_the_first_bad_trace_is_named_and_nothing_written(repository, word_tokeniser, tmp_path, refused):
    folder = tmp_path / "crawler_sample"
    folder.mkdir()
    for path in (repository / "data/traces/crawler_sample").glob("query_*.csv"):
        text = path.read_text(encoding="utf-8")
        if path.stem in ("query_9", "query_11"):
            text = text.replace("page_scrape", "page", 1)
        (folder / path.name).write_text(text, encoding="utf-8")
    with refused("query_9.csv: row 2", "unknown type 'page'"):
        read_traces("crawler", folder, word_tokeniser, 1, tmp_path / "x.parquet", progress=False)
    assert not (tmp_path / "x.parquet").exists()
