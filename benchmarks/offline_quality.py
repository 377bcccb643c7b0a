"""How often the offline model finds what documents say, and how often it claims what they do not.

Over the documentation of anyio, structlog and click, read from their source distributions at bench time, it asks
questions that the documents answer, near misses (their own field, but not answered), questions of another field, and
questions for another of the three. A reply is right when it quotes words that answer; a claim is false when it says
*found* for what is not there.
"""

import re
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import orjson
from offline_questions import CORPORA, OFF_DOMAIN, Corpus
from pydantic import BaseModel, Field

from coordinator.domain.choice import Choice
from coordinator.domain.content import Message, Origin, StopReason, Text, ToolResult
from coordinator.domain.model import ModelReply, ModelRequest, OutputSpec, ToolSpec
from coordinator.models.offline import answer
from coordinator.toolbox.folder import Folder
from coordinator.toolbox.knowledge import Knowledge, build

MOST_TURNS = 8
DOCUMENT_SUFFIXES = frozenset({".md", ".rst", ".txt"})
RECALL_AT_LEAST, FALSE_AT_MOST = 0.6, 0.05


class Confidence(Choice):
    """How much the sources say."""

    FOUND = "found", "The sources answer the request."
    POSSIBLY = "possibly", "The sources are related, but part of the request is not in them."
    NOTHING = "nothing", "The sources say nothing about the request."


class Fact(BaseModel):
    """One thing that a source says."""

    statement: str = Field(description="What the source says, in plain words.")
    quote: str = Field(description="The words quoted from the passage, verbatim.")
    source: str = Field(description="The source, as its passage names it.")
    line: int | None = Field(default=None, description="The line of the passage.")


class Findings(BaseModel):
    """What was found about a request."""

    facts: list[Fact] = Field(description="What the sources say.")
    gaps: list[str] = Field(description="What the sources do not answer.")
    confidence: Confidence = Field(description="How well the sources answer the request.")


FINDINGS = OutputSpec.of("findings", Findings.model_json_schema())
SEARCH = ToolSpec.of(
    "search_documents",
    "Search the documents for passages. Only reads.",
    {
        "type": "object",
        "properties": {"query": {"type": "string", "description": "What to look for."}},
        "required": ["query"],
    },
)


def download(folder: Path) -> None:
    """Download the source distributions into *folder*, or end the bench with one line that says why not."""
    names = [corpus.package for corpus in CORPORA]
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--no-binary",
        ":all:",
        "--dest",
        str(folder),
        *names,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        print(f"offline quality: not measured, the source distributions could not be downloaded ({reason})")
        sys.exit(0)


def documents(archive: Path, folder: Path) -> None:
    """Write the documentation in *archive* to *folder*; members are read, never extracted."""
    with tarfile.open(archive) as found:
        for member in found:
            path = PurePosixPath(member.name)
            if member.isfile() and path.suffix in DOCUMENT_SUFFIXES and "docs" in path.parts[1:-1]:
                content = found.extractfile(member)
                if content is not None:
                    (folder / path.name).write_bytes(content.read())


def ask(question: str, knowledge: Knowledge, output: OutputSpec | None, taken: list[float]) -> tuple[ModelReply, int]:
    """Play the loop of one agent with one search tool; return its last reply and the calls it made."""
    messages = [Message("system", (Text("Find what the documents say."),)), Message("user", (Text(question),))]
    calls = 0
    for _ in range(MOST_TURNS):
        begin = time.perf_counter()
        reply = answer(ModelRequest(tuple(messages), (SEARCH,), output, max_output_tokens=4000))
        taken.append(time.perf_counter() - begin)
        if reply.stop is not StopReason.TOOL_USE:
            return reply, calls
        calls += len(reply.tool_uses)
        messages.append(Message("assistant", reply.tool_uses))
        messages.append(
            Message("tool", tuple(_result(use.id, use.name, knowledge, use.arguments) for use in reply.tool_uses))
        )
    raise RuntimeError(f"no answer to {question!r} in {MOST_TURNS} turns")


def _result(identity: str, name: str, knowledge: Knowledge, arguments: str) -> ToolResult:
    found = [section.model_dump() for section in knowledge.search(orjson.loads(arguments)["query"])]
    return ToolResult(identity, name, orjson.dumps({"status": "ok", "result": found}).decode(), Origin("tool", name))


