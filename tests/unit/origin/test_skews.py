"""The worst skew of a source, as its metric tells it."""

from __future__ import annotations

import pytest

from ingest.origin.base import NotProven
from ingest.origin.certificates import Certificates
from ingest.origin.registry import prover_for
from ingest.origin.times import Skews
from kernel.config.proof import SentryProof, SlackProof
from kernel.config.schema import SourceConfig
from kernel.telemetry.metrics import Metrics
from tests.unit.origin.requests import NOW, SECRET, secrets
from tests.unit.origin.test_codes import CASES, sent

MINUTES = 60_000


def skew(metrics: Metrics, source: str = "slack") -> float | None:
    return metrics.registry.get_sample_value("stormfold_door_clock_skew_seconds", {"source": source})


def test_the_worst_of_the_last_minutes_with_its_sign() -> None:
    metrics = Metrics(["slack"], "test")
    skews = Skews(metrics)
    start = NOW // 300_000 * 300_000
    for at, given, shown in (
        (0, 500, 0.5),
        (1, -90_000, -90.0),
        (2, 40_000, -90.0),
        (5, 1_000, -90.0),
        (9, 2_000, -90.0),
        (10, 300, 2.0),
        (25, 100, 0.1),
    ):
        skews.saw("slack", given, start + at * MINUTES)
        assert skew(metrics) == shown, at
    skews.saw("a stranger", 7_000, start)
    assert skew(metrics, "other") == 7.0


async def test_only_senders_who_know_the_secret_are_told_of() -> None:
    metrics = Metrics(["slack"], "test")
    config = SourceConfig(proof=SlackProof(secrets=secrets(SECRET)))
    made = prover_for("slack", config, Certificates(), Skews(metrics))
    assert made is not None
    with pytest.raises(NotProven):
        await made.check(sent(CASES["slack"], {"x-slack-request-timestamp": "1"}), NOW)
    assert skew(metrics) is None
    await made.check(sent(CASES["slack"]), NOW + 12_000)
    assert skew(metrics) == 12.0
    with pytest.raises(NotProven):
        await made.check(sent(CASES["slack"]), NOW + 900_000)
    assert skew(metrics) == 900.0
    plain = prover_for("s", SourceConfig(proof=SentryProof(secrets=secrets(SECRET))), Certificates(), Skews(metrics))
    assert plain is not None
    await plain.check(sent(CASES["sentry"]), NOW)
    assert skew(metrics, "other") is None


def test_a_source_without_token_and_proof_has_an_open_door() -> None:
    assert prover_for("s", SourceConfig(), Certificates()) is None
    assert prover_for("s", SourceConfig(token=secrets(SECRET)[0]), Certificates()) is not None
