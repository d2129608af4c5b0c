"""Another owner's row: the target is asked about the time at which that was written, not about now."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from kernel.config.schema import Config
from kernel.context import Context
from kernel.model.delivery import DeliveryRow, LedgerKey, Outcome
from kernel.model.incident import Priority
from kernel.model.state import LedgerEntry, NotifierDoc
from notifier.channels.base import Cause, Delivery, Result
from notifier.log import DeliveryLog
from notifier.sender import Sender
from notifier.targets import Targets
from tests.channels.examples import INCIDENT, NOW, headline
from tests.channels.examples import delivery as example


class Asked:
    """A channel that is asked what became of a delivery, and the log of rows."""

    def __init__(self) -> None:
        self.of: list[Delivery] = []
        self.rows: list[DeliveryRow] = []
        self.channel = self

    async def read_back(self, delivery: Delivery) -> Result | None:
        self.of.append(delivery)
        return Result(Outcome.SENT, Cause.OK, remote_id="x")

    async def append(self, rows: list[DeliveryRow]) -> None:
        self.rows += rows

    def get(self, name: str) -> Asked:
        del name
        return self


async def test_what_a_vanished_sender_did_is_looked_for_where_it_did_it() -> None:
    asked = Asked()
    clock = SimpleNamespace(monotonic=lambda: 100.0, now_ms=lambda: NOW)
    context: Any = SimpleNamespace(clock=clock, config=Config)
    sender = Sender(cast(Context, context), cast(Targets, asked), cast(DeliveryLog, asked), 7)
    key: LedgerKey = example().key
    assert key.priority is Priority.P1
    entry = LedgerEntry(key, outcome=Outcome.ABOUT, by="another", at=NOW - 3_600_000)
    doc = NotifierDoc(INCIDENT, headline=headline(), ledger=[entry])
    assert sender.look_back(doc, entry, 0.0, 1, "me")
    async with asyncio.timeout(10):
        while not asked.rows:
            await asyncio.sleep(0.01)
    assert [delivery.sent_at_ms for delivery in asked.of] == [NOW - 3_600_000]
    assert [(row.key, row.outcome, row.at) for row in asked.rows] == [(key, Outcome.SENT, NOW)]
