"""What the doors answer and count: refusals with a reason, JSON bodies, the metrics of requests."""

from __future__ import annotations

from typing import Any, Final

from kernel.telemetry.http import Send
from kernel.telemetry.metrics import Metrics

Pairs = tuple[tuple[bytes, bytes], ...]

RETRY_AFTER: Final = "2"
JSON: Final[Pairs] = ((b"content-type", b"application/json"),)
RETRY: Final[Pairs] = ((b"retry-after", RETRY_AFTER.encode()),)
BACK_PRESSURE: Final = frozenset({"back_pressure", "over_share"})
"""The reasons of refusals that say: come again, there was no room."""


class Refused(Exception):
    """The request ends here: status, reason for the metric, a sentence for the sender."""

    def __init__(self, status: int, reason: str, sentence: str, headers: Pairs = (), code: int | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.reason = reason
        self.sentence = sentence
        self.headers = headers
        self.code = code or status


class Gone(Exception):
    """The sender went away before its body was there."""


class Tally:
    """Counts requests by source and status, and refusals by source and reason. Other names count as `other`."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._counters: dict[tuple[str, int], Any] = {}

    def answered(self, source: str, status: int) -> None:
        """A request was answered with this status."""
        source = self._metrics.source(source)
        counter = self._counters.get((source, status))
        if counter is None:
            counter = self._counters[source, status] = self._metrics.door_requests_total.labels(source, str(status))
        counter.inc()

    def refused(self, source: str, refused: Refused) -> None:
        """A request was refused: as an answer, and by its reason."""
        self._metrics.door_refused_total.labels(self._metrics.source(source), refused.reason).inc()
        self.answered(source, refused.status)

    def gone(self, source: str) -> None:
        """A sender went away before its body was there."""
        self._metrics.door_refused_total.labels(self._metrics.source(source), "incomplete").inc()


async def answer(send: Send, status: int, body: bytes, headers: Pairs = ()) -> None:
    """A whole response."""
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [length, *headers]})
    await send({"type": "http.response.body", "body": body})
