"""Every example in the documents is a whole script that prints what stands below it, and every link leads somewhere."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from coordinator.scenario.document import read_document
from coordinator.scenario.file import ScenarioFile
from coordinator.settings import Settings

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]

FENCE = re.compile(r"^(`{3,})(\w*)\n(.*?)^\1$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]\n]+\]\(([^)\s]+)\)|<img src=\"([^\"]+)\"")
HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)

pytestmark = pytest.mark.real_time  # examples own their event loops, as a user's scripts do


@dataclass(frozen=True)
class Block:
    """A fenced block of a document."""

    path: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}"


def blocks(path: Path) -> Iterator[Block]:
    document = path.read_text(encoding="utf-8")
    for found in FENCE.finditer(document):
        yield Block(path, document.count("\n", 0, found.start()) + 1, found[2], found[3])


def examples(path: Path) -> Iterator[tuple[Block, str]]:
    """Yield every script of a document with what the next block says that it prints."""
    for block, following in pairwise([*blocks(path), None]):
        if block and block.language == "python":
            assert following, f"{block} has no block below it that tells what it prints"
            assert following.language == "text", f"{block} has no ```text block that tells what it prints"
            yield block, following.text


def in_language(language: str) -> list[Block]:
    return [block for path in DOCUMENTS for block in blocks(path) if block.language == language]


def run(block: Block) -> None:
    # Blank lines in front, so that a traceback names the line of the document.
    code = compile("\n" * block.line + block.text, str(block.path), "exec")
    exec(code, {"__name__": "__main__"})


EXAMPLES = [example for path in DOCUMENTS for example in examples(path)]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Stand where an example is run; whatever it imports from there is forgotten afterwards."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    known = set(sys.modules)

    def stand(path: Path) -> None:
        monkeypatch.chdir(ROOT if path.parent == ROOT else tmp_path)

    yield stand
    for name in set(sys.modules) - known:
        if str(getattr(sys.modules[name], "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.mark.parametrize(("script", "printed"), EXAMPLES, ids=[str(script) for script, _ in EXAMPLES])
def test_an_example_prints_what_stands_below_it(script, printed, place, capsys):
    place(script.path)
    run(script)
    assert capsys.readouterr().out.rstrip() == printed.rstrip()


@pytest.mark.parametrize("path", sorted((ROOT / "docs" / "patterns").glob("*.md")), ids=lambda path: path.stem)
def test_a_pattern_says_when_to_use_it_and_when_not_and_has_one_script(path):
    text = path.read_text(encoding="utf-8")
    assert "**Use it when**" in text
    assert "**Do not when**" in text
    assert len(list(examples(path))) == 1


def test_the_team_of_the_readme_has_fifteen_lines():
    script, _ = next(examples(ROOT / "README.md"))
    assert len([line for line in script.text.splitlines() if line.strip()]) == 15


def _told(output: str) -> str:
    """Return *output* without what differs from run to run and from screen to screen."""
    return " ".join(re.sub(r"<?\d+(\.\d+)? m?s\b|r-[0-9a-f]+", "…", output).split())


def test_the_readme_shows_what_make_run_prints():
    recipe = re.search(
        r"^run:.*\n\t@\$\(BIN\)/coordinator (.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M
    )
    assert recipe
    command = [sys.executable, "-m", "coordinator", *recipe[1].split()]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, encoding="utf-8").stdout
    shown = next(block for block in blocks(ROOT / "README.md") if block.language == "text")
    assert _told(printed) in _told(shown.text)


@pytest.mark.parametrize("block", in_language("yaml"), ids=str)
def test_every_scenario_in_the_documents_is_one(block, tmp_path):
    file = tmp_path / "scenario.yaml"
    file.write_text(block.text, encoding="utf-8")
    ScenarioFile.model_validate(read_document(file).values)


@pytest.mark.parametrize("block", in_language("toml"), ids=str)
def test_all_settings_in_the_documents_are_settings(block):
    Settings(**tomllib.loads(block.text))


def _slug(heading: str) -> str:
    """Return the anchor of a heading, as GitHub and most renderers write it."""
    return re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).strip().replace(" ", "-")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_between_documents_leads_somewhere(path):
    prose = FENCE.sub("", path.read_text(encoding="utf-8"))
    broken = []
    for target in (link or image for link, image in LINK.findall(prose)):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        found = there.exists() and (not anchor or anchor in map(_slug, HEADING.findall(there.read_text("utf-8"))))
        if not found:
            broken.append(target)
    assert broken == []
