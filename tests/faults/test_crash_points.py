"""Every step of the three protocols: a member ends there, or is paused there and lives on as a zombie.

Each run is a deployment of its own (groups, keys, downstream topics, receiver's path) over one pair of raw topics, and
ends as the undisturbed run over them did. The roles before the disturbed one have done all their work when it
starts, so that it finds all of its input; the other roles, and later its successor, share a process of their own.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from pydantic import SecretStr

from kernel.bus.clients import Bus
from kernel.bus.topic_ids import topic_ids
from kernel.bus.topics import KafkaTopics, TopicNames, topic_specs
from kernel.config.settings import Settings
from kernel.steps import Step
from kernel.store.client import RedisStore
from notifier.sender import ENTITLED_FOR
from tests.faults.crash import Member, Plan, launch, until
from tests.faults.outcome import Observer, Result, differences, result
from tests.faults.raw_input import SHARDS, Sent, config, publish_alerts, publish_answers
from tests.pipeline.harness import Pipeline
from tests.servers.receiver import Receiver

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

ROLES = ("ingest", "correlator", "notifier")
AT_ONCE = 10
# Which passing of a step is struck: the first when the member ends, a later one, in the middle of the work, when it
# is paused: in the second shard's turn, or in one that follows the outcomes of the notifier's first. Steps that are not
# named here are struck at their first passing.
LATER = {
    Step.INGEST_ASSIGNED: 2,
    Step.INGEST_READ: 3,
    Step.INGEST_LOOKED_UP: 3,
    Step.INGEST_PRODUCED: 3,
    Step.INGEST_MARKED: 3,
    Step.CORRELATOR_CLAIMED: 2,
    Step.CORRELATOR_DRAINED: 2,
    Step.CORRELATOR_LOADED: 2,
    Step.CORRELATOR_DECIDED: 2,
    Step.CORRELATOR_APPLIED: 2,
    Step.CORRELATOR_PUBLISHED: 2,
    Step.CORRELATOR_TRIMMED: 2,
    Step.NOTIFIER_CLAIMED: 2,
    Step.NOTIFIER_DRAINED: 2,
    Step.NOTIFIER_LOADED: 2,
    Step.NOTIFIER_DECIDED: 3,
    Step.NOTIFIER_APPLIED: 3,
    Step.NOTIFIER_PUBLISHED: 3,
    Step.NOTIFIER_TRIMMED: 3,
    Step.NOTIFIER_ENTITLED: 3,
    Step.NOTIFIER_SENT: 3,
    Step.NOTIFIER_OUTCOME: 3,
}
# A claim has something to drain and to load only where an earlier owner left it: one ends right after its first turn.
AFTER_ONE = {
    Step.CORRELATOR_CLAIMED: Step.CORRELATOR_APPLIED,
    Step.CORRELATOR_DRAINED: Step.CORRELATOR_APPLIED,
    Step.CORRELATOR_LOADED: Step.CORRELATOR_APPLIED,
    Step.NOTIFIER_CLAIMED: Step.NOTIFIER_APPLIED,
    Step.NOTIFIER_DRAINED: Step.NOTIFIER_APPLIED,
    Step.NOTIFIER_LOADED: Step.NOTIFIER_APPLIED,
}


@dataclass(frozen=True)
class World:
    """Raw topics with their input, and what the undisturbed run over them came to."""

    bootstrap: str
    redis: str
    prefix: str
    partitions: int
    folder: Path
    sent: Sent
    reference: Result

    def pipeline(self, name: str, url: str) -> Pipeline:
        """A deployment of that name over the raw topics."""
        return _pipeline(self.bootstrap, self.redis, self.prefix, self.partitions, name, url)

    def compare(self, found: Result) -> list[str]:
        """How it differs from the undisturbed run."""
        if self.partitions == 1:
            return differences(self.reference.exact(), found.exact())
        return differences(self.reference.loose(), found.loose())


def _pipeline(bootstrap: str, redis: str, prefix: str, partitions: int, name: str, url: str) -> Pipeline:
    settings: dict[str, Any] = {
        "kafka": bootstrap,
        "redis": SecretStr(redis),
        "namespace": f"{prefix}{name}",
        "topic_prefix": prefix,
        "downstream_prefix": f"{prefix}{name}.",
        "shards": SHARDS,
        "raw_partitions": partitions,
        "answers_partitions": 2,
        "session_timeout_ms": 2_000,
    }
    return Pipeline(Settings(**settings), config(f"{url}/{name}"))


async def _apply(pipeline: Pipeline) -> None:
    s = pipeline.settings
    specs = topic_specs(s.topic_prefix, s.shards, s.raw_partitions, s.answers_partitions, s.downstream_prefix)
    await KafkaTopics(s.kafka).apply(specs)


@asynccontextmanager
async def _observer(settings: Settings) -> AsyncIterator[Observer]:
    bus, names = Bus.of(settings), TopicNames.with_prefix(settings.topic_prefix)
    store = RedisStore(settings.redis.get_secret_value())
    reader = await bus.start(bus.reader())
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    try:
        raw = await topic_ids(reader._client, (names.alerts, names.answers))
        yield Observer(reader, admin, store, raw)
    finally:
        await admin.close()
        await reader.stop()
        await store.close()


async def _undisturbed(bootstrap: str, redis: str, prefix: str, partitions: int, folder: Path) -> World:
    """Publishes the input, runs it through, learns the incidents' ids, has people answer, runs to the end."""
    receiver = Receiver()
    await receiver.start()
    pipeline = _pipeline(bootstrap, redis, prefix, partitions, "undisturbed", receiver.url)
    await _apply(pipeline)
    sent = await publish_alerts(pipeline.settings)
    member = launch(pipeline.settings, pipeline.config, ROLES, folder / "undisturbed.log")
    try:
        async with _observer(pipeline.settings) as observer:
            await until("the alerts are taken", lambda: observer.settled(pipeline), member)
            docs = (await pipeline.state()).incidents.values()
            named = {s: [d.id for d in docs if d.group["service"] == s] for s in ("search", "mail")}
            dead = await publish_answers(pipeline.settings, named["search"], named["mail"])
            await until("the answers are taken", lambda: observer.settled(pipeline), member)
            await member.stop()
            reference = await result(pipeline)
    finally:
        member.end()
        await receiver.stop()
    assert reference.count == sent.alerts
    assert len(reference.dead) == sent.dead + dead
    assert {d["outcome"] for d in reference.deliveries.values()} == {"sent"}
    assert {d["action"] for d in reference.deliveries.values()} == {"page", "update", "acknowledge", "resolve"}
    assert {i["status"] for i in reference.incidents.values()} == {"open", "acknowledged", "resolved"}
    assert {i["priority"] for i in reference.incidents.values()} == {"P1", "P2", "P3", "P4"}
    assert _copies(receiver, "undisturbed") == Counter(reference.deliveries.keys())
    return World(bootstrap, redis, prefix, partitions, folder, sent, reference)


