"""Troubles that pass: servers away, topics being made. A role waits and begins again; it never ends by them."""

from __future__ import annotations

from typing import Final

from aiokafka.errors import KafkaError

from kernel.bus.topic_ids import TopicMetadataError, UnknownTopics
from kernel.store.client import StoreUnavailable

PASSING: Final = (StoreUnavailable, KafkaError, UnknownTopics, TopicMetadataError)
