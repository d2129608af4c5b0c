"""What the storm came to: totals from the metrics and from the incidents as the shards keep them, and their checks."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from msgspec import Struct

from kernel.clock import Millis
from kernel.context import Context
from kernel.model.delivery import Action, Outcome
from kernel.model.state import IncidentDoc, Member, NotifierDoc
from kernel.store.incidents import IncidentReader
from kernel.telemetry.metrics import PASSED, SUPPRESSED
from stormfold.cli.errors import UserError
from stormfold.demo.player import Player, outcomes
from stormfold.demo.receiver import Receiver

SETTLED_WITHIN: Final = 60.0
LOOK: Final = 0.02
MAX_INCIDENTS: Final = 100_000
_told: Final = msgspec.json.Decoder(NotifierDoc)
_member: Final = msgspec.json.Decoder(Member)


class ToPage(Struct, frozen=True):
    """Milliseconds from the opener's record timestamp to the receiver's answer; None without a page."""

    p50: int | None
    p99: int | None


class Totals(Struct, frozen=True):
    """The one object that `stormfold demo --json` prints."""

    raw: int
    accepted: int
    suppressed: int
    refreshed: int
    transitions: int
    dead: int
    incidents: int
    pages: int
    alerts_per_second: float
    alert_to_page_ms: ToPage


class Told(Struct, frozen=True):
    """An incident with its members and who was paged for it, as the demo shows and writes it."""

    rule: str
    group: dict[str, str]
    priority: str
    team: str | None
    status: str
    members: list[list[Any]]
    count: int
    title: str
    id: str
    paged: list[str]


class Settling:
    """Watches a run until its input is drained: cut, applied, told and answered."""

    def __init__(self, context: Context, topic_id: str, reader: AIOKafkaConsumer) -> None:
        self._context = context
        self._topic_id = topic_id
        self._reader = reader

    async def cut(self) -> float:
        """Wait until every raw record is cut; returns that moment on the monotonic clock."""
        context = self._context
        places = [TopicPartition(context.topics.alerts, n) for n in range(context.settings.raw_partitions)]
        ends = await self._reader.end_offsets(places)

        async def done() -> bool:
            wanted = [(context.keys.cut(self._topic_id, place.partition), ["done"]) for place in places]
            held = await context.store.hmget_all(wanted)
            return all(int(row[0] or 0) >= ends[place] for row, place in zip(held, places, strict=True))

        await self._wait(done, "ingest did not cut what it read")
        return context.clock.monotonic()

    async def applied(self) -> None:
        """Wait until the correlator has applied what ingest sent, and the notifier what the correlator said."""
        names, keys = self._context.topics, self._context.keys
        await self._taken(names.signals, keys.correlator, "the correlator did not apply all signals")
        await self._taken(names.incidents, keys.notifier, "the notifier did not take all facts")
        await self._wait(self._answered, "not every delivery was answered")

    async def _taken(self, topic: str, key: Any, what: str) -> None:
        shards = range(self._context.settings.shards)
        ends = await self._reader.end_offsets([TopicPartition(topic, shard) for shard in shards])

        async def done() -> bool:
            held = await self._context.store.hmget_all([(key(shard, "chain"), ["pos"]) for shard in shards])
            return all(
                int(row[0] or -1) + 1 >= ends[TopicPartition(topic, shard)]
                for shard, row in zip(shards, held, strict=True)
            )

        await self._wait(done, what)

    async def _answered(self) -> bool:
        docs = await notes(self._context)
        return all(entry.outcome is not None and entry.outcome.final for doc in docs.values() for entry in doc.ledger)

    async def _wait(self, done: Any, what: str) -> None:
        clock = self._context.clock
        until = clock.monotonic() + SETTLED_WITHIN
        while not await done():
            if clock.monotonic() > until:
                raise UserError(f"{what} within {SETTLED_WITHIN:.0f} s; the log on standard error has the reason")
            await clock.sleep(LOOK)


async def notes(context: Context) -> dict[str, NotifierDoc]:
    """What the notifier keeps of every incident."""
    shards = range(context.settings.shards)
    found = await asyncio.gather(*(context.store.hgetall(context.keys.notifier(n, "incidents")) for n in shards))
    return {name.decode(): _told.decode(value) for held in found for name, value in held.items()}


async def told(context: Context) -> list[Told]:
    """Every incident, the most urgent first."""
    reader = IncidentReader(context.store, context.keys, context.settings.shards)
    docs = (await reader.list(limit=MAX_INCIDENTS)).incidents
    notifier = await notes(context)
    shards = range(context.settings.shards)
    held = await asyncio.gather(*(context.store.hgetall(context.keys.correlator(n, "members")) for n in shards))
    members: dict[str, list[list[Any]]] = {}
    for value in (value for part in held for value in part.values()):
        member = _member.decode(value)
        members.setdefault(member.incident, []).append([member.fingerprint, member.state.value, member.count])
    return [_tell(doc, sorted(members.get(doc.id, [])), notifier.get(doc.id)) for doc in docs]


def _tell(doc: IncidentDoc, members: list[list[Any]], note: NotifierDoc | None) -> Told:
    pages = [
        entry.key.target
        for entry in (note.ledger if note else ())
        if entry.key.action is Action.PAGE and entry.outcome is Outcome.SENT and entry.key.target == "pager"
    ]
    team = (note.team if note and note.team else None) or doc.team
    return Told(
        doc.rule,
        doc.group,
        doc.score.priority.value,
        team,
        doc.status.value,
        members,
        doc.count,
        doc.title,
        doc.id,
        pages,
    )


async def totals(context: Context, player: Player, receiver: Receiver, seconds: float) -> Totals:
    """The totals now; `seconds` from the first send to the last cut."""
    by = outcomes(context)
    listed = await IncidentReader(context.store, context.keys, context.settings.shards).list(limit=MAX_INCIDENTS)
    waits = page_waits(await notes(context), receiver)
    return Totals(
        raw=player.raw,
        accepted=player.accepted,
        suppressed=sum(by.get(outcome, 0) for outcome in SUPPRESSED),
        refreshed=by.get("lease_expired", 0),
        transitions=sum(by.get(outcome, 0) for outcome in PASSED),
        dead=by.get("dead", 0),
        incidents=len(listed.incidents),
        pages=pages_sent(context),
        alerts_per_second=round(player.accepted / seconds, 1) if seconds > 0 else 0.0,
        alert_to_page_ms=ToPage(percentile(waits, 50), percentile(waits, 99)),
    )


def page_waits(docs: dict[str, NotifierDoc], receiver: Receiver) -> list[Millis]:
    """Of each answered page the milliseconds since the alert that caused it arrived, in order."""
    return sorted(
        answered.at - entry.cause_arrival
        for doc in docs.values()
        for entry in doc.ledger
        if entry.key.action is Action.PAGE
        and (answered := receiver.answered.get(entry.key.delivery_id)) is not None
        and answered.path == "/page"
    )


def pages_sent(context: Context) -> int:
    """Pages that a receiver answered."""
    return sum(
        int(sample.value)
        for metric in context.metrics.pages_total.collect()
        for sample in metric.samples
        if sample.name.endswith("_total") and sample.labels["outcome"] == Outcome.SENT.value
    )


def percentile(values: Sequence[int], percent: int) -> int | None:
    """By nearest rank, of sorted values."""
    if not values:
        return None
    return values[max(0, -(-len(values) * percent // 100) - 1)]


async def check(context: Context, found: Totals) -> None:
    """The two equations that must hold once the input is drained. Raises UserError saying which does not."""
    judged = found.suppressed + found.transitions + found.dead
    if found.accepted != judged:
        raise UserError(
            f"the totals do not add up: {found.accepted:,} alerts were accepted, but {found.suppressed:,} suppressed + "
            f"{found.transitions:,} transitions + {found.dead:,} dead = {judged:,}"
        )
    counted = await _counted(context)
    if counted != found.accepted - found.dead:
        raise UserError(
            f"the counts do not add up: the shards count {counted:,} alerts, but {found.accepted:,} were accepted and "
            f"{found.dead:,} of them are dead"
        )


async def _counted(context: Context) -> int:
    """Alerts that the shards count: of their incidents, and those that belong to none."""
    listed = await IncidentReader(context.store, context.keys, context.settings.shards).list(limit=MAX_INCIDENTS)
    shards = range(context.settings.shards)
    chains = await asyncio.gather(*(context.store.hgetall(context.keys.correlator(n, "chain")) for n in shards))
    others = sum(
        int(value)
        for chain in chains
        for name, value in chain.items()
        if name.startswith((b"total:unattributed", b"total:forgotten"))
    )
    return others + sum(doc.count for doc in listed.incidents)
