"""How long it takes to index and search a folder of 10,000 files: `python benchmarks/files_index.py [FILES]`.

The files are made here, from a fixed seed, with about 10 kB of text each in sections; the figure that matters is the
bound of 15 seconds, the aim is 3.
"""

import random
import resource
import sys
import tempfile
import time
from pathlib import Path

from coordinator.toolbox.files import Files
from coordinator.toolbox.folder import Folder

FILES = 10_000
WORDS_PER_FILE = 1_500
QUERIES = ("how do I limit the rate of requests", "getUserName timeout", "what is the dress code?", "w17 w4711 w23")


def main(files: int) -> None:
    """Make *files* files, index them, ask a few questions, print the figures."""
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        size = write(root, files)
        before = peak_mb()
        searched = Files(Folder(root))
        told = searched.index(time.perf_counter)
        print(f"{told} ({size / 1e6:.0f} MB of text, +{peak_mb() - before:.0f} MB of memory)")
        for query in QUERIES:
            started = time.perf_counter()
            found = searched.search(query)
            print(f"  {(time.perf_counter() - started) * 1e3:5.0f} ms  {len(found)} passages for {query!r}")
        searched.close()


def write(root: Path, files: int) -> int:
    """Write *files* Markdown files in folders of a hundred, and return their bytes."""
    rng = random.Random(1)
    words = [f"w{number}" for number in range(20_000)] + ["getUserName", "rate", "limit", "requests", "timeout", "code"]
    total = 0
    for number in range(files):
        folder = root / f"part-{number // 100:03}"
        folder.mkdir(exist_ok=True)
        picked = [words[int(len(words) * rng.random() ** 2)] for _ in range(WORDS_PER_FILE)]
        sections = [" ".join(picked[at : at + 100]) for at in range(0, WORDS_PER_FILE, 100)]
        text = f"# Document {number}\n" + "".join(f"\n## Section {at}\n\n{s}.\n" for at, s in enumerate(sections))
        total += (folder / f"document-{number}.md").write_text(text)
    return total


def peak_mb() -> float:
    """Return the most memory this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else FILES)
