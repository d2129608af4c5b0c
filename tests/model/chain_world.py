"""The chains of correlator and notifier over one shard, from `signals` to the socket, and what must hold at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiokafka import TopicPartition

from correlator.state import PARTS as CORRELATOR_PARTS
from correlator.worker import CorrelatorWorker
from kernel.bus.group import GroupLoop
from kernel.bus.tail import Tail
from kernel.config.schema import Config, RouteConfig, RuleConfig, TeamConfig, Webhook
from kernel.config.values import Duration
from kernel.model.codec import decode_delivery, encode
from kernel.model.delivery import Action, DeliveryRow, LedgerKey, Outcome
from kernel.model.incident import IncidentRecord, IncidentStatus
from kernel.model.signals import Command, Signal, SignalRecord
from kernel.model.state import IncidentDoc, MemberState, NotifierDoc
from kernel.model.state import Member as StoredMember
from kernel.store import scripts
from kernel.store.client import Arg
from notifier.channels.base import Cause, Delivery, Result
from notifier.load import PARTS as NOTIFIER_PARTS
from notifier.sender import REQUEST_TAKES
from notifier.targets import Targets
from notifier.worker import NotifierWorker
from tests.model.chain_truth import RULE, SPACING, TARGET, Truth, make_plan
from tests.model.network import Consumer, Producer
from tests.model.schedule import BASE_MS, LOST, UNANSWERED, ModelClock
from tests.model.world import Member, Violation, World

CORRELATOR, NOTIFIER = "correlator", "notifier"


@dataclass(frozen=True)
class Sent:
    """What a socket took."""

    key: LedgerKey
    attempt: int


class Channel:
    """Records what reaches its target. A request takes effect in time or not at all, as behind a client's time-outs."""

    name = TARGET
    keyed_by_priority = False

    def __init__(self, world: ChainWorld, clock: ModelClock) -> None:
        self._world = world
        self._clock = clock
        self.idempotent = world.idempotent

    def supports(self, action: Action) -> bool:
        return action is not Action.ACKNOWLEDGE or self._world.acknowledges

    async def send(self, delivery: Delivery) -> Result:
        started = self._clock.monotonic()
        fault = await self._world.schedule.gate("socket")
        if fault == LOST or self._clock.monotonic() - started > REQUEST_TAKES - 1.0:
            return Result(Outcome.RETRY, Cause.CONNECTION)
        self._world.socket.append(Sent(delivery.key, delivery.attempt))
        if fault == UNANSWERED:
            return Result(Outcome.RETRY if self.idempotent else Outcome.UNKNOWN, Cause.TIMEOUT)
        return Result(Outcome.SENT, Cause.OK)


class ReadBackChannel(Channel):
    """A target that can be asked."""

    async def read_back(self, delivery: Delivery) -> Result | None:
        await self._world.schedule.gate("socket.read_back")
        found = any(sent.key == delivery.key for sent in self._world.socket)
        return Result(Outcome.SENT, Cause.OK) if found else None


class ModelTargets(Targets):
    """The real targets, with the recording channel behind one name."""

    def __init__(self, world: ChainWorld, config: Config, clock: ModelClock, http: Any) -> None:
        super().__init__(lambda: config, http, lambda _: None)
        self._channel = (ReadBackChannel if world.reads_back else Channel)(world, clock)

    def _rebuild(self, config: Config) -> None:
        super()._rebuild(config)
        self._targets[TARGET].channel = self._channel


