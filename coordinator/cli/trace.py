"""`coordinator trace`: what a run did, from the file that it left behind."""

import os
from pathlib import Path
from typing import Annotated

import typer

from coordinator.cli.pages import write_page
from coordinator.cli.screen import screen
from coordinator.domain.errors import Invalid
from coordinator.telemetry import run_files
from coordinator.telemetry.run_files import LAST, Record
from coordinator.workspace import find_workspace


def trace(
    run: Annotated[
        str, typer.Argument(metavar="[RUN]", help="Its id, the beginning of it, last, or a file of events.")
    ] = LAST,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a page with a timeline to FILE instead.")
    ] = None,
) -> None:
    """Print the tree of a run with time, money, retries and refusals.

    Runs are those that `coordinator run` has recorded in .coordinator/runs of the workspace.
    """
    # Imported here, so that no other command waits for it.
    from coordinator.cli.story import print_story  # noqa: PLC0415 - see above
    from coordinator.telemetry.story import tell  # noqa: PLC0415 - see above
    from coordinator.telemetry.trace_page import page_of  # noqa: PLC0415 - see above

    story = tell(_record(run))
    if html is None:
        print_story(story, screen())
        return
    write_page(html, page_of(story))
    print(f"{story.tree.run_id}: {story.headline()}; the page is in {html}")


def _record(asked: str) -> Record:
    path = Path(asked)
    if path.is_file() or path.suffix == run_files.SUFFIX or os.sep in asked:
        return run_files.read(path)
    try:
        root = find_workspace().root
    except Invalid as error:
        hint = "stand in a workspace, or name the file that `coordinator run --events FILE` has written"
        raise Invalid(error.message, code=error.code, hint=hint) from None
    return run_files.read(run_files.find(root / run_files.FOLDER, asked))
