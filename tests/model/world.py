"""What both machines share: one deployment over a real store, its faults, its history, and a random schedule."""

from __future__ import annotations

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import TopicPartition
from redis.asyncio import Redis

from kernel.bus.clients import Bus
from kernel.bus.group import GroupLoop
from kernel.bus.profile import PROFILES
from kernel.bus.topics import TopicNames
from kernel.config.schema import Config
from kernel.config.settings import Settings
from kernel.context import Context
from kernel.store.client import Arg, RedisStore
from kernel.store.keys import Keys
from kernel.telemetry.health import Health
from kernel.telemetry.metrics import Metrics
from tests.model.network import Consumer, Network, Places
from tests.model.schedule import (
    BASE_MS,
    LATE,
    LOST,
    UNANSWERED,
    ModelClock,
    ModelSteps,
    ModelStore,
    Process,
    Schedule,
    Waiter,
)
from tests.servers.valkey import Snapshot, restore, snapshot

METRICS = Metrics()
MOST_STEPS = 20_000
PULSES = 3.0
"""Seconds in which every owner has written down what it knows."""
MAY_BE_LATE = ("store.turn", "store.trim", "store.claim", "store.cut", "store.done", "store.hset_all")


class Violation(AssertionError):
    """The protocol did not keep a promise."""


@dataclass
class Stores:
    """Clients of the real store, for all runs on one event loop."""

    store: RedisStore
    admin: Redis

    @classmethod
    def open(cls, url: str) -> Stores:
        return cls(RedisStore(url), Redis.from_url(url))

    async def close(self) -> None:
        await self.store.close()
        await self.admin.aclose()


@dataclass
class Member:
    """A process of a role, and the consumer that the group knows it by."""

    process: Process
    role: str
    consumer: Consumer
    context: Context
    places: list[TopicPartition]
    given: bool = True
    loop: GroupLoop | None = None