def _copies(receiver: Receiver, name: str) -> Counter[str]:
    """How often each delivery id came, before anybody drops repeats."""
    return Counter(request.headers["webhook-id"] for request in receiver.on(f"/{name}"))


@pytest.fixture(scope="module", params=[1, 4], ids=["one_partition", "four_partitions"])
def world(
    request: pytest.FixtureRequest, kafka_bootstrap: str, valkey_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """The input and the undisturbed run, once for all crash points."""
    folder = tmp_path_factory.mktemp("crash")
    prefix = f"crash{request.param}-{time.time_ns()}."
    with ThreadPoolExecutor(1) as thread:
        run = _undisturbed(kafka_bootstrap, valkey_url, prefix, request.param, folder)
        yield thread.submit(asyncio.run, run).result()


class Run:
    """One deployment in which one role is disturbed at one step."""

    def __init__(self, world: World, plan: Plan, receiver: Receiver, observer: Observer) -> None:
        self.world, self.plan, self.receiver, self.observer = world, plan, receiver, observer
        self.role = plan.step.partition(".")[0]
        self.name = f"{plan.step}.{'zombie' if plan.hold else 'crash'}"
        self.pipeline = world.pipeline(self.name, receiver.url)
        self.members: list[Member] = []

    async def settled(self) -> bool:
        """Whether nothing is left to do."""
        return await self.observer.settled(self.pipeline)

    def _launch(self, what: str, roles: tuple[str, ...], plan: Plan | None = None) -> Member:
        log = self.world.folder / f"{self.name}.{what}.log"
        member = launch(self.pipeline.settings, self.pipeline.config, roles, log, plan)
        self.members.append(member)
        return member

    async def _struck(self, what: str, plan: Plan) -> Member:
        """A member that was struck as planned; really gone, or really paused."""
        member = self._launch(what, (self.role,), plan)
        await until(f"{plan.step} is reached, see {member.log}", lambda: member.reached, member)
        await until("the member is struck", lambda: member.state == ("T" if plan.hold else ""))
        return member

    async def play(self) -> list[str]:
        """From the first member to the end; returns what is wrong."""
        await _apply(self.pipeline)
        rest = self._launch("rest", tuple(role for role in ROLES if role != self.role))
        settings, observer = self.pipeline.settings, self.observer
        before: dict[str, tuple[Callable[[Settings], Awaitable[bool]], ...]] = {
            "ingest": (),
            "correlator": (observer.cut,),
            "notifier": (observer.cut, observer.correlated),
        }
        for check in before[self.role]:
            await until("the roles before have done their work", lambda check=check: check(settings), rest)
        if self.plan.step in AFTER_ONE:
            await self._struck("predecessor", Plan(AFTER_ONE[self.plan.step]))
        struck = await self._struck("struck", self.plan)
        struck_at = time.monotonic()
        assert not await self.settled(), "there was nothing left to do when the member was struck"
        rest.start(self.role)
        await until("the successor has done all the work", self.settled, rest)
        if self.plan.hold:
            # A row entitles for 5 s; a session of production outlasts that, the one of this test does not.
            over = struck_at + ENTITLED_FOR + 0.5
            await until("its rows are too old", lambda: time.monotonic() > over, rest)
            struck.go_on()
            await until("the zombie goes on", lambda: struck.resumed, rest, struck)
            group = f"{settings.namespace}.{self.role}"
            await until("the zombie is a member again", lambda: self._joined(group), rest, struck)
            await until("the zombie and its successor are done", self.settled, rest, struck)
            await struck.stop()
        await rest.stop()
        return await self._judge(struck.under_way)

    async def _joined(self, group: str) -> bool:
        return await self.observer.members(group) == 2

    async def _judge(self, ambiguous: int) -> list[str]:
        wrong = self.world.compare(await result(self.pipeline))
        copies = _copies(self.receiver, self.name)
        repeated = sum(copies.values()) - len(copies)
        if repeated > ambiguous:
            wrong.append(f"{repeated} repeated deliveries, but {ambiguous} were between the socket and the outcome")
        if self.plan.step is Step.NOTIFIER_SENT and not repeated:
            wrong.append("nothing was sent again: the crash was not where the test says")
        return wrong

    async def end(self) -> None:
        """Whatever happened, nothing of it stays."""
        for member in self.members:
            await asyncio.to_thread(member.end)


def plans(role: str, hold: bool) -> list[Plan]:
    """A plan for every step of the role."""
    steps = [step for step in Step if step.partition(".")[0] == role]
    return [Plan(step, LATER.get(step, 1) if hold else 1, hold) for step in steps]


def test_every_step_is_struck_in_both_ways() -> None:
    for hold in (False, True):
        assert [plan.step for role in ROLES for plan in plans(role, hold)] == list(Step)


@pytest.mark.parametrize("hold", [False, True], ids=["crash", "zombie"])
@pytest.mark.parametrize("role", ROLES)
async def test_ends_as_undisturbed(world: World, role: str, hold: bool, receiver: Receiver) -> None:
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(plan: Plan, observer: Observer) -> list[str]:
        async with turns:
            run = Run(world, plan, receiver, observer)
            try:
                return await run.play()
            except (AssertionError, TimeoutError) as error:
                return [f"{type(error).__name__}: {error}"]
            finally:
                await run.end()

    async with _observer(world.pipeline("observer", receiver.url).settings) as observer:
        chosen = plans(role, hold)
        ends: list[Any] = await asyncio.gather(*(one(plan, observer) for plan in chosen))
    wrong = {str(plan.step): lines for plan, lines in zip(chosen, ends, strict=True) if lines}
    assert not wrong, "\n".join(f"{step}: {line}" for step, lines in wrong.items() for line in lines[:8])
