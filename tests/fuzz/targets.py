"""What is fuzzed: one target a reader of strangers' bytes, with what has to hold whatever they are."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from ingest.adapters.base import Adapter, NotUnderstood, Outcome, Parsed
from ingest.adapters.reading import decode
from ingest.adapters.registry import ADAPTERS
from ingest.explain import AUTO, explain
from kernel.config.load import load
from kernel.config.schema import Config
from kernel.model.signals import MAX_RECORD_BYTES
from tests.fuzz import proofs
from tests.fuzz.structure import split
from tests.fuzz.target import Target
from tests.unit.adapters.helpers import ARRIVAL, SAMPLES, message

MAPPINGS = Path(__file__).parents[2] / "deploy" / "mappings"


def hold(adapter: Adapter, raw: bytes, headers: dict[str, str] | None = None) -> None:
    """What is true of an adapter whatever it is given: the declared exception only, and results that can be written."""
    with contextlib.suppress(NotUnderstood):
        adapter.recognises(decode(raw), headers or {})
    given, detail = msgspec.structs.replace(message(raw, adapter.name), headers=headers or {}), ""
    adapter.handshake(raw, headers or {})
    try:
        parsed = adapter.parse(given)
    except NotUnderstood as error:
        parsed, detail = Parsed(Outcome.IGNORED), error.detail
    assert detail.isprintable()
    assert parsed.outcome is not Outcome.QUARANTINED or parsed.refusals
    assert parsed.reason.isprintable()
    for alert in parsed.alerts:
        assert len(msgspec.json.encode(alert)) < MAX_RECORD_BYTES
        assert len(alert.fingerprint) == 32
        assert alert.observed_at <= ARRIVAL + 300_000
        assert alert.valid_for is None or alert.valid_for > 0
    for change in parsed.changes:
        assert len(msgspec.json.encode(change)) < MAX_RECORD_BYTES
        assert len(change.fingerprint) == 32
        assert change.when <= ARRIVAL + 300_000
    for command in parsed.commands:
        assert bool(command.incident) != bool(command.alert)
        assert len(msgspec.json.encode(command)) < MAX_RECORD_BYTES
    try:
        glances = adapter.glance(given)
    except NotUnderstood:
        return
    for index, glance in enumerate(glances or ()):
        adapter.build(given, glance, index, Parsed(Outcome.IGNORED))


def _adapter(adapter: Adapter) -> Target:
    def run(data: bytes) -> None:
        headers, body = split(data) if adapter.headers else ({}, data)
        hold(adapter, body, {name: value.decode("latin-1") for name, value in headers.items()})

    samples = sorted((SAMPLES / adapter.name).glob("*"))
    return Target(f"adapter.{adapter.name}", run, tuple(path.read_bytes() for path in samples))


def _detection(config: Config | None, seeds: tuple[bytes, ...]) -> Target:
    def run(data: bytes) -> None:
        found = explain(AUTO, data, {}, config, ARRIVAL)
        msgspec.json.encode(found)
        assert found["alerts"] or found["changes"] or found["reason"]

    return Target("detection", run, seeds)


def _shipped() -> Config | None:
    return load(MAPPINGS, os.environ, secrets=False).config if MAPPINGS.is_dir() else None


def _mappings(config: Config, seeds: tuple[bytes, ...]) -> Target:
    names = sorted(config.sources)

    def run(data: bytes) -> None:
        headers, body = split(data)
        name = headers.get("source", b"").decode("latin-1")
        for source in [name] if name in config.sources else names:
            found = explain(source, body, {}, config, ARRIVAL)
            msgspec.json.encode(found)
            assert found["reason"].isprintable()

    return Target("mappings", run, seeds)


def targets() -> Iterator[Target]:
    """Every target, in a fixed order."""
    every = [_adapter(adapter) for adapter in ADAPTERS.values()]
    yield from every
    seeds = tuple(seed for target in every for seed in target.seeds)
    config = _shipped()
    yield _detection(config, seeds)
    if config is not None:
        yield _mappings(config, seeds[:20])
    yield from proofs.targets()
