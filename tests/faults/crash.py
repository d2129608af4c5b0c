"""Members of a deployment as processes of their own, that kill or pause themselves at a named step.

A member that stops is gone as by SIGKILL: no clean-up, no farewell to the group; Kafka ends its membership by the
session's time-out. A member that is held is paused as by SIGSTOP, whole, in the middle of whatever it does: it loses
its partitions the same way, a successor works, and then it goes on where it stood, as a zombie.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Protocol

import structlog

import correlator.pipeline
import notifier.pipeline
from kernel.config.schema import Config
from kernel.config.settings import Settings
from kernel.steps import Step
from tests.pipeline.harness import Pipeline

FORK = multiprocessing.get_context("forkserver")
FORK.set_forkserver_preload(["pytest", "tests.faults.crash"])
HANG = 60.0
RECORDS_A_TURN = 2


@dataclass(frozen=True)
class Plan:
    """At the `nth` passing of `step` the member ends, or is paused where `hold` is set."""

    step: Step
    nth: int = 1
    hold: bool = False


class _CrashSteps:
    """Counts the passings, and strikes. `under_way` are sends between the socket and their outcome."""

    def __init__(self, connection: Connection, plan: Plan) -> None:
        self._connection = connection
        self._plan = plan
        self._passed = 0
        self._under_way = 0

    async def at(self, step: Step, shard: int = -1) -> None:
        """Ends or pauses this process where the plan says so."""
        del shard
        if step is Step.NOTIFIER_OUTCOME:
            self._under_way -= 1
        if step is self._plan.step:
            self._passed += 1
            if self._passed == self._plan.nth:
                self._connection.send(("reached", self._under_way))
                os.kill(os.getpid(), signal.SIGSTOP if self._plan.hold else signal.SIGKILL)
                self._connection.send(("resumed", None))
        if step is Step.NOTIFIER_ENTITLED:
            self._under_way += 1


@dataclass
class Member:
    """A process that runs roles; `reached`, `under_way` and `resumed` are what it said of its plan."""

    process: BaseProcess
    connection: Connection
    log: Path
    reached: bool = False
    under_way: int = 0
    resumed: bool = False
    stopped: bool = False
    trouble: str = ""

    def start(self, role: str) -> None:
        """Start one more role in it."""
        self.connection.send(("start", role))

    def listen(self) -> None:
        """Take in what it said. Raises AssertionError where one of its roles died by an error."""
        try:
            while self.connection.poll():
                self._hear(*self.connection.recv())
        except (EOFError, ConnectionResetError):
            pass
        assert not self.trouble, f"a role died: {self.trouble}; its log is {self.log}"

    def _hear(self, word: str, said: Any) -> None:
        if word == "reached":
            self.reached, self.under_way = True, said
        elif word == "resumed":
            self.resumed = True
        elif word == "stopped":
            self.stopped = True
        else:
            self.trouble = said

    @property
    def state(self) -> str:
        """The process's state as Linux has it: `T` is paused; empty where it is gone."""
        try:
            stat = Path(f"/proc/{self.process.pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return ""
        return stat.rpartition(")")[2].split()[0]

    def go_on(self) -> None:
        """Wake a paused one."""
        assert self.process.pid is not None
        os.kill(self.process.pid, signal.SIGCONT)

    async def stop(self) -> None:
        """A clean stop: every role finishes."""
        self.connection.send(("stop", None))
        await until(f"a clean stop, see {self.log}", lambda: self.stopped, self)

    def end(self) -> None:
        """Whatever it does, it is over."""
        self.process.kill()
        self.process.join(HANG)
        self.process.close()
        self.connection.close()


class Check(Protocol):
    """A condition, or one that has to ask a server."""

    def __call__(self) -> Any: ...


async def until(what: str, check: Check, *members: Member, deadline: float = HANG) -> None:
    """Poll until `check` holds; fails when it takes too long, or when a role of the members died."""
    end = time.monotonic() + deadline
    while True:
        for member in members:
            member.listen()
        held = check()
        if await held if asyncio.iscoroutine(held) else held:
            return
        assert time.monotonic() < end, f"not within {deadline:.0f} s: {what}"
        await asyncio.sleep(0.2)


def launch(settings: Settings, config: Config, roles: Sequence[str], log: Path, plan: Plan | None = None) -> Member:
    """Start a process that runs these roles, with the plan if there is one."""
    ours, theirs = FORK.Pipe()
    process = FORK.Process(target=_process, args=(settings, config, tuple(roles), str(log), plan, theirs), daemon=True)
    process.start()
    theirs.close()
    return Member(process, ours, log)


def _process(
    settings: Settings, config: Config, roles: Sequence[str], log: str, plan: Plan | None, connection: Connection
) -> None:
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(file, 1)
    os.dup2(file, 2)
    structlog.configure(logger_factory=structlog.PrintLoggerFactory())
    # A member takes its backlog in many turns, so that work is left wherever it is struck, on a fast machine too.
    correlator.pipeline.RECORDS = notifier.pipeline.RECORDS = RECORDS_A_TURN
    asyncio.run(_member(settings, config, roles, plan, connection))


async def _member(
    settings: Settings, config: Config, roles: Sequence[str], plan: Plan | None, connection: Connection
) -> None:
    steps = _CrashSteps(connection, plan) if plan is not None else None
    pipeline = Pipeline(settings, config)
    told: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
    asyncio.get_running_loop().add_reader(connection.fileno(), lambda: told.put_nowait(connection.recv()))
    for role in roles:
        await pipeline.start(role, steps)
    while True:
        try:
            word, role = await asyncio.wait_for(told.get(), 0.2)
        except TimeoutError:
            for running in pipeline.roles:
                if running.task.done() and not running.task.cancelled() and running.task.exception() is not None:
                    connection.send(("died", repr(running.task.exception())))
                    return
            continue
        if word == "stop":
            break
        await pipeline.start(role)
    await pipeline.close()
    connection.send(("stopped", None))
