"""The gateway's producer: one for all doors, replaced where it has broken for good."""

from __future__ import annotations

import asyncio
import logging

from aiokafka import AIOKafkaProducer

from kernel.bus.clients import Bus, BusUnavailable
from kernel.clock import Clock

RENEW_EVERY = 1.0
log = logging.getLogger(__name__)


class Link:
    """Holds a started producer. An idempotent producer that met a fatal error refuses every later batch, so one
    that failed is suspected and replaced in the background, at most once in `RENEW_EVERY` seconds.
    """

    def __init__(self, bus: Bus, clock: Clock) -> None:
        self._bus = bus
        self._clock = clock
        self._producer: AIOKafkaProducer | None = None
        self._renewing: asyncio.Task[None] | None = None
        self._renewed = clock.monotonic()
        self._closed = False
        self.broken = False

    @property
    def producer(self) -> AIOKafkaProducer:
        """The producer in use; the link has to be started."""
        if self._producer is None:
            raise RuntimeError("the gateway's producer is used before its start")
        return self._producer

    async def start(self) -> None:
        """Connect. Raises BusUnavailable with what may be wrong."""
        self._producer = await self._bus.start(self._bus.producer())
        self._closed = False

    def suspect(self, producer: AIOKafkaProducer) -> None:
        """A batch of this producer failed for good: replace it unless that was done already."""
        if producer is self._producer:
            self.broken = True
            self.mend()

    def mend(self) -> None:
        """Replace a producer that is broken, unless that is under way or was tried just now."""
        if self._closed or not self.broken or self._renewing is not None:
            return
        if self._clock.monotonic() - self._renewed < RENEW_EVERY:
            return
        self._renewed = self._clock.monotonic()
        self._renewing = asyncio.create_task(self._renew(), name="gateway.producer.renew")

    async def _renew(self) -> None:
        try:
            old, self._producer = self._producer, await self._bus.start(self._bus.producer())
        except BusUnavailable as error:
            log.warning("the gateway's producer cannot be replaced yet: %s", error)
        else:
            self.broken = False
            await stop_within(old, 5.0)
        finally:
            self._renewing = None

    async def close(self, deadline: float) -> None:
        """Let go of Kafka within `deadline` seconds, whether it answers or not."""
        self._closed = True
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.wait([self._renewing])
        producer, self._producer = self._producer, None
        await stop_within(producer, deadline)


async def stop_within(producer: AIOKafkaProducer | None, deadline: float) -> None:
    """Stop a producer; `stop` alone waits for ever for a broker that is gone."""
    if producer is None:
        return
    stopping = asyncio.ensure_future(producer.stop())
    done, _ = await asyncio.wait([stopping], timeout=deadline)
    if not done:
        log.warning("Kafka did not take leave within %.1f s; what it had not acknowledged was never promised", deadline)
        stopping.cancel()
        await asyncio.wait([stopping])
        await producer.client.close()