def findings(question: str, knowledge: Knowledge, taken: list[float]) -> tuple[dict[str, Any], int]:
    """Return the findings about *question* as plain values, and the calls they took."""
    reply, calls = ask(question, knowledge, FINDINGS, taken)
    return orjson.loads(reply.text), calls


def judge(corpus: Corpus, knowledge: Knowledge, taken: list[float]) -> Iterator[tuple[str, str, bool, bool, int]]:
    """Yield question, band, whether the findings and whether the reply hold the answer, and the calls."""
    for question, pattern in corpus.answered:
        found, calls = findings(question, knowledge, taken)
        quoted = " ".join(" ".join(fact["quote"].split()) for fact in found["facts"])
        reply, _ = ask(question, knowledge, None, taken)
        said = [bool(re.search(pattern, text, re.I | re.S)) for text in (quoted, reply.text)]
        yield question, found["confidence"], said[0], said[1], calls


def bands(questions: tuple[str, ...], knowledge: Knowledge, taken: list[float]) -> list[str]:
    """Return the band of every question."""
    return [findings(question, knowledge, taken)[0]["confidence"] for question in questions]


def report(corpora: list[tuple[Corpus, Knowledge]], *, verbose: bool) -> None:
    """Print the figures of every corpus and of all together."""
    taken: list[float] = []
    hits: list[tuple[str, str, bool, bool, int]] = []
    near: list[str] = []
    cross: list[str] = []
    off: list[str] = []
    for corpus, knowledge in corpora:
        judged = list(judge(corpus, knowledge, taken))
        missed = bands(corpus.near_misses, knowledge, taken)
        print(
            f"{corpus.package}: answer quoted {_share([hit[2] for hit in judged])},"
            f" in the reply {_share([hit[3] for hit in judged])},"
            f" said found {_share([hit[1] == 'found' for hit in judged])},"
            f" near misses said found {_found(missed)}"
        )
        if verbose:
            _details(judged, list(zip(corpus.near_misses, missed, strict=True)))
        hits, near, off = hits + judged, near + missed, off + bands(OFF_DOMAIN, knowledge, taken)
        others = tuple(question for other, _ in corpora if other is not corpus for question, _ in other.answered)
        cross += bands(others, knowledge, taken)
    _summary(hits, near, cross, off, taken)


def _details(judged: list[tuple[str, str, bool, bool, int]], missed: list[tuple[str, str]]) -> None:
    for question, band, quoted, replied, calls in judged:
        print(f"  {band:9} quoted={quoted!s:5} reply={replied!s:5} calls={calls}  {question}")
    for question, band in missed:
        print(f"  {band:9} near miss                            {question}")


def _summary(hits: list[Any], near: list[str], cross: list[str], off: list[str], taken: list[float]) -> None:
    recall = sum(hit[2] for hit in hits) / len(hits)
    false = sum(band == "found" for band in near) / len(near)
    found = [hit for hit in hits if hit[1] == "found"]
    print(
        f"hit rate: {_share([hit[2] for hit in hits])} quoted, {_share([hit[3] for hit in hits])} in the reply;"
        f" of those said found {_share([hit[2] for hit in found])}"
    )
    print(f"false answers: near misses {_found(near)}, off domain {_found(off)}, across {_found(cross)}")
    verdict = "within" if recall >= RECALL_AT_LEAST and false <= FALSE_AT_MOST else "OUTSIDE"
    print(
        f"{statistics.mean(hit[4] for hit in hits):.1f} searches a question; a model reply takes"
        f" {1000 * statistics.median(taken):.1f} ms (median), {1000 * max(taken):.0f} ms at most;"
        f" {verdict} the limits (hit rate {RECALL_AT_LEAST}, false {FALSE_AT_MOST})"
    )


def _found(found: list[str]) -> str:
    return _share([band == "found" for band in found])


def _share(outcomes: list[bool]) -> str:
    return f"{sum(outcomes)}/{len(outcomes)}"


def main() -> None:
    """Download, index, ask, print; `-v` lists every question."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        download(folder)
        corpora = []
        for corpus in CORPORA:
            target = folder / corpus.package
            target.mkdir()
            documents(next(folder.glob(f"{corpus.package}-*.tar.gz")), target)
            corpora.append((corpus, Knowledge(build(Folder(target)))))
        report(corpora, verbose="-v" in sys.argv)


if __name__ == "__main__":
    main()
