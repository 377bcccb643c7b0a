"""`coordinator tools`: the contracts of a team's tools."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from coordinator.cli.drawing import WIDEST
from coordinator.cli.figures import counted, money
from coordinator.cli.screen import screen
from coordinator.domain.errors import Invalid
from coordinator.domain.team import Team
from coordinator.domain.tool import Tool
from coordinator.settings import load_settings
from coordinator.workspace import find_workspace, load_team


def tools(
    team: Annotated[
        str | None,
        typer.Argument(metavar="[TEAM]", help="Such as agents:team; by default the workspace's.", show_default=False),
    ] = None,
) -> None:  # fmt: skip
    """Print the contract of every tool of a team."""
    with redirect_stdout(sys.stderr):  # a team's code may print
        found = _team(team)
    console = screen()
    if not found.tools:
        print("This team has no tools.")
    for number, name in enumerate(sorted(found.tools)):
        if number:
            console.print()
        for indent, line in _contract(found.tools[name]):
            _print(console, indent, line)


def _team(name: str | None) -> Team:
    workspace = find_workspace()
    named = name or load_settings(workspace.root).team
    if named is None:
        raise Invalid(
            "no team is named",
            code="usage",
            hint=f"name one, such as agents:team, here or as team in {workspace.marker}",
        )
    return load_team(named, workspace)


def _contract(tool: Tool[Any]) -> Iterator[tuple[int, Text]]:
    contract = tool.contract
    facts = [
        f"version {contract.version}",
        f"effect {contract.effect}{' (needs a person)' if contract.effect.needs_person else ''}",
        counted(len(tool.tiers), "tier"),
        f"timeout {contract.timeout:g} s",
        f"{money(contract.price)} a call" if contract.price else "free",
    ]
    yield 0, Text(tool.name, "bold") + Text("".join(f" · {fact}" for fact in facts), "dim")
    if contract.description:
        yield 2, Text(contract.description)
    yield from ((4, Text(argument)) for argument in _arguments(contract.arguments.model_json_schema()))
    if len(tool.tiers) > 1:
        yield 4, Text(f"when it is down: {', then '.join(tier.function.__name__ for tier in tool.tiers[1:])}", "dim")
    codes = sorted(set(contract.errors.values()))
    if codes:
        yield 4, Text(f"error codes: {', '.join(codes)}", "dim")


def _arguments(schema: Mapping[str, Any]) -> Iterator[str]:
    for name, shape in schema.get("properties", {}).items():
        optional = "" if name in schema.get("required", ()) else ", optional"
        told = f": {shape['description']}" if "description" in shape else ""
        yield f"{name} ({_kind(shape, schema.get('$defs', {}))}{optional}){told}"


def _kind(shape: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """Return the type of an argument in a few words."""
    if "$ref" in shape:
        return _kind(definitions[shape["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in shape:
        kinds = [_kind(one, definitions) for one in shape["anyOf"] if one.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if "const" in shape:
        return str(shape["const"])
    if "enum" in shape:
        return " | ".join(map(str, shape["enum"]))
    kind = str(shape.get("type", "any"))
    return f"{kind} {shape['pattern']}" if "pattern" in shape else kind


def _print(console: Console, indent: int, text: Text) -> None:
    width = min(console.width, WIDEST) if console.is_terminal else None
    shown = Padding(text, (0, 0, 0, indent)) if width else Text(" " * indent) + text
    console.print(shown, width=width, soft_wrap=width is None, highlight=False)
