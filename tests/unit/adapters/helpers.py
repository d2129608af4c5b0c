"""Messages for adapters, and the samples."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ingest.adapters.base import Message, Parsed
from ingest.adapters.registry import ADAPTERS
from kernel.config.schema import SourceConfig
from kernel.model.alert import Alert, Origin

ARRIVAL = 1_772_439_600_000
"""2026-03-02T08:20:00Z"""
SAMPLES = Path(__file__).parents[2] / "samples"
FILES = sorted(SAMPLES.glob("*/*.json"))


def message(body: Any, source: str, *, config: SourceConfig | None = None, arrival: int = ARRIVAL) -> Message:
    """A message; a body that is not bytes is written as JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Message(raw, source, config or SourceConfig(), "default", arrival, Origin("ab" * 16, 3, 77, 0))


def parse(body: Any, source: str, *, config: SourceConfig | None = None, arrival: int = ARRIVAL) -> Parsed:
    """What the adapter of this name makes of a body."""
    return ADAPTERS[source].parse(message(body, source, config=config, arrival=arrival))


def sample(name: str) -> Any:
    """A sample, decoded: `datadog/triggered`."""
    return json.loads((SAMPLES / f"{name}.json").read_text())


def parse_sample(name: str, *, config: SourceConfig | None = None, arrival: int = ARRIVAL) -> Parsed:
    """What its adapter makes of a sample."""
    return parse((SAMPLES / f"{name}.json").read_bytes(), name.partition("/")[0], config=config, arrival=arrival)


def only(parsed: Parsed) -> Alert:
    """The one alert of a body that has one and no refusal."""
    assert not parsed.refusals, parsed.reason
    (alert,) = parsed.alerts
    return alert
