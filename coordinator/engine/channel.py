"""Inboxes of a run: how briefs travel to members and reports come back."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from coordinator.domain.briefs import Report
from coordinator.domain.calls import DelegationCall
from coordinator.domain.errors import Invalid
from coordinator.domain.team import Agent
from coordinator.engine.slots import Place, Slots

INBOX_SIZE = 16

Perform = Callable[[DelegationCall, Place], Coroutine[Any, Any, Report[Any]]]


class Envelope:
    """A brief on its way to a member, with the place where its report is awaited."""

    __slots__ = ("call", "reply", "task")

    def __init__(self, call: DelegationCall, reply: asyncio.Future[Report[Any]]) -> None:
        self.call = call
        self.reply = reply
        self.task: asyncio.Task[Report[Any]] | None = None


class Inbox:
    """One member's bounded inbox in one run; an idle member owns no task."""

    __slots__ = ("incoming", "outgoing", "receiving", "slots")

    def __init__(self, member: Agent[Any]) -> None:
        self.outgoing: MemoryObjectSendStream[Envelope]
        self.incoming: MemoryObjectReceiveStream[Envelope]
        self.outgoing, self.incoming = anyio.create_memory_object_stream[Envelope](INBOX_SIZE)
        self.slots = Slots(member.parallel)
        self.receiving = False


class Channels:
    """All inboxes of one run; every task they start belongs to the run's task group.

    Args:
        tasks: the run's task group.
        perform: carries out one brief and always returns a report.
    """

    __slots__ = ("_inboxes", "_perform", "_tasks", "_working")

    def __init__(self, tasks: asyncio.TaskGroup, perform: Perform) -> None:
        self._tasks = tasks
        self._perform = perform
        self._inboxes: dict[str, Inbox] = {}
        self._working: dict[asyncio.Task[Report[Any]], None] = {}

    async def deliver(self, call: DelegationCall) -> Report[Any]:
        """Put the brief into the member's inbox and await the report; a cancelled sender cancels the work."""
        inbox = self._inbox(call)
        envelope = Envelope(call, asyncio.get_running_loop().create_future())
        try:
            inbox.outgoing.send_nowait(envelope)
        except anyio.WouldBlock:
            await inbox.outgoing.send(envelope)
        if not inbox.receiving:
            inbox.receiving = True
            self._tasks.create_task(self._receive(inbox))
        try:
            return await envelope.reply
        except asyncio.CancelledError:
            if envelope.task is not None:
                envelope.task.cancel()
            raise

    def close(self) -> None:
        """Close every inbox and cancel what still works: reports that nobody awaits are dropped."""
        for inbox in self._inboxes.values():
            inbox.outgoing.close()
            inbox.incoming.close()
        for task in self._working:
            task.cancel()

    def _inbox(self, call: DelegationCall) -> Inbox:
        inbox = self._inboxes.get(call.name)
        if inbox is None:
            if call.member is None:
                raise Invalid(f"there is no member named {call.name}", code="unknown_member")
            inbox = self._inboxes[call.name] = Inbox(call.member)
        return inbox

    async def _receive(self, inbox: Inbox) -> None:
        """Start a child task for each envelope that waits; end when the inbox is empty."""
        try:
            while await self._admit(inbox):
                pass
        finally:
            inbox.receiving = False

    async def _admit(self, inbox: Inbox) -> bool:
        if not inbox.slots.try_take():
            await inbox.slots.take()
        try:
            envelope = inbox.incoming.receive_nowait()
        except (anyio.WouldBlock, anyio.EndOfStream, anyio.ClosedResourceError):
            inbox.slots.give()
            return False
        if envelope.reply.done():  # its sender was cancelled while it waited
            inbox.slots.give()
            return True
        self._start(envelope, Place(inbox.slots))
        return True

    def _start(self, envelope: Envelope, place: Place) -> None:
        task = self._tasks.create_task(self._perform(envelope.call, place))
        envelope.task = task
        self._working[task] = None

        # A callback, not a `finally` inside the task: a task cancelled before its first step never enters its body.
        def finished(done: asyncio.Task[Report[Any]]) -> None:
            del self._working[done]
            place.leave()
            if not envelope.reply.done():
                envelope.reply.set_result(_cancelled(envelope.call) if done.cancelled() else done.result())

        task.add_done_callback(finished)


def _cancelled(call: DelegationCall) -> Report[Any]:
    return Report(call.name, call.step, "failed", code="cancelled", message=f"{call.name} was cancelled")


async def deliver(call: DelegationCall) -> Report[Any]:
    """Core of the delegation pipeline: hand the call to the channels of its run."""
    return await call.scope.run.own(Channels, _missing).deliver(call)


def _missing() -> Channels:
    raise Invalid("a delegation was made outside a run", code="no_run", hint="delegate through the agent's own context")