@dataclass(kw_only=True)
class World(ABC):
    """One deployment. All choices come from `random`, so a run is its seed."""

    stores: Stores
    random: random.Random
    faults: int = 0
    shards: int = 1
    members: list[Member] = field(default_factory=list)
    past: list[Snapshot] = field(default_factory=list)
    set_back: bool = False
    skews: Sequence[int] = (0,)
    troubled: float = -10.0
    _born: int = 0

    def __post_init__(self) -> None:
        self.schedule = Schedule()
        chosen: Mapping[str, Any] = {"namespace": "m", "topic_prefix": "", "shards": self.shards}
        self.settings = Settings(**chosen)
        self.names = TopicNames.with_prefix("")
        self.network = Network(self.schedule, self.random, lambda: BASE_MS + int(self.schedule.now * 1000))
        self.keys = Keys("m")
        self.pace = self.random.choice((0.05, 0.2, 0.6))
        self.calls_may_fail = self.random.choice((0.03, 0.06, 0.2))

    # --- what a machine adds

    @abstractmethod
    def config(self) -> Config:
        """The configuration of every process."""

    @abstractmethod
    def member(self, role: str, places: list[TopicPartition]) -> Member:
        """A new process of that role, not yet running."""

    @abstractmethod
    def finished(self) -> bool:
        """Whether all input is taken and told of. Only asked when nobody is stale and no fault is to come."""

    @abstractmethod
    async def verify(self) -> None:
        """Raises Violation."""

    def applied(self, name: str, keys: Sequence[str], args: Sequence[Arg], answer: Any) -> None:
        """A script was applied by the store; a machine may keep what it wrote."""
        del name, keys, args, answer

    # --- processes

    def context(self, process: Process) -> Context:
        """What a process is given."""
        clock = ModelClock(self.schedule, process)
        config = self.config()
        return Context(
            settings=self.settings,
            bus=Bus("", PROFILES["kafka"]),
            store=ModelStore(self.schedule, self.stores.store, self.applied),
            config=lambda: config,
            metrics=METRICS,
            health=Health(clock),
            clock=clock,
            steps=ModelSteps(self.schedule),
            config_hash=lambda: "0" * 64,
        )

    def process(self, role: str) -> Process:
        """A new process; some have wall clocks that are off."""
        self._born += 1
        return Process(f"{role}-{self._born}", self.random.choice(self.skews))

    async def start(self, role: str, places: list[TopicPartition]) -> Member:
        """Start a process; the group gives it these partitions."""
        member = self.member(role, places)
        assert member.loop is not None
        self.members.append(member)
        self.schedule.start(member.process, member.loop.run(asyncio.Event()))
        await self.schedule.settle()
        return member

    async def open(self) -> None:
        """An empty store, then the first processes."""
        await self.stores.admin.flushdb()
        await self.begin()

    @abstractmethod
    async def begin(self) -> None:
        """Start the first processes."""

    # --- faults, each a rule of its own

    def healthy(self) -> list[Member]:
        """Members without a successor."""
        return [m for m in self.members if not m.process.stale and not m.process.dead]

    async def crash(self, member: Member) -> None:
        """SIGKILL, and a successor."""
        await self._end(member)
        await self.start(member.role, member.places)

    async def pause(self, member: Member, slow: bool) -> None:
        """The old one lives on without knowing that it has a successor."""
        member.process.stale, member.process.slow, member.consumer.fenced = True, slow, True
        await self.start(member.role, member.places)

    async def _end(self, member: Member) -> None:
        await self.schedule.kill(member.process)
        self.members.remove(member)

    async def take_away(self, member: Member) -> None:
        """A rebalance takes the partitions; the same member may get them back."""
        if member.given:
            member.given = False
            member.consumer.lose(member.places)
            self._within(member, member.consumer.listener.on_partitions_revoked(Places(member.places)))
            await self.schedule.settle()

    async def give_back(self, member: Member) -> None:
        """The partitions come back."""
        if not member.given:
            member.given = True
            member.consumer.gain(member.places)

    def _within(self, member: Member, run: Any) -> None:
        before, main = set(member.process.tasks), member.process.main
        self.schedule.start(member.process, run)
        member.process.main = main
        for task in member.process.tasks - before:
            task.add_done_callback(member.process.tasks.discard)

    async def keep(self) -> None:
        """Remember the store as it is, for a fail-over to return to."""
        self.past.append(await snapshot(self.stores.admin))
        del self.past[:-6]

    async def fail_over(self, chosen: Callable[[bytes], bool] = lambda _: True) -> None:
        """The store is what it was a moment ago, at least the keys that are chosen."""
        if self.past:
            self.troubled = self.schedule.now
            old = self.past.pop(self.random.randrange(len(self.past)))
            now = await snapshot(self.stores.admin)
            entries = [e for e in now.entries if not chosen(e[0])] + [e for e in old.entries if chosen(e[0])]
            await restore(self.stores.admin, Snapshot(tuple(entries)))
            self.set_back = True

    async def arrive_late(self) -> None:
        """A call that was kept arrives."""
        if self.schedule.late:
            self.troubled = self.schedule.now
            await self.schedule.late.pop(self.random.randrange(len(self.schedule.late)))()

    async def fault(self) -> None:
        """One fault of those that every machine knows."""
        member, x = self.random.choice(self.healthy()), self.random.random()
        if x < 0.35:
            await self.crash(member)
        elif x < 0.7:
            await self.pause(member, self.random.random() < 0.6)
        elif x < 0.9:
            await self.take_away(member)
        else:
            self.schedule.now += self.random.choice((0.5, 1.5, 6.0, 20.0))

    # --- the schedule

    async def step(self, waiter: Waiter, fault: str = "") -> None:
        """Let one task pass; whoever died of an error is a violation."""
        await self.schedule.let(waiter, fault)
        main = waiter.process.main
        if main is not None and main.done() and not main.cancelled() and main.exception() is not None:
            raise Violation(f"{waiter.process.name} died at {waiter.what}: {main.exception()!r}") from main.exception()

    async def until(self, member: Member, what: str, most: int = 400, pace: float = 0.2) -> bool:
        """Run one process alone until it stands at a gate of this name; False where it never does."""
        for _ in range(most):
            self.schedule.now += pace
            free = self.schedule.free(member.process)
            if any(waiter.what == what for waiter in free):
                return True
            if free:
                await self.step(free[0])
        return False

    async def pass_by(self, member: Member, what: str, fault: str = "") -> None:
        """Let the task of this process that stands at the gate go on."""
        for waiter in self.schedule.free(member.process):
            if waiter.what == what:
                await self.step(waiter, fault)
                return

    def mishap(self, waiter: Waiter) -> str:
        """What befalls a call."""
        faults = self.may_fail(waiter)
        if not faults or self.faults <= 0 or self.random.random() >= self.calls_may_fail:
            return ""
        return self.random.choice(faults)

    def may_fail(self, waiter: Waiter) -> Sequence[str]:
        """The faults that this call can meet."""
        if waiter.what.startswith("produce.") or waiter.what in MAY_BE_LATE:
            return LOST, UNANSWERED, LATE
        return (LOST, UNANSWERED) if waiter.what.startswith("store.") else ()

    async def act(self) -> None:
        """One random step of the whole."""
        rnd = self.random
        self.schedule.now += rnd.random() * self.pace
        if self.faults > 0 and rnd.random() < 0.03:
            self.faults -= 1
            await self.fault()
            return
        if self.schedule.late and rnd.random() < 0.1:
            await self.arrive_late()
            return
        for member in self.members:
            if not member.given and (rnd.random() < 0.05 or self.faults <= 0):
                await self.give_back(member)
        living = [m.process for m in self.members if not (m.process.slow and rnd.random() < 0.9)]
        free = self.schedule.free(rnd.choice(living)) if living else []
        if not free:
            return
        waiter = rnd.choice(free)
        if waiter.what.startswith("store.") and self.faults > 0 and rnd.random() < 0.1:
            await self.keep()
        await self.step(waiter, self.mishap(waiter))

    async def calm(self) -> bool:
        """No fault is to come, nothing is late, and nobody is stale: the last zombies end."""
        if self.faults > 0:
            return False
        # An idle owner notices within its pulse what became of the store.
        if self.schedule.late or self.schedule.now - self.troubled < PULSES:
            return False
        for member in [m for m in self.members if m.process.stale]:
            if self.random.random() < 0.02:
                await self._end(member)
        return all(not m.process.stale and m.given for m in self.members)

    async def play(self) -> None:
        """A whole run. Raises Violation."""
        await self.open()
        await self.play_out()

    async def play_out(self) -> None:
        """What faults are left, then to the end. Raises Violation."""
        since = self.schedule.now
        try:
            for _ in range(MOST_STEPS):
                await self.act()
                if not (await self.calm() and self.finished()):
                    since = self.schedule.now
                elif self.schedule.now - since > PULSES and all(w.what == "fetch" for w in self.schedule.waiting):
                    break
            else:
                raise Violation(f"did not end: {[(m.process.name, m.process.stale) for m in self.members]}")
            await self.verify()
        finally:
            await self.close()

    async def close(self) -> None:
        """End every process."""
        for member in list(self.members):
            await self._end(member)
