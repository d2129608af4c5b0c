"""One thing at a time: every task of every process waits at a gate until the schedule lets it pass.

Gates stand at the named steps, before every call of the store and of the network, and where somebody sleeps. Between
two gates a process runs alone, so that an interleaving is a list of choices and can be played again.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kernel.clock import Millis
from kernel.steps import Step
from kernel.store.client import Arg, RedisStore, StoreUnavailable

BASE_MS = 1_800_000_000_000
# A wake-up passes through at most a few callbacks (gather, lock, task); so many empty rounds are silence.
ROUNDS = 8

LOST, UNANSWERED, LATE = "lost", "unanswered", "late"
"""What a gate may do to a call: it never arrives; it is applied but not answered; it arrives later."""


class Process:
    """One process of a role. `skew` is how far its wall clock is off, in ms; `stale` one that has a successor."""

    def __init__(self, name: str, skew: Millis = 0) -> None:
        self.name = name
        self.skew = skew
        self.stale = self.slow = self.dead = False
        self.main: asyncio.Task[None] | None = None
        self.tasks: set[asyncio.Task[Any]] = set()


_process: contextvars.ContextVar[Process | None] = contextvars.ContextVar("process", default=None)


@dataclass(eq=False)
class Waiter:
    """A task at a gate. `due` is when it may pass, in seconds of the schedule's clock."""

    process: Process
    what: str
    due: float
    passed: asyncio.Future[str]


class Schedule:
    """Who waits at which gate; lets one pass and waits until everything stands still again."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waiting: list[Waiter] = []
        self.late: list[Callable[[], Coroutine[Any, Any, object]]] = []
        self.busy = 0
        self._beat = 0

    def start(self, process: Process, run: Coroutine[Any, Any, None]) -> None:
        """Begin a process; it stands at its first gate after the next `settle`."""

        async def within() -> None:
            _process.set(process)
            await run

        loop = asyncio.get_running_loop()
        loop.set_task_factory(_make_task)
        process.main = loop.create_task(within(), name=process.name)
        process.tasks.add(process.main)

    async def gate(self, what: str, due: float = 0.0) -> str:
        """Wait to be let through; returns the fault that the call is to meet, or nothing."""
        process = _process.get()
        assert process is not None, f"{what} outside of a process"
        if process.dead:
            raise asyncio.CancelledError
        waiter = Waiter(process, what, due, asyncio.get_running_loop().create_future())
        self.waiting.append(waiter)
        self._beat += 1
        try:
            return await waiter.passed
        finally:
            if waiter in self.waiting:
                self.waiting.remove(waiter)

    async def settle(self) -> None:
        """Until nothing moves: all tasks wait at gates, or for one that does."""
        silent = 0
        while silent < ROUNDS:
            before = self._beat
            await asyncio.sleep(0)
            silent = 0 if self.busy or self._beat != before else silent + 1

    async def let(self, waiter: Waiter, fault: str = "") -> None:
        """Let one task go on to its next gate."""
        self.waiting.remove(waiter)
        waiter.passed.set_result(fault)
        await self.settle()

    async def kill(self, process: Process) -> None:
        """End a process where it stands; nothing that it would still do happens."""
        process.dead = True
        for task in list(process.tasks):
            task.cancel()
        await self.settle()
        self.waiting = [waiter for waiter in self.waiting if waiter.process is not process]

    def free(self, process: Process | None = None) -> list[Waiter]:
        """Who may pass now."""
        return [w for w in self.waiting if w.due <= self.now and process in (None, w.process)]


def _make_task(loop: asyncio.AbstractEventLoop, run: Any, **options: Any) -> asyncio.Task[Any]:
    task: asyncio.Task[Any] = asyncio.Task(run, loop=loop, **options)
    process = _process.get()
    if process is not None:
        process.tasks.add(task)
        task.add_done_callback(process.tasks.discard)
    return task


@dataclass
class ModelClock:
    """The clocks of one process: its wall clock is skewed, its monotonic one is the schedule's."""

    schedule: Schedule
    process: Process

    def now_ms(self) -> Millis:
        return BASE_MS + int(self.schedule.now * 1000) + self.process.skew

    def monotonic(self) -> float:
        return self.schedule.now

    async def sleep(self, seconds: float) -> None:
        await self.schedule.gate("sleep", self.schedule.now + seconds)


