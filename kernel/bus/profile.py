"""What differs between brokers, by configuration only: one table, two rows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Profile:
    """Tuning of clients for one kind of broker.

    `in_flight_ms` is how much older than now a record may still appear at the end of a raw partition: 0 where the
    broker stamps records itself. `max_backlog_bytes` is how much of a partition may be unread before writers hold
    back, None where the broker keeps everything.
    """

    name: str
    fetch_max_wait_ms: int
    session_timeout_ms: int
    heartbeat_interval_ms: int
    in_flight_ms: int
    max_backlog_bytes: int | None


KAFKA = Profile("kafka", 50, 10_000, 1_000, 0, None)
# Measured on librdkafka's broker: an empty fetch always sleeps its whole wait, a rejoin takes the whole session,
# records carry the producer's clock and a partition keeps its newest 5 MiB.
EMBEDDED = Profile("embedded", 20, 2_000, 500, 1_000, 2 * 1024 * 1024)

PROFILES = {profile.name: profile for profile in (KAFKA, EMBEDDED)}
