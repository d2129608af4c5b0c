"""Senders: tasks that write to sockets, each entitled by one row, each writing what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import msgspec
import structlog
from aiokafka.errors import KafkaError

from kernel.context import Context
from kernel.model.delivery import Action, DeliveryRow, LedgerKey, Outcome
from kernel.model.state import LedgerEntry, NotifierDoc
from kernel.steps import Step
from notifier.channels.base import Delivery, ReadsBack, Result
from notifier.log import DeliveryLog
from notifier.targets import Targets
from notifier.texts import compose

log = structlog.get_logger(__name__)

ENTITLED_FOR = 5.0
REQUEST_TAKES = 13.0
"""Connect 3 s and answer 10 s: how long another owner's request may still be under way."""
OUTCOME_TRIES = 5

Sending = tuple[LedgerKey, int]


class Sender:
    """Runs the sends of one shard."""

    def __init__(self, context: Context, targets: Targets, deliveries: DeliveryLog, shard: int) -> None:
        self._context = context
        self._targets = targets
        self._log = deliveries
        self._shard = shard
        self._tasks: dict[Sending, asyncio.Task[None]] = {}

    def start(self, doc: NotifierDoc, entry: LedgerEntry, row: DeliveryRow, produced_at: float) -> None:
        """Send what this row entitles to; `produced_at` is the monotonic clock before the row was produced."""
        self._run((row.key, row.attempt), self._send(doc, entry, row, produced_at))

    def _run(self, name: Sending, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks[name] = task
        task.add_done_callback(lambda done: self._over(name, done))

    def _over(self, name: Sending, task: asyncio.Task[None]) -> None:
        self._tasks.pop(name, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a send ended by an unexpected error; the next owner tries again", error=repr(error))

    async def settle(self, within: float) -> None:
        """Wait for what is under way, for so many seconds."""
        if self._tasks:
            await asyncio.wait(list(self._tasks.values()), timeout=within)

    async def _send(self, doc: NotifierDoc, entry: LedgerEntry, row: DeliveryRow, produced_at: float) -> None:
        try:
            sent = await self._attempt(doc, row, produced_at)
        finally:
            # The target has answered; what follows is between us and Kafka.
            self._targets.end(row.key.target)
        if sent is None:
            await self._outcome(row, Outcome.NOT_SENT, "its row was older than 5 s")
            return
        result, seconds = sent
        self._count(entry, row, result, seconds)
        said = f"{result.reason}: {result.detail}" if result.detail else result.reason.value
        await self._outcome(row, result.outcome, said, result.retry_after_ms, result.remote_id)
        await self._context.steps.at(Step.NOTIFIER_OUTCOME, self._shard)

    async def _attempt(self, doc: NotifierDoc, row: DeliveryRow, produced_at: float) -> tuple[Result, float] | None:
        """The result and how many seconds it took; None, and nothing sent, where the row is too old by now."""
        clock = self._context.clock
        await self._context.steps.at(Step.NOTIFIER_ENTITLED, self._shard)
        delivery = self._delivery(doc, row)
        if clock.monotonic() - produced_at > ENTITLED_FOR:
            return None
        started = clock.monotonic()
        result = await self._targets.send(delivery, clock.now_ms)
        await self._context.steps.at(Step.NOTIFIER_SENT, self._shard)
        return result, clock.monotonic() - started

    def _delivery(self, doc: NotifierDoc, row: DeliveryRow) -> Delivery:
        assert doc.headline is not None
        template = next((r.title for r in self._context.config().rules if r.name == doc.headline.rule), None)
        # The correlator knows the team that a rule names; whoever reads a delivery wants the one that was chosen.
        line = msgspec.structs.replace(doc.headline, team=doc.team or None)
        text = compose(line, row.key, line.team, doc.team_reason, template)
        return Delivery(row.key, row.attempt, line, text, self._context.clock.now_ms(), _thread(doc, row.key))

    async def _outcome(
        self, row: DeliveryRow, outcome: Outcome, reason: str, retry_after_ms: int = 0, remote_id: str = ""
    ) -> None:
        """Straight to `deliveries`; the ledger follows by reading. Where that fails the next owner decides."""
        done = DeliveryRow(
            row.key,
            row.attempt,
            outcome,
            row.epoch,
            row.owner,
            self._context.clock.now_ms(),
            reason,
            retry_after_ms,
            remote_id,
            row.seen,
        )
        for attempt in range(OUTCOME_TRIES):
            try:
                await self._log.append([done])
            except KafkaError as error:
                log.warning("an outcome was not acknowledged", delivery=row.key.delivery_id, error=str(error))
                await self._context.clock.sleep(0.2 * (attempt + 1))
            else:
                return

    def _count(self, entry: LedgerEntry, row: DeliveryRow, result: Result, seconds: float) -> None:
        metrics, kind = self._context.metrics, self._targets.get(row.key.target).kind
        metrics.deliveries_total.labels(kind, row.key.action.value, result.outcome.value).inc()
        metrics.delivery_seconds.labels(kind).observe(seconds)
        if row.key.action is Action.PAGE:
            metrics.pages_total.labels(kind, result.outcome.value).inc()
            if result.outcome is Outcome.SENT and entry.cause_arrival:
                late = self._context.clock.now_ms() - entry.cause_arrival
                metrics.alert_to_page_seconds.observe(max(0, late) / 1000)
        log.info(
            "delivery",
            action=row.key.action.value,
            incident=row.key.incident,
            target=row.key.target,
            attempt=row.attempt,
            outcome=result.outcome.value,
            reason=result.reason.value,
            detail=result.detail,
        )

    # --- another owner's row at a target where a repeat does harm

    def look_back(self, doc: NotifierDoc, entry: LedgerEntry, since: float, epoch: int, owner: str) -> bool:
        """Find out what became of another owner's row, once its request must be over. True where that was begun."""
        if self._context.clock.monotonic() - since < ENTITLED_FOR + REQUEST_TAKES or doc.headline is None:
            return False
        row = DeliveryRow(entry.key, entry.attempt, Outcome.ABOUT, epoch, owner, entry.at, seen=entry.seen)
        self._run((row.key, row.attempt), self._look_back(doc, row))
        return True

    async def _look_back(self, doc: NotifierDoc, row: DeliveryRow) -> None:
        channel = self._targets.get(row.key.target).channel
        if not isinstance(channel, ReadsBack):
            await self._outcome(row, Outcome.UNKNOWN, "its sender vanished, and the target cannot be asked")
            return
        # It may have been sent long ago, before nobody was there to ask.
        found = await channel.read_back(replace(self._delivery(doc, row), sent_at_ms=row.at))
        if found is not None:
            await self._outcome(row, found.outcome, "found by reading back", 0, found.remote_id)
        else:
            await self._outcome(row, Outcome.NOT_SENT, "not found by reading back")


def _thread(doc: NotifierDoc, key: LedgerKey) -> str:
    """The remote id of what told this target of the episode first: what follows belongs under it."""
    told = (
        entry
        for entry in doc.ledger
        if (entry.key.target, entry.key.episode) == (key.target, key.episode) and entry.key != key
    )
    return next((entry.remote_id for entry in told if entry.outcome is Outcome.SENT and entry.remote_id), "")
