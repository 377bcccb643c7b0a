"""Where a task waits: the whole chain of awaits, from the task's own function to what it waits for."""

import asyncio
import gc
import inspect
from pathlib import Path
from types import FrameType
from typing import Any

# Deeper chains are told by both ends: whose task it is, and what it waits for.
SHOWN = 16


def places(task: asyncio.Task[Any]) -> str:
    """Say where *task* waits, the innermost place first."""
    frames = _frames(task.get_coro())
    told = [f"{_short(frame.f_code.co_filename)}:{frame.f_lineno} {frame.f_code.co_qualname}" for frame in frames]
    if len(told) > SHOWN:
        told = [*told[: SHOWN // 2], f"({len(told) - SHOWN} more)", *told[-SHOWN // 2 :]]
    return f"{task.get_name()} waits at {' < '.join(reversed(told))}"


def _frames(waiting: Any) -> list[FrameType]:
    """Follow *waiting* inwards; a suspended task's own stack shows only its outermost frame."""
    frames: list[FrameType] = []
    while waiting is not None:
        if type(waiting).__name__.startswith("async_generator_"):
            # What awaits an asynchronous generator does not name it; the collector knows.
            waiting = next(filter(inspect.isasyncgen, gc.get_referents(waiting)), None)
        frame = getattr(waiting, "cr_frame", None) or getattr(waiting, "gi_frame", None)
        frame = frame or getattr(waiting, "ag_frame", None)
        if frame is None:
            break
        frames.append(frame)
        waiting = (
            getattr(waiting, "cr_await", None)
            or getattr(waiting, "gi_yieldfrom", None)
            or getattr(waiting, "ag_await", None)
        )
    return frames


def _short(file: str) -> str:
    """Return the last parts of a path: enough to find it, and the same on every machine."""
    return "/".join(Path(file).parts[-3:])
