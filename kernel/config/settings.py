"""Process settings: where Kafka and Redis are, what to listen on. From `STORMFOLD_*` variables, read once at start."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """All settings of a process; every field is the variable `STORMFOLD_` and its name in capitals."""

    model_config = SettingsConfigDict(env_prefix="STORMFOLD_", frozen=True, extra="ignore")

    kafka: str = Field("127.0.0.1:9092", description="bootstrap servers of Kafka, host:port, comma separated")
    kafka_profile: Literal["kafka", "embedded"] = "kafka"
    kafka_security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    kafka_user: str | None = None
    kafka_password: SecretStr | None = None
    kafka_ca: Path | None = None
    redis: SecretStr = Field(SecretStr("redis://127.0.0.1:6379/0"), description="URL of Redis or Valkey")
    namespace: str = Field("sf", description="prefix of every Redis key and consumer group of this deployment")
    topic_prefix: str = Field("", description="prefix of every topic")
    downstream_prefix: str | None = Field(None, description="prefix of signals, incidents and deliveries, if another")
    shards: int = Field(64, ge=1, le=1024, description="partitions of signals; fixed while a deployment lives")
    raw_partitions: int = Field(16, ge=1)
    answers_partitions: int = Field(4, ge=1)
    config: Path = Field(Path("config"), description="the configuration directory")
    host: str = "127.0.0.1"
    port: int = Field(8080, ge=0, le=65535)
    operator_token: SecretStr | None = Field(None, description="token of the incident API; without it the API is shut")
    url: str = Field("http://127.0.0.1:8080", description="where the commands find the gateway")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    session_timeout_ms: int = Field(10_000, ge=500)
