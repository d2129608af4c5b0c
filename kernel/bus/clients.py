"""Kafka clients with the settings that keep the promises: acks=all, idempotent, no auto-commit, no silent reset."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import KafkaConnectionError, KafkaError

from kernel.bus.profile import PROFILES, Profile
from kernel.config.settings import Settings

MAX_REQUEST = 1024 * 1024
START_SECONDS = 5.0
log = logging.getLogger(__name__)


class BusUnavailable(ConnectionError):
    """No broker let this client in; the message says what was tried and what may be wrong."""


@dataclass(frozen=True)
class Bus:
    """How to reach Kafka; makes every client of a process."""

    bootstrap: str
    profile: Profile
    security: dict[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, settings: Settings) -> Bus:
        """From the process settings."""
        security: dict[str, Any] = {"security_protocol": settings.kafka_security}
        if settings.kafka_security.endswith("SSL"):
            security["ssl_context"] = ssl.create_default_context(cafile=settings.kafka_ca)
        if settings.kafka_security.startswith("SASL"):
            password = settings.kafka_password.get_secret_value() if settings.kafka_password else None
            security |= {
                "sasl_mechanism": settings.kafka_sasl_mechanism,
                "sasl_plain_username": settings.kafka_user,
                "sasl_plain_password": password,
            }
        profile = PROFILES[settings.kafka_profile]
        if profile.name == "kafka":
            session = settings.session_timeout_ms
            beat = max(100, min(profile.heartbeat_interval_ms, session // 4))
            profile = replace(profile, session_timeout_ms=session, heartbeat_interval_ms=beat)
        return cls(settings.kafka, profile, security)

    def producer(self) -> AIOKafkaProducer:
        """An idempotent producer that sends at once: the loops that wait for it have made the batch already."""
        return AIOKafkaProducer(
            bootstrap_servers=self.bootstrap,
            acks="all",
            enable_idempotence=True,
            linger_ms=0,
            max_batch_size=512 * 1024,
            max_request_size=MAX_REQUEST,
            request_timeout_ms=40_000,
            **self.security,
        )

    def group_consumer(self, group: str) -> AIOKafkaConsumer:
        """A member of a group; whoever runs it owns the positions."""
        return AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap,
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="none",
            partition_assignment_strategy=(RoundRobinPartitionAssignor,),
            fetch_max_wait_ms=self.profile.fetch_max_wait_ms,
            session_timeout_ms=self.profile.session_timeout_ms,
            heartbeat_interval_ms=self.profile.heartbeat_interval_ms,
            rebalance_timeout_ms=max(self.profile.session_timeout_ms, 5_000),
            max_poll_interval_ms=300_000,
            metadata_max_age_ms=10_000,
            **self.security,
        )

    def reader(self) -> AIOKafkaConsumer:
        """A consumer outside every group, for reading named partitions from named offsets."""
        return AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            fetch_max_wait_ms=self.profile.fetch_max_wait_ms,
            metadata_max_age_ms=10_000,
            **self.security,
        )

    async def start(self, client: Any) -> Any:
        """Start a client. Raises BusUnavailable with what may be wrong: a bad password looks like a dead broker."""
        starting = asyncio.ensure_future(client.start())
        try:
            await asyncio.shield(starting)
        except asyncio.CancelledError:
            # A client that is interrupted in the middle of its start loses sight of its own connections.
            await asyncio.wait([starting], timeout=START_SECONDS)
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            await client.stop()
            raise
        except (KafkaConnectionError, KafkaError, OSError) as error:
            await client.stop()
            hint = (
                "check STORMFOLD_KAFKA, and user, password and STORMFOLD_KAFKA_SECURITY where the broker asks for them"
            )
            raise BusUnavailable(f"no Kafka broker at {self.bootstrap} let stormfold in ({error}); {hint}") from error
        return client

    @asynccontextmanager
    async def running(self, *clients: Any) -> AsyncIterator[None]:
        """Start clients in their order and stop them in the other one, whatever happens between.

        Raises BusUnavailable as `start`. A role that is ended while it still starts leaves no client behind.
        """
        async with AsyncExitStack() as stops:
            for client in clients:
                # One that never started has to be stopped as well: it counts as open from its making on.
                stops.push_async_callback(client.stop)
            for client in clients:
                await self.start(client)
            yield
