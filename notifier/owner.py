"""One shard's notifier: facts in, ledger, rows in `deliveries`, and only then the socket.

A row entitles to a send only if it is acknowledged, is the first of its key and attempt in the partition, and is
younger than 5 s on a clock taken before it was produced. So neither a paused owner nor a store that forgot pages twice.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.structs import ConsumerRecord

from kernel.bus.publisher import Record, publish
from kernel.bus.tail import Tail
from kernel.chain import Chain, ChainSteps, Entry
from kernel.clock import Millis
from kernel.context import Context
from kernel.model.codec import Undecodable, decode_delivery, decode_incidents, encode
from kernel.model.delivery import DeliveryRow, LedgerKey, Outcome
from kernel.model.incident import IncidentStatus
from kernel.model.own import CANARY_RULE
from kernel.model.state import NotifierDoc
from kernel.shards import BadRecord
from kernel.steps import Step
from kernel.store.scripts import Change
from notifier.ledger import Ledger, again, find, pointless, read_row
from notifier.load import PARTS, load, pack
from notifier.log import DeliveryLog
from notifier.queue import Queue
from notifier.sender import Sender
from notifier.targets import Targets

log = structlog.get_logger(__name__)

STEPS = ChainSteps(
    Step.NOTIFIER_CLAIMED,
    Step.NOTIFIER_DRAINED,
    Step.NOTIFIER_APPLIED,
    Step.NOTIFIER_PUBLISHED,
    Step.NOTIFIER_TRIMMED,
)
PULSE = 1.0
ROW = "v"
LET_GO_WITHIN = 3.0
FORGET_EVERY = 60.0
FORGET_MARGIN = 3_600_000
KEEP_CANARY = 600_000


class ShardNotifier:
    """Owns the deliveries of one shard from its claim until the claim is over."""

    def __init__(
        self, context: Context, number: int, producer: AIOKafkaProducer, deliveries: Tail, targets: Targets
    ) -> None:
        self._context = context
        self.number = number
        self._producer = producer
        self._tail = deliveries
        self._targets = targets
        keys = [context.keys.notifier(number, part) for part in ("chain", "outbox", *PARTS)]
        self._chain = Chain(context, number, keys, STEPS, self._publish, "notifier")
        self._log = DeliveryLog(producer, deliveries, context.topics.deliveries, number, self._on_row)
        self._sender = Sender(context, targets, self._log, number)
        self._docs: dict[str, NotifierDoc] = {}
        self._queue = Queue()
        self._dirty: set[str] = set()
        self._gone: set[str] = set()
        self._dues: dict[str, Millis | None] = {}
        self._strays: dict[LedgerKey, float] = {}
        self._position = -1
        self._loaded = False
        self._started: set[tuple[LedgerKey, int]] = set()
        self._forget_at = 0.0
        self._decided_at = 0.0

    # --- claim

    async def claim(self, lowest: int, topics: str, fresh: dict[str, str] | None) -> None:
        """Claim, drain, load, read what `deliveries` says of the time since. Raises as Chain.claim, and ClaimOver."""
        fields = await self._chain.claim(lowest, topics, fresh)
        await self._chain.drain()
        self._docs = await load(self._context.store, self._context.keys, self.number)
        await self._chain.confirm()
        self._position, self._log.next = int(fields["pos"]), int(fields["dpos"])
        self._loaded = True
        await self._log.catch_up((await self._tail.ends([self.number]))[self.number])
        for doc in self._docs.values():
            for entry in doc.ledger:
                if entry.outcome is None:
                    self._queue.add(doc, entry)
                elif entry.outcome is Outcome.ABOUT:
                    self._strays.setdefault(entry.key, self._context.clock.monotonic())
        await self._context.steps.at(Step.NOTIFIER_LOADED, self.number)

    @property
    def next_offset(self) -> int:
        """Where to read `incidents` on."""
        return self._position + 1

    @property
    def due(self) -> bool:
        """The pulse, or a delivery whose time has come."""
        earliest = self._queue.earliest()
        return bool(
            self._strays
            or (earliest is not None and earliest <= self._context.clock.now_ms())
            or self._context.clock.monotonic() - self._chain.last_turn >= PULSE
        )

    @property
    def patience(self) -> int:
        """Milliseconds, at least 1, until the next delivery may go; a minute where none waits."""
        earliest = self._queue.earliest()
        return 60_000 if earliest is None else max(1, earliest - self._context.clock.now_ms())

    async def let_go(self) -> None:
        """Give what is under way a moment to end: a send that is heard of is not repeated by the next owner."""
        await self._sender.settle(LET_GO_WITHIN)

    async def look(self, end: int) -> None:
        """Read on in `deliveries`, which others may have written to."""
        await self._log.catch_up(end)

    # --- a turn

    async def turn(self, records: Sequence[ConsumerRecord], poisonous: set[int]) -> None:
        """Take facts (possibly none), decide what is about to be sent, write it in one script. Raises ClaimOver."""
        ledger = Ledger(self._context.config(), self._targets.keyed_by_priority, self._targets.supports)
        for record in records:
            if record.offset not in poisonous:
                self._take(ledger, record)
            self._position = record.offset
        now = self._context.clock.now_ms()
        self._take_over(now)
        rows = self._start(now)
        pulse = self._context.clock.monotonic() - self._chain.last_turn >= PULSE
        if not (records or rows or pulse):
            return
        self._forget(now)
        await self._context.steps.at(Step.NOTIFIER_DECIDED, self.number)
        self._started.clear()
        self._decided_at = self._context.clock.monotonic()
        try:
            await self._chain.turn(self._change(rows))
        finally:
            self._release_unsent(rows)

    def _take(self, ledger: Ledger, record: ConsumerRecord) -> None:
        try:
            for event in decode_incidents(record.value).events:
                name = event.headline.id
                doc = self._docs.get(name) or NotifierDoc(name)
                known = doc.headline is not None
                new = ledger.take(doc, event)
                self._docs[name] = doc
                self._dirty.add(name)
                for entry in doc.ledger if not known else new:
                    if entry.outcome is None:
                        self._queue.add(doc, entry)
        except Undecodable:
            log.exception("a record of incidents is not readable", shard=self.number, offset=record.offset)
        except Exception as error:
            # The boundary at which a bug of ours skips one record instead of stopping every page of the shard.
            log.exception("a record of incidents met an unexpected error", shard=self.number, offset=record.offset)
            raise BadRecord(record.offset) from error

    def _start(self, now: Millis) -> list[DeliveryRow]:
        """Rows of everything that may go now; each takes its place in its target's pace."""
        rows: list[DeliveryRow] = []
        for doc, entry in self._queue.due(now, lambda target: self._targets.wait(target, now)):
            if pointless(doc, entry):
                entry.outcome, entry.reason = Outcome.FAILED, "the call it would take back never arrived"
                self._queue.wake(doc, entry.key.target)
            else:
                self._targets.begin(entry.key.target, now)
                entry.outcome, entry.by, entry.first_offset, entry.at = Outcome.ABOUT, self._chain.owner, -1, now
                rows.append(
                    DeliveryRow(
                        entry.key,
                        entry.attempt,
                        Outcome.ABOUT,
                        self._chain.epoch,
                        self._chain.owner,
                        now,
                        seen=entry.seen,
                    )
                )
            self._dues[entry.key.delivery_id] = None
            self._dirty.add(doc.incident)
        return rows

    def _take_over(self, now: Millis) -> None:
        """Rows of other owners without an outcome: again where that does no harm, else only after a look."""
        for key, since in list(self._strays.items()):
            doc = self._docs.get(key.incident)
            entry = find(doc, key) if doc is not None else None
            if doc is None or entry is None or entry.outcome is not Outcome.ABOUT or entry.by == self._chain.owner:
                del self._strays[key]
            elif self._targets.idempotent(key.target):
                del self._strays[key]
                again(entry, now)
                self._queue.add(doc, entry)
                self._dirty.add(doc.incident)
            elif self._sender.look_back(doc, entry, since, self._chain.epoch, self._chain.owner):
                del self._strays[key]

    def _change(self, rows: Sequence[DeliveryRow]) -> Change:
        change = Change(chain={"pos": str(self._position), "dpos": str(self._log.next)})
        sets: list[str] = []
        for name in self._dirty - self._gone:
            sets += (name, pack(self._docs[name]))
        change.put(3, sets, sorted(self._gone))
        scores: list[str] = []
        for name, due in self._dues.items():
            if due is not None:
                scores += (str(due), name)
        change.schedule(4, scores, [name for name, due in self._dues.items() if due is None])
        for row in rows:
            change.out += (ROW, encode(row).decode("utf-8"))
        self._dirty.clear()
        self._gone.clear()
        self._dues.clear()
        return change

    # --- rows

    async def _publish(self, entries: Sequence[Entry]) -> None:
        rows = [decode_delivery(payload) for _, payload in entries]
        if not self._loaded:
            records = [Record(encode(row), row.key.incident.encode()) for row in rows]
            await publish(self._producer, self._context.topics.deliveries, self.number, records)
            return
        before = self._context.clock.monotonic()
        offsets = await self._log.append(rows)
        for row, offset in zip(rows, offsets, strict=True):
            doc = self._docs[row.key.incident]
            entry = find(doc, row.key)
            if (
                entry is not None
                and row.owner == self._chain.owner
                and (entry.attempt, entry.outcome, entry.by) == (row.attempt, Outcome.ABOUT, row.owner)
            ):
                # An earlier owner, still draining, may have published our row before us: then it is as old as its turn.
                produced_at = before if entry.first_offset == offset else self._decided_at
                self._started.add((row.key, row.attempt))
                self._sender.start(doc, entry, row, produced_at)

    def _release_unsent(self, rows: Sequence[DeliveryRow]) -> None:
        """A row that came to no send gives its place in the target's pace back."""
        for row in rows:
            if (row.key, row.attempt) not in self._started:
                self._targets.end(row.key.target)

    def _on_row(self, row: DeliveryRow, offset: int) -> None:
        """A row of the partition, in order, whoever wrote it."""
        doc = self._docs.get(row.key.incident)
        if doc is None:
            doc = self._docs[row.key.incident] = NotifierDoc(row.key.incident)
        settled = read_row(doc, row, offset)
        self._dirty.add(doc.incident)
        if settled is None:
            entry = find(doc, row.key)
            if entry is not None and entry.outcome is Outcome.ABOUT and entry.by != self._chain.owner:
                self._strays.setdefault(row.key, self._context.clock.monotonic())
            return
        ledger = Ledger(self._context.config(), self._targets.keyed_by_priority, self._targets.supports)
        for entry in (*ledger.after(doc, settled, self._context.clock.now_ms()), settled):
            if entry.outcome is None:
                self._queue.add(doc, entry)
                self._dues[entry.key.delivery_id] = entry.due
        if settled.final:
            self._queue.wake(doc, settled.key.target)

    # --- forgetting

    def _forget(self, now: Millis) -> None:
        """Drop what is over for so long that nothing of it can come back."""
        if self._context.clock.monotonic() < self._forget_at:
            return
        self._forget_at = self._context.clock.monotonic() + FORGET_EVERY
        keep = self._context.config().correlation.keep_closed + FORGET_MARGIN
        for name, doc in list(self._docs.items()):
            line = doc.headline
            if line is None or line.status not in (IncidentStatus.CLOSED, IncidentStatus.WITHDRAWN):
                continue
            long = KEEP_CANARY if line.rule == CANARY_RULE else keep
            if line.changed_at + long < now and all(entry.final for entry in doc.ledger):
                del self._docs[name]
                self._gone.add(name)
