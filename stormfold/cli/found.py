"""Settings of commands that speak to Kafka and Redis: the environment's, or those of an embedded run of this user."""

from __future__ import annotations

import os

from pydantic import SecretStr

from kernel.config.settings import Settings
from stormfold.cli import runtime_file
from stormfold.cli.settings import read_settings


def found_settings() -> Settings:
    """What `STORMFOLD_KAFKA` and `STORMFOLD_REDIS` say; where neither is set, the embedded run that is there."""
    settings = read_settings()
    if "STORMFOLD_KAFKA" in os.environ or "STORMFOLD_REDIS" in os.environ:
        return settings
    running = runtime_file.read()
    if running is None:
        return settings
    return settings.model_copy(
        update={
            "kafka": running.kafka,
            "kafka_profile": running.profile,
            "redis": SecretStr(running.redis),
            "namespace": running.namespace,
            "topic_prefix": running.topic_prefix,
        }
    )
