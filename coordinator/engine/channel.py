"""Inboxes of a run: how briefs travel to members and reports come back."""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
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

    __slots__ = ("begun", "call", "context", "place", "reply", "task")

    def __init__(self, call: DelegationCall, reply: asyncio.Future[Report[Any]]) -> None:
        self.call = call
        self.reply = reply
        self.task: asyncio.Task[None] | None = None
        self.place: Place | None = None
        """Where its task works."""
        self.context: Context | None = None
        """What the task finds current, where the sender, whose own that is, does not start it."""
        self.begun = False
        """Whether the task has taken its first step; one that is cancelled before that never does."""


class Inbox:
    """One member's bounded inbox in one run; an idle member owns no task."""

    __slots__ = ("incoming", "outgoing", "receiving", "slots")

    outgoing: MemoryObjectSendStream[Envelope]
    incoming: MemoryObjectReceiveStream[Envelope]

    def __init__(self, member: Agent[Any]) -> None:
        # Without [Envelope], which builds a generic alias each time and costs as much as the stream.
        self.outgoing, self.incoming = anyio.create_memory_object_stream(INBOX_SIZE)
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
        self._working: dict[Envelope, None] = {}

    async def deliver(self, call: DelegationCall) -> Report[Any]:
        """Put the brief into the member's inbox and await the report; a cancelled sender cancels the work."""
        inbox = self._inbox(call)
        envelope = Envelope(call, call.scope.run.loop.create_future())
        if inbox.receiving:
            envelope.context = copy_context()
        try:
            try:
                inbox.outgoing.send_nowait(envelope)
            except anyio.WouldBlock:
                await inbox.outgoing.send(envelope)
            if not inbox.receiving and not self._receive_now(inbox):
                inbox.receiving = True
                self._tasks.create_task(self._receive(inbox))
            return await envelope.reply
        except BaseException:
            self._call_off(envelope)
            raise

    def close(self) -> None:
        """Close every inbox and cancel what still works: reports that nobody awaits are dropped."""
        for inbox in self._inboxes.values():
            inbox.outgoing.close()
            inbox.incoming.close()
        for envelope in list(self._working):
            self._call_off(envelope)

    def _inbox(self, call: DelegationCall) -> Inbox:
        inbox = self._inboxes.get(call.name)
        if inbox is None:
            if call.member is None:
                raise Invalid(f"there is no member named {call.name}", code="unknown_member")
            inbox = self._inboxes[call.name] = Inbox(call.member)
        return inbox

    async def _receive(self, inbox: Inbox) -> None:
        """Wait for places and start a child task for each envelope; end when the inbox is empty."""
        try:
            while True:
                await inbox.slots.take()
                if not self._admit(inbox):
                    return
        finally:
            inbox.receiving = False

    def _receive_now(self, inbox: Inbox) -> bool:
        """Start all envelopes for which a place is free; False when some must wait for one, and so for a receiver."""
        while inbox.slots.try_take():
            if not self._admit(inbox):
                return True
        return not inbox.incoming.statistics().current_buffer_used

    def _admit(self, inbox: Inbox) -> bool:
        """Start the next envelope in a place that was taken for it; False when there is none."""
        while True:
            try:
                envelope = inbox.incoming.receive_nowait()
            except (anyio.WouldBlock, anyio.EndOfStream, anyio.ClosedResourceError):
                inbox.slots.give()
                return False
            if not envelope.reply.done():  # else its sender was cancelled while it waited
                self._start(envelope, Place(inbox.slots))
                return True

    def _start(self, envelope: Envelope, place: Place) -> None:
        envelope.place = place
        self._working[envelope] = None
        work = self._work(envelope, place)
        try:
            envelope.task = self._tasks.create_task(work, context=envelope.context)
        except RuntimeError:  # the group of a run that is being torn down takes no more tasks
            work.close()
            self._end(envelope, None)

    async def _work(self, envelope: Envelope, place: Place) -> None:
        envelope.begun = True
        report: Report[Any] | None = None
        try:
            report = await self._perform(envelope.call, place)
        finally:
            self._end(envelope, report)

    def _call_off(self, envelope: Envelope) -> None:
        """Cancel the work on *envelope*, if it was started; what never takes a step cannot end itself."""
        if envelope.task is not None:
            envelope.task.cancel()
            if not envelope.begun:
                self._end(envelope, None)

    def _end(self, envelope: Envelope, report: Report[Any] | None) -> None:
        self._working.pop(envelope, None)
        if envelope.place is not None:
            envelope.place.leave()
        if not envelope.reply.done():
            envelope.reply.set_result(report or _cancelled(envelope.call))


def _cancelled(call: DelegationCall) -> Report[Any]:
    return Report(call.name, call.step, "failed", code="cancelled", message=f"{call.name} was cancelled")


async def deliver(call: DelegationCall) -> Report[Any]:
    """Core of the delegation pipeline: hand the call to the channels of its run."""
    return await call.scope.run.own(Channels, _missing).deliver(call)


def _missing() -> Channels:
    raise Invalid("a delegation was made outside a run", code="no_run", hint="delegate through the agent's own context")
