"""Errors that are the user's to mend: shown as one sentence, without a traceback."""

from __future__ import annotations


class UserError(Exception):
    """A command cannot do what it was asked for; the text says why, and what to do. Exit code 1."""


def expected_errors() -> tuple[type[Exception], ...]:
    """The errors whose text is written for the user. Imported when one occurs, so that the start stays quick."""
    from kernel.bus.clients import BusUnavailable
    from kernel.bus.topic_ids import TopicMetadataError, UnknownTopics
    from kernel.bus.topics import BrokerUnreachable, TopicsRefused
    from kernel.config.load import ConfigError
    from kernel.store.client import StoreUnfit

    bus = BrokerUnreachable, BusUnavailable, TopicsRefused, TopicMetadataError, UnknownTopics
    return UserError, ConfigError, StoreUnfit, *bus