@dataclass
class ModelSteps:
    """Every named step is a gate."""

    schedule: Schedule

    async def at(self, step: Step, shard: int = -1) -> None:
        await self.schedule.gate(step.value)


@dataclass
class ModelStore:
    """A real store behind a gate at every call; a call may be lost, applied without an answer, or applied late.

    `applied` is told of every script that was answered by the server, with the time since the last look.
    """

    schedule: Schedule
    inner: RedisStore
    applied: Callable[[str, Sequence[str], Sequence[Arg], Any], None] = field(default=lambda *_: None)

    async def _pass(self, what: str, call: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        fault = await self.schedule.gate(f"store.{what}")
        if fault == LOST:
            raise StoreUnavailable("the model lost this call")
        if fault == LATE:
            self.schedule.late.append(call)
            raise StoreUnavailable("the model keeps this call for later")
        answer = await self._run(call)
        if fault == UNANSWERED:
            raise StoreUnavailable("the model lost the answer")
        return answer

    async def _run(self, call: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        self.schedule.busy += 1
        try:
            return await call()
        finally:
            self.schedule.busy -= 1
            self.schedule._beat += 1

    async def script(self, name: str, keys: Sequence[str], args: Sequence[Arg]) -> Any:
        async def call() -> Any:
            answer = await self.inner.script(name, keys, args)
            self.applied(name, keys, args, answer)
            return answer

        return await self._pass(name, call)

    async def hgetall(self, key: str) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = await self._pass("hgetall", lambda: self.inner.hgetall(key))
        return found

    async def hget(self, key: str, name: str) -> bytes | None:
        found: bytes | None = await self._pass("hget", lambda: self.inner.hget(key, name))
        return found

    async def hmget_all(self, wanted: Sequence[tuple[str, Sequence[str]]]) -> list[list[bytes | None]]:
        found: list[list[bytes | None]] = await self._pass("hmget", lambda: self.inner.hmget_all(wanted))
        return found

    async def hset(self, key: str, fields: Mapping[str, Arg]) -> None:
        await self._pass("hset", lambda: self.inner.hset(key, fields))

    async def hset_all(self, writes: Sequence[tuple[str, Mapping[str, Arg], int]]) -> None:
        await self._pass("hset_all", lambda: self.inner.hset_all(writes))

    async def hsetnx(self, key: str, name: str, value: str) -> bool:
        return bool(await self._pass("hsetnx", lambda: self.inner.hsetnx(key, name, value)))

    async def get(self, key: str) -> bytes | None:
        found: bytes | None = await self._pass("get", lambda: self.inner.get(key))
        return found

    async def put(self, key: str, value: Arg, lifetime: int) -> None:
        await self._pass("put", lambda: self.inner.put(key, value, lifetime))

    async def zrange_scores(self, key: str) -> list[tuple[bytes, float]]:
        found: list[tuple[bytes, float]] = await self._pass("zrange", lambda: self.inner.zrange_scores(key))
        return found

    async def stream(self, key: str, count: int) -> list[tuple[str, dict[bytes, bytes]]]:
        found: list[tuple[str, dict[bytes, bytes]]] = await self._pass("stream", lambda: self.inner.stream(key, count))
        return found

    async def exists(self, key: str) -> bool:
        return bool(await self._pass("exists", lambda: self.inner.exists(key)))

    async def delete(self, keys: Any) -> None:
        names = list(keys)
        await self._pass("delete", lambda: self.inner.delete(names))

    async def check(self) -> str:
        return await self.inner.check()

    async def close(self) -> None:
        """The inner store is everybody's."""
