"""How often the offline model finds what documents say, and how often it claims what they do not.

Over the documentation of open projects, read from their source distributions at bench time, it asks questions that the
documents answer, near misses (their own field, but not answered), questions of another field, and questions for another
project. A reply is right when it quotes words that answer; a claim is false when it says *found* for what is not there.

The projects are in groups: development (studied while the rules were chosen), validation (failures were looked at) and
two tests (nobody looked): only these say what to expect of documents that nobody has seen.
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

import offline_held_out
import offline_questions
import offline_second_test
import orjson
from offline_questions import Corpus
from pydantic import BaseModel, Field

from coordinator.domain.choice import Choice
from coordinator.domain.content import Message, Origin, StopReason, Text, ToolResult
from coordinator.domain.model import ModelReply, ModelRequest, OutputSpec, ToolSpec
from coordinator.models.offline import answer
from coordinator.toolbox.folder import Folder
from coordinator.toolbox.knowledge import Knowledge, build

MOST_TURNS = 8
DOCUMENT_SUFFIXES = frozenset({".md", ".rst", ".txt"})
DOCUMENT_FOLDERS = frozenset({"doc", "docs"})
RECALL_AT_LEAST, FALSE_AT_MOST = 0.6, 0.05

GROUPS = (
    ("development", offline_questions.DEVELOPMENT, offline_questions.OTHER_FIELDS),
    ("held out, validation", offline_held_out.VALIDATION, offline_held_out.OTHER_FIELDS),
    ("held out, test", offline_held_out.TEST, offline_held_out.OTHER_FIELDS),
    ("held out, second test", offline_second_test.SECOND_TEST, offline_held_out.OTHER_FIELDS),
)


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


def download(packages: list[str], folder: Path) -> str:
    """Download the source distributions of *packages* into *folder*; return why that was impossible, or nothing."""
    options = ["--quiet", "--no-deps", "--no-binary", ":all:", "--dest", str(folder)]
    command = [sys.executable, "-m", "pip", "download", *options, *packages]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stderr.strip().splitlines() or ["no reason given"])[-1] if done.returncode else ""


def documents(archive: Path, folder: Path) -> None:
    """Write the documentation in *archive* to *folder*; members are read, never extracted."""
    with tarfile.open(archive) as found:
        for member in found:
            path = PurePosixPath(member.name)
            root = next((part for part in path.parts[1:-1] if part in DOCUMENT_FOLDERS), None)
            if root is None or ".." in path.parts or path.suffix not in DOCUMENT_SUFFIXES or not member.isfile():
                continue
            content = found.extractfile(member)
            target = folder.joinpath(*path.parts[path.parts.index(root) + 1 :])
            if content is not None:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content.read())


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


def report(name: str, corpora: list[tuple[Corpus, Knowledge]], other_fields: tuple[str, ...], *, verbose: bool) -> None:
    """Print the figures of the group *name*, of every corpus in it and of all together."""
    taken: list[float] = []
    hits: list[tuple[str, str, bool, bool, int]] = []
    near: list[str] = []
    cross: list[str] = []
    off: list[str] = []
    print(f"{name}:")
    for corpus, knowledge in corpora:
        judged = list(judge(corpus, knowledge, taken))
        missed = bands(corpus.near_misses, knowledge, taken)
        print(
            f"  {corpus.package}: answer quoted {_share([hit[2] for hit in judged])},"
            f" in the reply {_share([hit[3] for hit in judged])},"
            f" said found {_share([hit[1] == 'found' for hit in judged])},"
            f" near misses said found {_found(missed)}"
        )
        if verbose:
            _details(judged, list(zip(corpus.near_misses, missed, strict=True)))
        hits, near, off = hits + judged, near + missed, off + bands(other_fields, knowledge, taken)
        cross += bands(tuple(_foreign(corpus, [other for other, _ in corpora])), knowledge, taken)
    _summary(hits, near, cross, off, taken)


def _foreign(corpus: Corpus, corpora: list[Corpus]) -> Iterator[str]:
    """Yield the questions that only the others answer."""
    for other in corpora:
        if other is not corpus:
            yield from (question for question, _ in other.answered if question not in other.shared)


def _details(judged: list[tuple[str, str, bool, bool, int]], missed: list[tuple[str, str]]) -> None:
    for question, band, quoted, replied, calls in judged:
        print(f"    {band:9} quoted={quoted!s:5} reply={replied!s:5} calls={calls}  {question}")
    for question, band in missed:
        print(f"    {band:9} near miss                            {question}")


def _summary(hits: list[Any], near: list[str], cross: list[str], off: list[str], taken: list[float]) -> None:
    recall = sum(hit[2] for hit in hits) / len(hits)
    false = sum(band == "found" for band in near) / len(near)
    found = [hit for hit in hits if hit[1] == "found"]
    verdict = "within" if recall >= RECALL_AT_LEAST and false <= FALSE_AT_MOST else "OUTSIDE"
    print(
        f"  hit rate: {_share([hit[2] for hit in hits])} quoted, {_share([hit[3] for hit in hits])} in the reply;"
        f" of those said found {_share([hit[2] for hit in found])}"
    )
    print(
        f"  false answers: near misses {_found(near)}, other fields {_found(off)}, other projects {_found(cross)}:"
        f" {verdict} the limits (hit rate {RECALL_AT_LEAST}, near misses {FALSE_AT_MOST})"
    )
    print(
        f"  {statistics.mean(hit[4] for hit in hits):.1f} searches a question; a model reply takes"
        f" {1000 * statistics.median(taken):.1f} ms (median), {1000 * max(taken):.0f} ms at most"
    )


def _found(found: list[str]) -> str:
    return _share([band == "found" for band in found])


def _share(outcomes: list[bool]) -> str:
    share = sum(outcomes) / len(outcomes) if outcomes else 0.0
    return f"{sum(outcomes)}/{len(outcomes)} ({share:.0%})"


def measured(corpora: tuple[Corpus, ...], folder: Path) -> Iterator[tuple[Corpus, Knowledge]]:
    """Yield each of *corpora* with an index over the documentation that was downloaded to *folder*."""
    for corpus in corpora:
        target = folder / corpus.package
        target.mkdir()
        documents(next(folder.glob(f"{corpus.package}-*.tar.gz")), target)
        yield corpus, Knowledge(build(Folder(target)))


def main() -> None:
    """Measure every group, or those named on the command line; `-v` lists the questions of all but the tests."""
    named = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    groups = [group for group in GROUPS if not named or any(word in group[0] for word in named)]
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root)
        if failure := download([corpus.package for _, corpora, _ in groups for corpus in corpora], folder):
            print(f"offline quality: not measured, the source distributions could not be downloaded ({failure})")
            return
        for name, corpora, other_fields in groups:
            asked = list(measured(corpora, folder))
            report(name, asked, other_fields, verbose="-v" in sys.argv and "test" not in name)


if __name__ == "__main__":
    main()