@dataclass(kw_only=True)
class ChainWorld(World):
    """A plan of signals is fed in order, now and then from an earlier place again, as a zombie of ingest would."""

    timers: bool = False
    acknowledges: bool = True
    idempotent: bool = False
    reads_back: bool = True
    fail_overs: bool = True
    fed: int = 0
    socket: list[Sent] = field(default_factory=list)
    decided: set[tuple[LedgerKey, int]] = field(default_factory=set)
    accepted: set[tuple[str, str]] = field(default_factory=set)
    plan: list[Signal] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__post_init__()
        for topic in ("alerts.raw", "answers.raw", "signals", "incidents", "deliveries", "alerts.dead"):
            self.network.create(topic, 1)
        self.place = {role: TopicPartition(t, 0) for role, t in ((CORRELATOR, "signals"), (NOTIFIER, "incidents"))}
        self.raw_ids = [self.network.ids[topic].hex for topic in ("alerts.raw", "answers.raw")]
        self.plan = make_plan(self.random, self.config(), *self.raw_ids)

    def config(self) -> Config:
        grace = Duration(2 * SPACING if self.timers else 1_800_000)
        rule = RuleConfig(name=RULE, match=('service!=""',), group_by=("service",), impact=("whole_site",), grace=grace)
        return Config(
            teams={"sre": TeamConfig(page=(TARGET,), notify=(TARGET,))},
            rules=(rule,),
            routes=(RouteConfig(team="sre"),),
            channels={TARGET: Webhook(url="http://127.0.0.1:9/", allow_private=True, per_minute=60_000_000)},
        )

    async def begin(self) -> None:
        for role in (CORRELATOR, NOTIFIER):
            await self.start(role, [self.place[role]])

    def member(self, role: str, places: list[TopicPartition]) -> Member:
        process = self.process(role)
        context = self.context(process)
        consumer, producer = Consumer(self.network, context.group(role), places), Producer(self.network)
        worker: CorrelatorWorker | NotifierWorker
        if role == CORRELATOR:
            tail = Tail(Consumer(self.network), self.names.incidents)
            worker = CorrelatorWorker(context, consumer, producer, tail)
        else:
            tail = Tail(Consumer(self.network), self.names.deliveries)
            assert isinstance(context.clock, ModelClock)
            targets = ModelTargets(self, context.config(), context.clock, _NO_HTTP)
            worker = NotifierWorker(context, consumer, producer, tail, targets)
        loop = worker.loop = GroupLoop(consumer, (worker.topic,), worker, context.clock, revoke_deadline=0.0)
        return Member(process, role, consumer, context, places, loop=loop)

    # --- input

    async def feed(self, back: int = 0) -> None:
        """The next signal; or what is there already once more, from some places before, in order."""
        first = max(0, self.fed - back) if back else self.fed
        end = self.fed if back else min(self.fed + 1, len(self.plan))
        for i in range(first, end):
            record = SignalRecord(0, BASE_MS + SPACING * i, (self.plan[i],))
            self.network.append(self.place[CORRELATOR], (encode(record), None, []))
        self.fed = max(self.fed, end)
        if self.timers:
            await self.state_progress()

    async def state_progress(self) -> None:
        """As ingest does: up to here all raw input is in `signals`."""
        at = BASE_MS + (SPACING * (self.fed - 1) if self.fed < len(self.plan) else int(self.schedule.now * 1000))
        fields = {f"{topic}.0": str(at) for topic in self.raw_ids}
        await self.stores.store.hset(self.keys.progress, fields)

    async def act(self) -> None:
        rnd = self.random
        if self.fed < len(self.plan) and rnd.random() < 0.08:
            await self.feed()
            if rnd.random() < 0.2:
                await self.feed(back=rnd.randint(1, 4))
        elif self.timers and rnd.random() < 0.02:
            await self.state_progress()
        await self.rescue()
        await super().act()

    def may_fail(self, waiter: Any) -> Sequence[str]:
        return (LOST, UNANSWERED) if waiter.what == "socket" else super().may_fail(waiter)

    # --- faults

    async def fault(self) -> None:
        x = self.random.random()
        if not self.fail_overs:
            await super().fault()
        elif x < 0.4 and self.past:
            which = self.random.choice((b":c:", b":n:", b":"))
            await self.fail_over(lambda key: which in key)
        elif x < 0.5:
            await self.flush()
        else:
            await super().fault()

    async def flush(self) -> None:
        """The store is empty."""
        await self.stores.admin.flushdb()
        self.past.clear()
        self.set_back, self.troubled = True, self.schedule.now

    async def rescue(self) -> None:
        """A person resets a shard that a healthy owner has said is lost; nothing of it may have been written."""
        for member in self.healthy():
            said = member.context.health._checks.get(member.role)
            if said is None or said["ok"] or "lost" not in said["reason"]:
                continue
            keys = self.role_keys(member.role)
            if await self.stores.admin.exists(*keys):
                continue
            beside = "echo" if member.role == CORRELATOR else "dpos"
            pair = ("signals", "incidents") if member.role == CORRELATOR else ("incidents", "deliveries")
            ids = "+".join(self.network.ids[name].hex for name in pair)
            wall = BASE_MS + int(self.schedule.now * 1000)
            await scripts.reset(self.stores.store, keys, wall, "person", ids, {"pos": "-1", beside: "0"})

    def role_keys(self, role: str) -> list[str]:
        """All keys of the shard under a role, the chain first."""
        if role == CORRELATOR:
            return [self.keys.correlator(0, part) for part in ("chain", "outbox", *CORRELATOR_PARTS)]
        return [self.keys.notifier(0, part) for part in ("chain", "outbox", *NOTIFIER_PARTS)]

    # --- what was decided

    def applied(self, name: str, keys: Sequence[str], args: Sequence[Arg], answer: Any) -> None:
        if name != "turn" or answer[0] != b"ok":
            return
        packed = args[3]
        assert isinstance(packed, bytes)
        out = msgspec.msgpack.decode(packed)[3]
        for topic, payload in zip(out[::2], out[1::2], strict=True):
            if topic == "v":
                row = decode_delivery(payload.encode())
                self.decided.add((row.key, row.attempt))
            elif topic == "i":
                for event in msgspec.json.decode(payload, type=IncidentRecord).events:
                    self.accepted.add((event.headline.id, event.headline.episode))

    # --- the end

    def finished(self) -> bool:
        if self.fed < len(self.plan):
            return False
        for member in self.members:
            worker: Any = member.loop._handler if member.loop else None
            owner = worker.owners.get(0) if worker else None
            if owner is None or owner.next_offset != len(self.network.logs[self.place[member.role]]):
                return False
            if member.role == CORRELATOR:
                if owner.shard.echo != len(self.network.logs[TopicPartition("incidents", 0)]) or owner.shard.dirty:
                    return False
            elif owner._log.next != len(self.network.logs[TopicPartition("deliveries", 0)]) or not all(
                entry.final for doc in owner._docs.values() for entry in doc.ledger
            ):
                return False
        return True

    async def verify(self) -> None:
        self._never_twice()
        docs, members, ledgers = await self._stored()
        unknown = {e.key for doc in ledgers.values() for e in doc.ledger if e.outcome is Outcome.UNKNOWN}
        self._same_view(docs, ledgers)
        self._commands_in_order(docs)
        self._open_ones_have_their_page(docs, unknown)
        if not self.timers:
            truth = Truth(self.plan, self.config(), self.acknowledges)
            self._same_state(truth, docs, members)
            self._sent_what_was_owed(truth, {sent.key for sent in self.socket} | unknown)

    def _sent_what_was_owed(self, truth: Truth, told: set[LedgerKey]) -> None:
        many, few = told - truth.owed, truth.owed - told
        if self.skews != (0,):
            # A claim that a fail-over lost may outbid its successor for a while: a call for what was over by the time
            # it is heard again may be missed, and its resolve then names the priority that was called for.
            owed = {(key.incident, key.episode) for key in truth.owed}
            many = {k for k in many if k.action is not Action.RESOLVE or (k.incident, k.episode) not in owed}
            few = set()
        if many or few:
            raise Violation(f"sent {_short(many)} too many, {_short(few)} too few")

    def _never_twice(self) -> None:
        rows = [decode_delivery(r.value) for r in self.network.logs[TopicPartition("deliveries", 0)]]
        first: dict[tuple[LedgerKey, int], int] = {}
        settled: dict[LedgerKey, int] = {}
        for offset, row in enumerate(rows):
            if row.outcome is Outcome.ABOUT:
                first.setdefault((row.key, row.attempt), offset)
            elif row.outcome is Outcome.SENT:
                settled.setdefault(row.key, offset)
        seen: set[tuple[LedgerKey, int]] = set()
        for sent in self.socket:
            name = (sent.key, sent.attempt)
            if name not in self.decided or name not in first:
                raise Violation(f"sent though no accepted turn decided it, or without its row: {name}")
            if name in seen or (not self.idempotent and any(key == sent.key for key, _ in seen)):
                raise Violation(f"sent twice: {name} {self._history(rows, sent.key)}")
            if settled.get(sent.key, len(rows)) < first[name]:
                raise Violation(f"sent again after its outcome stood in deliveries: {name}")
            if (sent.key.incident, sent.key.episode) not in self.accepted:
                raise Violation(f"sent for an episode that no accepted turn of the correlator decided: {name}")
            seen.add(name)

    def _history(self, rows: Sequence[DeliveryRow], key: LedgerKey) -> list[str]:
        return [f"{i}:{r.outcome}#{r.attempt}" for i, r in enumerate(rows) if r.key == key]

    async def _stored(self) -> tuple[dict[str, IncidentDoc], dict[str, StoredMember], dict[str, NotifierDoc]]:
        store = self.stores.store
        found = await store.hgetall(self.keys.correlator(0, "incidents"))
        docs = [msgspec.json.decode(data, type=IncidentDoc) for data in found.values()]
        found = await store.hgetall(self.keys.correlator(0, "members"))
        members = [msgspec.json.decode(data, type=StoredMember) for data in found.values()]
        found = await store.hgetall(self.keys.notifier(0, "incidents"))
        ledgers = [msgspec.json.decode(data, type=NotifierDoc) for data in found.values()]
        return ({d.id: d for d in docs}, {m.fingerprint: m for m in members}, {n.incident: n for n in ledgers})

    def _same_view(self, docs: dict[str, IncidentDoc], ledgers: dict[str, NotifierDoc]) -> None:
        over = (IncidentStatus.CLOSED, IncidentStatus.WITHDRAWN)
        view = {
            n.incident: (h.status, h.episode, h.priority, h.reached, h.firing, h.members)
            for n in ledgers.values()
            if (h := n.headline) is not None and (n.incident in docs or h.status not in over)
        }
        mine = {d.id: (d.status, d.episode, d.score.priority, d.reached, d.firing, d.members) for d in docs.values()}
        if view != mine:
            raise Violation(f"the notifier sees {view}, the correlator {mine}")

    def _commands_in_order(self, docs: dict[str, IncidentDoc]) -> None:
        order = [signal.id for signal in self.plan if isinstance(signal, Command)]
        for doc in docs.values():
            if doc.answers != [name for name in order if name in doc.answers]:
                raise Violation(f"commands repeated or out of order: {doc.answers}")

    def _open_ones_have_their_page(self, docs: dict[str, IncidentDoc], unknown: set[LedgerKey]) -> None:
        told = [sent.key for sent in self.socket] + list(unknown)
        for doc in docs.values():
            if doc.status is not IncidentStatus.OPEN:
                continue
            mine = [key for key in told if (key.incident, key.episode) == (doc.id, doc.episode)]
            if not any(key.action in (Action.PAGE, Action.UPDATE) for key in mine):
                raise Violation(f"nobody was told of {doc.id} {doc.episode}")
            if any(key.action is Action.RESOLVE for key in mine):
                raise Violation(f"{doc.id} is open, but its call was taken back")

    def _same_state(self, truth: Truth, docs: dict[str, IncidentDoc], members: dict[str, StoredMember]) -> None:
        wanted = {
            i.id: (i.status, i.episode, i.priority, len(i.firing), i.answers, sum(m.count for m in i.members.values()))
            for i in truth.incidents.values()
        }
        found = {d.id: (d.status, d.episode, d.reached, d.firing, d.answers, d.count) for d in docs.values()}
        if found != wanted:
            raise Violation(f"state {found} != {wanted}")
        each = {name: (m.firing, m.handled, m.count) for i in truth.incidents.values() for name, m in i.members.items()}
        stored = {m.fingerprint: (m.state is MemberState.FIRING, m.handled, m.count) for m in members.values()}
        if stored != each:
            raise Violation(f"members {stored} != {each}")


# Never used: the recording channel is behind the only target.
_NO_HTTP: Any = None


def _short(keys: set[LedgerKey]) -> list[str]:
    return [f"{key.episode}/{key.action}/{key.priority}" for key in sorted(keys)]
