"""Retrieval that streams pages into a prompt: the model reads them while others are still looked for.

    python docs/examples/retrieval.py --url http://localhost:8000 --pages FOLDER "Who dug the mill race?"

Two rankings of the text files in FOLDER stand in for a search engine: a quick one that reads file by file,
and a better one once all are known. `answer` is what to copy; give it rankings of your own.
"""

import argparse
import asyncio
import math
import os
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

from headrace.streams import Client

INSTRUCTION = "Answer the question at the end from these pages.\n\n"


async def answer(client: Client, question: str, rankings: AsyncIterator[list[str]], **sampling) -> str:
    """Answer from pages as they come; each ranking is the pages found so far, best first."""
    sent: list[str] = []
    async with client.stream(**sampling) as stream:
        await stream.append(INSTRUCTION)
        async for ranking in rankings:
            if ranking[: len(sent)] == sent:  # only more of them: what was computed stays
                await stream.append("".join(page + "\n\n" for page in ranking[len(sent) :]))
            else:  # another order: it stays computed up to the first page that moved
                await stream.update(INSTRUCTION + "".join(page + "\n\n" for page in ranking))
            sent = ranking
        text = []
        async for token in stream.finish(f"Question: {question}\nAnswer:"):
            print(token.text, end="", flush=True)
            text.append(token.text)
        print()
    report = stream.report
    waited_s = report["first_token_s"] - report["handed_over_s"]
    print(f"{report['prompt_tokens']} prompt tokens in {report['chunks']} chunks,", end=" ")
    print(f"{report['invalidated_tokens']} computed in vain, first token after {waited_s:.3f} s")
    return "".join(text)


async def rankings(question: str, folder: Path, best: int = 8) -> AsyncIterator[list[str]]:
    """Pages that share a word with the question, as they are read; at last the `best` by rare words."""
    words = set(question.lower().split())
    found: list[tuple[str, Counter]] = []
    for path in sorted(folder.glob("*.txt")):
        page = await asyncio.to_thread(path.read_text, encoding="utf-8")
        counts = Counter(page.lower().split())
        if words & counts.keys():
            found.append((page, counts))
            if len(found) <= best:
                yield [page for page, _ in found]
    pages_with = {word: sum(word in counts for _, counts in found) for word in words}

    def score(counts: Counter) -> float:
        return sum(
            counts[word] * math.log(1 + len(found) / pages_with[word]) for word in words & counts.keys()
        )

    ranked = sorted(found, key=lambda page: -score(page[1]))
    yield [page for page, _ in ranked[:best]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("question")
    parser.add_argument("--pages", type=Path, required=True, help="folder of text files")
    parser.add_argument("--url", default="http://localhost:8000", help="the server")
    parser.add_argument("--max-tokens", type=int, default=128)
    given = parser.parse_args()
    client = Client(given.url, api_key=os.environ.get("VLLM_API_KEY"))
    found = rankings(given.question, given.pages)
    asyncio.run(answer(client, given.question, found, max_tokens=given.max_tokens, temperature=0))


if __name__ == "__main__":
    main()
