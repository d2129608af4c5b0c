"""The canary: stormfold sends itself an alert now and then, which goes all the way to a channel that only records it.

Each is an alert of its own that the next one resolves, so a canary's incident opens, is delivered, ends and is
forgotten within minutes, and what is kept of canaries stays the same however long they are sent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import orjson
import uuid_utils

from ingest.gateway.collector import Collector, HeldBack, NotAcknowledged
from kernel.clock import Clock, Millis
from kernel.config.schema import Config
from kernel.model.own import CANARY_SENT, CANARY_SOURCE
from kernel.telemetry.metrics import Metrics

LOOK_AGAIN: Final = 5.0


class Canary:
    """Sends canaries of one gateway, the first one after `canary.every`."""

    def __init__(self, config: Callable[[], Config], collector: Collector, clock: Clock, metrics: Metrics) -> None:
        self._config = config
        self._collector = collector
        self._clock = clock
        self._metrics = metrics
        self._last = ""

    async def run(self) -> None:
        """Until it is cancelled; a reload changes how often, or turns it off and on."""
        since = self._clock.monotonic()
        while True:
            every = self._config().canary.every / 1_000
            wait = since + every - self._clock.monotonic()
            if not every or wait > 0:
                await self._clock.sleep(min(wait, LOOK_AGAIN) if every else LOOK_AGAIN)
                continue
            since = self._clock.monotonic()
            await self._send(self._clock.now_ms())

    async def _send(self, now: Millis) -> None:
        name = str(uuid_utils.uuid7())
        alerts = [_alert(self._last, "resolved", now)] if self._last else []
        body = orjson.dumps([*alerts, _alert(name, "firing", now)])
        try:
            await self._collector.submit(
                self._collector.spread(CANARY_SOURCE), body, [("source", CANARY_SOURCE.encode())]
            )
        except (HeldBack, NotAcknowledged):
            # Its age says so, where it matters.
            self._metrics.canary_sent_total.labels("refused").inc()
            return
        self._last = name
        self._metrics.canary_sent_total.labels("accepted").inc()


def _alert(name: str, status: str, now: Millis) -> dict[str, object]:
    return {
        "id": name,
        "name": "Canary",
        "status": status,
        "severity": "info",
        "summary": "stormfold's own canary",
        "labels": {CANARY_SENT: str(now)},
    }
