"""`coordinator fake-provider`: a provider that is none, over real sockets, for load tests and for trying out."""

import importlib
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from coordinator.cli.exits import OK
from coordinator.domain.value import value


class Spoken(StrEnum):
    """The protocols that there are."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    GOOGLE = "google"


@value
class Wanted:
    """What the command line asks for."""

    protocol: str
    port: int
    latency: str
    tokens_per_s: float | None
    requests: int | None
    tokens: int | None
    fail: tuple[str, ...]
    bad_day: bool
    faults: Path | None
    tape: Path | None
    record: Path | None
    key: str
    models: tuple[str, ...]
    context: int | None
    seed: int


def fake_provider(
    protocol: Annotated[Spoken, typer.Option(help="What is spoken; openai is both of its protocols.")],
    port: Annotated[int, typer.Option(metavar="N", min=0, max=65535, help="Where to listen; 0 finds a free one.")] = 0,
    latency: Annotated[
        str, typer.Option(metavar="LAW", help="Seconds of every reply, or LEAST,TAIL,MOST, such as 0.4,0.8,30.")
    ] = "0",
    tokens_per_s: Annotated[
        float | None,
        typer.Option(metavar="N", min=1, help="How fast streams are written; at once.", show_default=False),
    ] = None,
    requests: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Requests a minute; any.", show_default=False)
    ] = None,
    tokens: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Tokens a minute; any.", show_default=False)
    ] = None,
    fail: Annotated[
        list[str] | None,
        typer.Option(metavar="WHAT[=SHARE]", help="What goes wrong, and how often, such as html=0.1."),
    ] = None,
    bad_day: Annotated[bool, typer.Option("--bad-day", help="About one request in twelve goes wrong.")] = False,
    faults: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What goes wrong, as under `faults:`.", show_default=False)
    ] = None,
    tape: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Play these replies.", show_default=False)
    ] = None,
    record: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the replies as a tape.", show_default=False)
    ] = None,
    key: Annotated[str, typer.Option(metavar="KEY", help="The only key that is let in.", show_default=False)] = "",
    models: Annotated[
        list[str] | None, typer.Option("--model", metavar="NAME", help="A model that there is; any other is not.")
    ] = None,
    context: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="The most input tokens.", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(metavar="K", help="Of latencies and of what goes wrong.")] = 1,
) -> int:  # fmt: skip
    """Speak a provider's protocol on a port of this machine, in the words of the offline model or of a tape.

    It prints its base URL, accepts any key and any model unless told otherwise, and ends on SIGTERM or SIGINT.
    """
    wanted = Wanted(
        protocol.value, port, latency, tokens_per_s, requests, tokens, tuple(fail or ()), bad_day, faults, tape, record,
        key, tuple(models or ()), context, seed,
    )  # fmt: skip
    faking: Any = importlib.import_module("coordinator.cli.faking")  # it takes time that other commands have not
    faking.serve(wanted)
    return OK
