"""`coordinator init`: a project of one's own to start from."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from coordinator.cli.starter import create_project


def init(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to make; it must be new or empty.")],
    package: Annotated[
        str | None,
        typer.Option("--package", metavar="NAME", help="Put agents and tools inside a package of this name."),
    ] = None,
) -> None:
    """Make a new project out of the reference team."""
    create_project(directory, package)
    home = f"{package}/" if package else ""
    print(f"Made a project in {directory}: {home}agents, {home}tools, scenarios. Next:")
    print()
    if directory.resolve() != Path.cwd():
        print(f"    cd {shlex.quote(str(directory))}")
    print("    coordinator run scenarios/support_ticket.yaml")
    print("    coordinator test")
    print()
    print("Then read README.md there, and change agents and tools into yours.")
