"""Small traces in the published file formats, with real text, so that readers and tokenisers have work."""

import csv
import io
import json
from pathlib import Path

import numpy as np

from headrace.files import write_text
from headrace.workload.anns import QUERY_MAP
from headrace.workload.arrivals import generator
from headrace.workload.crawler import PAGE, SEARCH
from headrace.workload.prose import QUESTIONS, SENTENCES

QUERIES = 24
TOPICS = tuple(SENTENCES)
CORPUS_DOCUMENTS = 120
DOCUMENTS_PER_POOL = 5
EMPTY_PAGE_QUERY, QUERY_WITHOUT_CONTENT = 5, 17


def write_samples(folder: Path, seed: int = 2604) -> None:
    """Write `folder`/crawler_sample and `folder`/anns_sample, 24 queries each, about 1 MB of text.

    Crawler query 17 has no content column, as some published ones, and one page of query 5 is empty.
    Structure and times resemble the published ones; for studies use the generators.
    """
    _write_crawler(Path(folder) / "crawler_sample", generator(seed, 0, "crawler sample"))
    _write_anns(Path(folder) / "anns_sample", generator(seed, 0, "anns sample"))


def _write_crawler(folder: Path, rng: np.random.Generator) -> None:
    for query_id in range(QUERIES):
        topic, query = _question(query_id)
        pages = int(rng.integers(1, 12))
        starts = np.cumsum([0, rng.uniform(0.9, 3.0), *rng.exponential(0.9, pages - 1)])
        ends = np.append(starts[1], starts[1] + np.cumsum(rng.exponential(1.0, pages)))
        rows = []
        for index, (start, end) in enumerate(zip(starts, ends, strict=True)):
            content = "" if index == 0 else _text(rng, topic, rng.lognormal(3.2, 0.9))
            if (query_id, index) == (EMPTY_PAGE_QUERY, 1):
                content = ""
            kind = PAGE if index else SEARCH
            rows.append([kind, query, f"{min(start, end):.6f}", f"{end:.6f}", content])
        header = ["type", "query", "startTime", "endTime", "content"]
        if query_id == QUERY_WITHOUT_CONTENT:
            header, rows = header[:-1], [row[:-1] for row in rows]
        _write_csv(folder / f"query_{query_id}.csv", header, rows)


def _write_anns(folder: Path, rng: np.random.Generator) -> None:
    corpus = {
        str(document): _text(rng, TOPICS[document % len(TOPICS)], rng.lognormal(3.6, 0.6))
        for document in range(CORPUS_DOCUMENTS)
    }
    _write_json(folder / "retrieved_corpus_content.part.0.json", corpus)
    queries = {}
    for query_id in range(QUERIES):
        topic, query = _question(query_id)
        near = np.arange(TOPICS.index(topic), CORPUS_DOCUMENTS, len(TOPICS))
        windows = [*rng.lognormal(3.5, 1.4, int(rng.integers(0, 7))), rng.uniform(2000, 5000)]
        ends = np.cumsum(np.ceil(np.multiply(windows, 1000))).astype(int)
        pool, rows = rng.permutation(near)[:DOCUMENTS_PER_POOL], []
        for start, end in zip([0, *ends[:-1]], ends, strict=True):
            rows.append([start, end, "({})".format(",".join(map(str, pool.tolist())))])
            place = int(rng.integers(DOCUMENTS_PER_POOL))
            better = rng.choice(np.setdiff1d(near, pool))
            pool = np.insert(pool, place, better)[:DOCUMENTS_PER_POOL]
        name = f"q{query_id:04d}_pipeline_trace.csv"
        _write_csv(folder / name, ["StartTime_us", "EndTime_us", "PipelinePool"], rows)
        queries[str(query_id)] = {"query": query, "trace_file": name}
    _write_json(folder / QUERY_MAP, queries)


def _question(query_id: int) -> tuple[str, str]:
    topic = TOPICS[query_id % len(TOPICS)]
    return topic, QUESTIONS[topic][query_id // len(TOPICS)]


def _text(rng: np.random.Generator, topic: str, sentences: float) -> str:
    """Paragraphs of about so many sentences: mostly of the topic, some from all of them."""
    everything = [sentence for each in SENTENCES.values() for sentence in each]
    paragraphs = [f"Notes on {topic}, part {rng.integers(1, 1000)}"]
    left = max(int(sentences), 1)
    while left > 0:
        length = min(int(rng.integers(3, 8)), left)
        left -= length
        near = [*SENTENCES[topic], *rng.choice(everything, 5).tolist()]
        paragraphs.append(" ".join(rng.choice(near, length, replace=False).tolist()))
    return "\n\n".join(paragraphs)


def _write_csv(path: Path, header: list[str], rows: list[list]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_text(path, text.getvalue())


def _write_json(path: Path, value: dict) -> None:
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")
