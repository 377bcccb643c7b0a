"""Inboxes of a run: how briefs travel to members and reports come back."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import Context, copy_context
from typing import Any

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from coordinator.domain.briefs import Report
from coordinator.domain.calls import DelegationCall
from coordinator.domain.errands import Stragglers
from coordinator.domain.errors import Invalid
from coordinator.domain.result import Issue
from coordinator.domain.scope import RunState
from coordinator.domain.team import Agent
from coordinator.engine.apart import AGENT_GRACE_S, leave
from coordinator.engine.slots import Place, Slots

INBOX_SIZE = 16

Stream = tuple[MemoryObjectSendStream["Envelope"], MemoryObjectReceiveStream["Envelope"]]
Perform = Callable[[DelegationCall, Place], Coroutine[Any, Any, Report[Any]]]


class Envelope:
    """A brief on its way to a member, with the place where its report is awaited."""

    __slots__ = ("begun", "call", "called_off", "context", "place", "reply", "task")

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
        self.called_off: asyncio.TimerHandle | None = None
        """Leaves the task alone when it has not ended in time; None when nobody has cancelled it."""


class Inbox:
    """One member's bounded inbox in one run; an idle member owns no task.

    The stream is opened for the first envelope that must wait for a place: who finds one free need not lie in it.
    """

    __slots__ = ("receiver", "receiving", "slots", "stream")

    def __init__(self, member: Agent[Any]) -> None:
        self.slots = Slots(member.parallel)
        self.stream: Stream | None = None
        self.receiving = False
        self.receiver: asyncio.Task[None] | None = None

    async def put(self, envelope: Envelope) -> None:
        """Put *envelope* into the inbox, when it has room."""
        if self.stream is None:
            self.stream = anyio.create_memory_object_stream[Envelope](INBOX_SIZE)
        outgoing, _ = self.stream
        full = False
        try:
            outgoing.send_nowait(envelope)
        except anyio.WouldBlock:
            full = True
        if full:
            await outgoing.send(envelope)

    def next(self) -> Envelope | None:
        """Take the next envelope whose sender still waits; None when there is none."""
        if self.stream is None:
            return None
        _, incoming = self.stream
        with suppress(anyio.WouldBlock, anyio.EndOfStream, anyio.ClosedResourceError):
            while True:
                envelope = incoming.receive_nowait()
                if not envelope.reply.done():
                    return envelope
        return None

    def close(self) -> None:
        """Let nothing more in or out."""
        if self.stream is not None:
            for end in self.stream:
                end.close()


class Channels:
    """All inboxes of one run, and every task that they start: none outlives them but one that swallows its end.

    No task group of asyncio: its end waits for everybody, and an agent that does not end would hold the whole run.

    Args:
        loop: the run's.
        perform: carries out one brief and always returns a report.
        stragglers: keeps account of agents that go on when the run has left them.
    """

    __slots__ = ("_closed", "_idle", "_inboxes", "_loop", "_perform", "_stragglers", "_working", "crash")

    def __init__(self, loop: asyncio.AbstractEventLoop, perform: Perform, stragglers: Stragglers) -> None:
        self._loop = loop
        self._perform = perform
        self._stragglers = stragglers
        self._inboxes: dict[str, Inbox] = {}
        self._working: dict[Envelope, None] = {}
        self._idle: asyncio.Future[None] | None = None
        self._closed = False
        self.crash: BaseException | None = None
        """What has ended the receiver of an inbox before its time."""

    async def deliver(self, call: DelegationCall) -> Report[Any]:
        """Hand the brief to the member, by way of its inbox if need be, and await the report; called off with us."""
        inbox = self._inbox(call)
        envelope = Envelope(call, call.scope.run.loop.create_future())
        try:
            if self._closed:  # the run is being torn down
                self._end(envelope, None)
            elif not inbox.receiving and inbox.slots.try_take():
                self._start(envelope, Place(inbox.slots))
            else:
                await self._queue(envelope, inbox)
            return await envelope.reply
        except BaseException:
            envelope.reply.cancel()  # one that was cancelled while it waited for room may be in the inbox by now
            self._call_off(envelope)
            raise

    def call_off(self) -> None:
        """Cancel what works; nothing more is begun."""
        self._closed = True
        for envelope in list(self._working):
            self._call_off(envelope)

    def close(self) -> bool:
        """Close every inbox and cancel what still works; say whether somebody does, and `ended` is to be awaited."""
        self._closed = True
        for inbox in self._inboxes.values():
            self._turn_away(inbox, asyncio.CancelledError())
            inbox.close()
            if inbox.receiver is not None:
                inbox.receiver.cancel()
        self.call_off()
        return bool(self._working) or any(inbox.receiving for inbox in self._inboxes.values())

    async def ended(self) -> None:
        """Wait until nobody works any more, for a grace at most; a cancellation comes after that."""
        task = asyncio.current_task(self._loop)
        assert task is not None
        asked = task.cancelling()
        while self._working:
            self._idle = self._loop.create_future()
            with suppress(asyncio.CancelledError):
                await self._idle
        receivers = [inbox.receiver for inbox in self._inboxes.values() if inbox.receiver is not None]
        while left := [receiver for receiver in receivers if not receiver.done()]:
            with suppress(asyncio.CancelledError):
                await asyncio.wait(left)
        if task.cancelling() > asked:
            raise asyncio.CancelledError

    def _inbox(self, call: DelegationCall) -> Inbox:
        inbox = self._inboxes.get(call.name)
        if inbox is None:
            if call.member is None:
                raise Invalid(f"there is no member named {call.name}", code="unknown_member")
            inbox = self._inboxes[call.name] = Inbox(call.member)
        return inbox

    async def _queue(self, envelope: Envelope, inbox: Inbox) -> None:
        """Let *envelope* wait for a place, and see to it that somebody receives it then."""
        envelope.context = copy_context()
        await inbox.put(envelope)
        if not inbox.receiving and not self._closed:
            inbox.receiving = True
            inbox.receiver = self._loop.create_task(self._receive(inbox))
            inbox.receiver.add_done_callback(self._received)

    async def _receive(self, inbox: Inbox) -> None:
        """Wait for places and start a child task for each envelope; end when the inbox is empty."""
        try:
            while True:
                await inbox.slots.take()
                envelope = inbox.next()
                if envelope is None:
                    inbox.slots.give()
                    return
                self._start(envelope, Place(inbox.slots))
        except BaseException as error:
            self._turn_away(inbox, error)
            raise
        finally:
            inbox.receiving = False

    def _received(self, receiver: asyncio.Task[None]) -> None:
        if not receiver.cancelled() and receiver.exception() is not None:
            self.crash = receiver.exception()

    def _turn_away(self, inbox: Inbox, error: BaseException) -> None:
        """Let all who wait for a place know why they get none."""
        while (envelope := inbox.next()) is not None:
            self._end(envelope, None, error)

    def _start(self, envelope: Envelope, place: Place) -> None:
        envelope.place = place
        if self._closed:  # the run is being torn down
            self._end(envelope, None)
            return
        self._working[envelope] = None
        envelope.task = self._loop.create_task(self._work(envelope, place), context=envelope.context)

    async def _work(self, envelope: Envelope, place: Place) -> None:
        envelope.begun = True
        try:
            report = await self._perform(envelope.call, place)
        except BaseException as error:
            self._end(envelope, None, error)
            raise
        self._end(envelope, report)

    def _call_off(self, envelope: Envelope) -> None:
        """Cancel the work on *envelope* once, if it was started; what has not ended after a grace is left alone."""
        task = envelope.task
        if task is None or envelope.called_off is not None or envelope not in self._working:
            return
        task.cancel()
        if envelope.begun:
            envelope.called_off = self._loop.call_later(AGENT_GRACE_S, self._leave, envelope, task)
        else:  # what never takes a step cannot end itself
            self._end(envelope, None)

    def _leave(self, envelope: Envelope, task: asyncio.Task[None]) -> None:
        call = envelope.call
        leave(task, self._stragglers, AgentErrand(call.scope.run, call.name, call.step, task))
        self._end(envelope, None)

    def _end(self, envelope: Envelope, report: Report[Any] | None, error: BaseException | None = None) -> None:
        self._working.pop(envelope, None)
        if envelope.called_off is not None:
            envelope.called_off.cancel()
        if envelope.place is not None:
            envelope.place.leave()
        if not envelope.reply.done():
            if error is None or isinstance(error, asyncio.CancelledError):
                envelope.reply.set_result(report or _cancelled(envelope.call))
            else:
                envelope.reply.set_exception(error)
        if self._idle is not None and not self._working and not self._idle.done():
            self._idle.set_result(None)


class AgentErrand:
    """What an agent worked for that did not end when it was cancelled; its run has an issue that says so.

    Args:
        run: which has left it.
        agent: its name.
        step: the id of what it was to do.
        task: in which it goes on; kept, because the loop does not.
    """

    __slots__ = ("_agent", "_run", "_step", "task")

    def __init__(self, run: RunState, agent: str, step: str, task: asyncio.Task[Any]) -> None:
        self._run = run
        self._agent = agent
        self._step = step
        self.task = task

    @property
    def name(self) -> str:
        """The agent."""
        return f"agent {self._agent}"

    def left(self) -> None:
        """Say in the run that it has left the agent."""
        message = f"agent {self._agent} did not end when it was cancelled, and goes on alone"
        self._run.note(Issue(code="agent_left", message=message, part=self._agent), self._agent, self._step)

    def late(self, error: BaseException | None) -> None:
        """Say nothing: what it hands back now belongs to no run."""


def _cancelled(call: DelegationCall) -> Report[Any]:
    return Report(call.name, call.step, "failed", code="cancelled", message=f"{call.name} was cancelled")


async def deliver(call: DelegationCall) -> Report[Any]:
    """Core of the delegation pipeline: hand the call to the channels of its run."""
    return await call.scope.run.own(Channels, _missing).deliver(call)


def _missing() -> Channels:
    raise Invalid("a delegation was made outside a run", code="no_run", hint="delegate through the agent's own context")
