"""The channel of canaries: it records that one arrived and how long it took, and tells nobody."""

from __future__ import annotations

from collections.abc import Callable

from kernel.clock import Clock, Millis
from kernel.config.schema import Config
from kernel.model.delivery import Action, Outcome
from kernel.model.own import CANARY_CHANNEL, CANARY_SENT
from kernel.telemetry.metrics import Metrics
from notifier.channels.base import Cause, Delivery, Result

ROLE = "notifier"


class CanaryChannel:
    """Keeps when the newest canary was sent that was delivered here, for the gauges."""

    idempotent = True
    keyed_by_priority = False
    name = CANARY_CHANNEL

    def __init__(self, config: Callable[[], Config], clock: Clock, metrics: Metrics) -> None:
        self._config = config
        self._clock = clock
        self._metrics = metrics
        # A process that has not delivered any counts from its start: that too is an age at which one is missed.
        self._newest = clock.now_ms()
        metrics.canary_age_seconds.labels(ROLE).set_function(self._age)
        metrics.canary_every_seconds.labels(ROLE).set_function(lambda: config().canary.every / 1_000)

    def _age(self) -> float:
        """Seconds since the newest delivered canary was sent; 0 where none are sent."""
        return max(0, self._clock.now_ms() - self._newest) / 1_000 if self._config().canary.every else 0.0

    def supports(self, action: Action) -> bool:
        """What opens; a canary's end is told to nobody."""
        return action in (Action.PAGE, Action.UPDATE)

    async def send(self, delivery: Delivery) -> Result:
        """Record the delivery."""
        sent, now = _sent(delivery), self._clock.now_ms()
        self._newest = max(self._newest, sent)
        self._metrics.canary_latency_seconds.labels(ROLE).set(max(0, now - sent) / 1_000)
        return Result(Outcome.SENT, Cause.OK, remote_id=delivery.key.delivery_id)


def _sent(delivery: Delivery) -> Millis:
    """When the gateway sent it; whoever forges one is believed no more than its arrival."""
    text = delivery.headline.labels.get(CANARY_SENT, "")
    arrival = delivery.headline.cause_arrival
    return min(int(text), arrival) if text.isascii() and text.isdigit() and len(text) < 16 else arrival
