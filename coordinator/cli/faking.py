"""What a fake provider is made of, from what the command line asks for, and its life from start to signal."""

import asyncio
import importlib
import signal
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from coordinator.app.providers import needing_extra
from coordinator.cli.fake_provider import Wanted
from coordinator.cli.open_files import CONNECTIONS, enough_files
from coordinator.domain.errors import Invalid
from coordinator.domain.model import Model
from coordinator.models.fake.faults import FAILURES, WireFault
from coordinator.models.fake.protocols import PROTOCOLS
from coordinator.models.fake.provider import Conduct, Provider
from coordinator.models.fake.tape import Recorder, Tape, read_tape
from coordinator.models.offline import OfflineModel
from coordinator.models.simulated import BAD_DAY, LatencyLaw, Mishap, MishapLaw
from coordinator.scenario.complaints import complaint
from coordinator.scenario.document import nearest, read_document
from coordinator.simulation.chance import Dice

KEPT_WORDS = 50_000
"""Replies that are kept by the digest of their request."""


def serve(wanted: Wanted) -> None:
    """Serve what is *wanted* until a signal ends it.

    Raises:
        Invalid: `usage`, `missing_extra`, `unusable_port`, `bad_tape`, or what is wrong in a file of faults.
    """
    with needing_extra("a fake provider"):
        served: Any = importlib.import_module("coordinator.models.fake.server")
    conduct, dice = _conduct(wanted), Dice(wanted.seed)
    with _words(wanted.tape, wanted.record) as words:
        provider = Provider(PROTOCOLS[wanted.protocol], words, conduct, dice.stream(wanted.protocol), time.time)
        there = served.listen(wanted.port)
        note = enough_files(CONNECTIONS)
        if note:
            print(note, file=sys.stderr)
        asyncio.run(_serve(served.Server(provider), there, provider))


def _conduct(wanted: Wanted) -> Conduct:
    law, rules = _failures(wanted.fail, bad_day=wanted.bad_day)
    told = () if wanted.faults is None else _faults_in(wanted.faults)
    return Conduct(
        wanted.key, wanted.models, wanted.context, _latency(wanted.latency), law, (*told, *rules), wanted.requests,
        wanted.tokens, wanted.tokens_per_s,
    )  # fmt: skip


async def _serve(server: Any, there: socket.socket, provider: Provider) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    await server.start(there)
    protocol = provider.protocol
    url = f"http://127.0.0.1:{there.getsockname()[1]}{protocol.base}"
    print(f"{protocol.name} at {url}: set {protocol.url_variable}={url} {protocol.key_variable}=any", flush=True)
    try:
        await ended.wait()
    finally:
        await server.close()


def _latency(text: str) -> LatencyLaw:
    names = ("least_s", "tail_s", "most_s")
    parts = text.split(",")
    try:
        given = dict(zip(names[: len(parts)], parts, strict=True))
        return LatencyLaw.model_validate({"tail_s": "0", **given})
    except ValueError:
        raise Invalid(
            f"--latency {text!r} is not seconds", code="usage",
            hint="write one number, or the least, the mean of what comes on top, and the most: 0.4,0.8,30",
        ) from None  # fmt: skip


def _failures(given: Sequence[str], *, bad_day: bool) -> tuple[MishapLaw, list[WireFault]]:
    """Return the law of what simulated models do, and the rules for what only a wire can."""
    shares: dict[str, float] = BAD_DAY.model_dump() if bad_day else {}
    rules = []
    for text in given:
        name, _, share = text.partition("=")
        if name not in FAILURES:
            raise Invalid(
                f"--fail {text}: nothing is called {name!r}", code="usage", hint=nearest(name, list(FAILURES))
            )
        try:
            chance = float(share or 1)
            if name in get_args(Mishap):
                shares[name] = chance
            else:
                rules.append(WireFault.model_validate({"fail": name, "chance": chance}))
        except ValueError:
            raise _bad_share(text) from None
    try:
        return MishapLaw.model_validate(shares), rules
    except ValidationError:
        raise _bad_share(", ".join(given)) from None


def _bad_share(text: str) -> Invalid:
    return Invalid(
        f"--fail {text}: the share is not one", code="usage", hint="write a number up to 1, and 1 at most for all"
    )


def _faults_in(path: Path) -> Iterator[WireFault]:
    """Yield the entries of the file at *path* that are about models; those about tools are for the client.

    Raises:
        Invalid: what is wrong, with file and line.
    """
    document = read_document(path, kind=list)
    for place, entry in enumerate(document.values):
        if not (isinstance(entry, dict) and "tool" in entry):
            try:
                yield WireFault.model_validate(entry)
            except ValidationError as error:
                raise complaint(document, error, under=(place,), shape=("faults", place)) from None


@contextmanager
def _words(tape: Path | None, record: Path | None) -> Iterator[Model]:
    words: Model = Tape(read_tape(tape)) if tape is not None else OfflineModel(KEPT_WORDS)
    if record is None:
        yield words
        return
    with record.open("w", encoding="utf-8") as file:
        yield Recorder(words, file)
