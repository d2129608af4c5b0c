"""Running the parts of a process together: what dies ends the rest, with one sentence; what stops, stops in order."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field

import structlog

log = structlog.get_logger(__name__)

STOP_WITHIN = 5.0
"""Seconds that one part is given to stop by itself; then it is cancelled, and the fences hold the rest."""
CANCEL_WITHIN = 1.0


class PartDied(RuntimeError):
    """A part of the process ended by itself; the message is one sentence for a person."""


class ServersGone(PartDied):
    """What every part stands on is gone for good: none of them can save anything by taking its time."""


@dataclass
class Part:
    """One part: its task, and how it is asked to stop."""

    name: str
    task: asyncio.Task[None]
    stop: asyncio.Event


@dataclass
class Supervisor:
    """Parts are stopped in the order in which they were added."""

    parts: list[Part] = field(default_factory=list)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    servers_gone: bool = False

    def add(self, name: str, run: Callable[[asyncio.Event], Awaitable[None]]) -> Part:
        """Start a part that runs until its event is set."""
        stop = asyncio.Event()

        async def guarded() -> None:
            await run(stop)

        part = Part(name, asyncio.create_task(guarded(), name=name), stop)
        self.parts.append(part)
        return part

    async def wait(self) -> None:
        """Until somebody asks to stop. Raises PartDied where a part ends before that."""
        asked = asyncio.create_task(self.stopping.wait())
        try:
            await asyncio.wait([asked, *(part.task for part in self.parts)], return_when=asyncio.FIRST_COMPLETED)
        finally:
            asked.cancel()
        if self.stopping.is_set():
            return
        for part in self.parts:
            if part.task.done():
                error = None if part.task.cancelled() else part.task.exception()
                if isinstance(error, PartDied):
                    self.servers_gone = isinstance(error, ServersGone)
                    raise error
                if error is not None and not isinstance(error, OSError):
                    log.error("a part of the process failed", part=part.name, exc_info=error)
                raise PartDied(
                    f"{part.name} ended by itself ({error or 'without a reason'}); stormfold stops"
                ) from error

    async def stop(self) -> None:
        """Stop every part in order, each within its time."""
        if self.servers_gone:
            await self._abandon()
        for part in self.parts:
            part.stop.set()
            done, _ = await asyncio.wait([part.task], timeout=STOP_WITHIN)
            if not done:
                log.warning("a part did not stop in time; it is cancelled", part=part.name)
                part.task.cancel()
                # A client whose server is gone may not even let itself be cancelled; the process ends all the same.
                done, _ = await asyncio.wait([part.task], timeout=CANCEL_WITHIN)
            if done and not part.task.cancelled() and (error := part.task.exception()) is not None:
                log.info("a part ended by an error", part=part.name, error=f"{type(error).__name__}: {error}")
        self.parts.clear()

    async def _abandon(self) -> None:
        """Stop all parts at once: each would spend its whole time on waiting for a server that is gone."""
        for part in self.parts:
            part.stop.set()
        tasks = [part.task for part in self.parts]
        _, late = await asyncio.wait(tasks, timeout=CANCEL_WITHIN)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=CANCEL_WITHIN)
        self.parts.clear()

    @contextlib.contextmanager
    def signals(self, reload: Callable[[], None]) -> Iterator[None]:
        """SIGINT and SIGTERM stop, a second one ends the process at once; SIGHUP reloads the configuration."""
        loop = asyncio.get_running_loop()

        def stop(number: int) -> None:
            if self.stopping.is_set():
                # The default action comes back, so that a third one needs no help of ours at all.
                signal.signal(number, signal.SIG_DFL)
                signal.raise_signal(number)
            self.stopping.set()

        handled = [(signal.SIGINT, lambda: stop(signal.SIGINT)), (signal.SIGTERM, lambda: stop(signal.SIGTERM))]
        handled.append((signal.SIGHUP, reload))
        for number, handler in handled:
            loop.add_signal_handler(number, handler)
        try:
            yield
        finally:
            for number, _ in handled:
                loop.remove_signal_handler(number)


@contextlib.asynccontextmanager
async def supervised(reload: Callable[[], None]) -> AsyncIterator[Supervisor]:
    """A supervisor whose parts are stopped at the end, however it comes."""
    supervisor = Supervisor()
    with supervisor.signals(reload):
        try:
            yield supervisor
        finally:
            await supervisor.stop()
