"""What all adapters share: times, clean text, bounds, unpacking, detection."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ingest.adapters.base import Default, NotUnderstood, Outcome, Parsed, Reason
from ingest.adapters.reading import ABSENT, UNREADABLE, clean_labels, clean_links, clean_text, epoch, moment
from ingest.adapters.registry import ADAPTERS, UnknownAdapter, adapter_for, detect, nearest
from ingest.adapters.unpack import MAX_BODY, unpack
from kernel.config.schema import SourceConfig
from kernel.model.signals import MAX_RECORD_BYTES
from tests.unit.adapters.helpers import FILES, SAMPLES, only, parse, sample


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("2026-03-02T08:20:00Z", 1_772_439_600_000),
        ("2026-03-02T08:20:00.123456789Z", 1_772_439_600_123),
        ("2026-03-02T09:20:00.000+0100", 1_772_439_600_000),
        ("0001-01-01T00:00:00Z", ABSENT),
        ("1970-01-01T00:00:00Z", ABSENT),
        ("", ABSENT),
        ("2026-03-02", UNREADABLE),
        ("1999-12-31T23:59:59Z", UNREADABLE),
        ("9999-12-31T23:59:59Z", UNREADABLE),
        ("9999-12-31T23:59:59-23:59", UNREADABLE),
        ("0001-01-01T00:00:00+23:00", ABSENT),
    ],
)
def test_moment(text: str, ms: int) -> None:
    assert moment(text) == ms


@pytest.mark.parametrize(
    ("value", "ms"),
    [
        (1_772_439_600, 1_772_439_600_000),
        (1_772_439_600.25, 1_772_439_600_250),
        (1_772_439_600_000, 1_772_439_600_000),
        (1_772_439_600_000_000, 1_772_439_600_000),
        (1_772_439_600_000_000_000, 1_772_439_600_000),
        (0, ABSENT),
        (-1, UNREADABLE),
        (1, UNREADABLE),
        (10**400, UNREADABLE),
        (1e308, UNREADABLE),
    ],
)
def test_epoch(value: float, ms: int) -> None:
    assert epoch(value) == ms


def test_control_characters_become_spaces_and_are_counted() -> None:
    parsed = Parsed(Outcome.IGNORED)
    assert clean_text("a\x00b\nc\u202ed\ud800", 100, parsed) == "a b c d "
    assert parsed.defaults == {Default.CONTROL_CHARACTERS: 4}
    assert clean_text("a\nb\tc\x1b", 100, parsed, lines=True) == "a\nb\tc "


@pytest.mark.parametrize("letter", ["x", "é", "\N{SNOWMAN}", "\N{FIRE}"])
def test_long_text_is_cut_within_its_bytes_and_shows_it(letter: str) -> None:
    parsed = Parsed(Outcome.IGNORED)
    cut = clean_text(letter * 2000, 1000, parsed)
    assert cut.endswith(f"{letter}…")
    assert 990 < len(cut.encode()) <= 1000
    assert parsed.defaults == {Default.TRUNCATED: 1}
    exact = letter * (1000 // len(letter.encode()))
    assert clean_text(exact, 1000, parsed) == exact


def test_labels_are_bounded_together() -> None:
    parsed = Parsed(Outcome.IGNORED)
    shown = clean_labels({f"k{i}": "v" * 4000 for i in range(40)} | {"": "x", "empty": ""}, parsed)
    assert 10 < len(shown) < 17
    assert parsed.defaults == {Default.TRUNCATED: 1}


def test_identity_is_taken_before_anything_is_cut_or_cleaned() -> None:
    def both(one: str, other: str) -> tuple[Any, Any]:
        return tuple(only(parse([{"labels": {"alertname": value}}], "prometheus")) for value in (one, other))  # type: ignore[return-value]

    for one, other in (("a\x01", "a\x02"), ("x" * 5000, "x" * 5001)):
        first, second = both(one, other)
        assert first.fingerprint != second.fingerprint
        assert first.labels == second.labels


def test_the_largest_alert_fits_a_record_of_signals() -> None:
    quotes = '"' * 20_000
    body = {
        "name": quotes,
        "service": quotes,
        "summary": quotes,
        "description": quotes,
        "labels": {f'"{i}': quotes for i in range(40)},
        "links": [f"https://x.example/{i}/" + '"' * 2000 for i in range(40)],
    }
    assert len(msgspec.json.encode(only(parse(body, "generic")))) < MAX_RECORD_BYTES - 4096


def test_links_are_web_addresses_only() -> None:
    parsed = Parsed(Outcome.IGNORED)
    hrefs = [
        "https://a.example",
        "javascript:alert(1)",
        "http://b.example/ x",
        "https://a.example",
        " http://c.example ",
    ]
    assert [link.href for link in clean_links([("t", h) for h in hrefs], parsed)] == [
        "https://a.example",
        "http://c.example",
    ]


def test_unpack() -> None:
    packed = {"content-encoding": "gzip"}
    assert unpack(b"[]", {}) == b"[]"
    assert unpack(b"[]", {"content-encoding": "identity"}) == b"[]"
    assert unpack(gzip.compress(b"x" * 100_000), packed) == b"x" * 100_000
    assert unpack(gzip.compress(b"ab") + gzip.compress(b"cd"), packed) == b"abcd"
    assert unpack(gzip.compress(b""), packed) == b""
    whole = bytes(MAX_BODY)
    assert unpack(whole, {}) == whole
    assert unpack(gzip.compress(whole), packed) == whole


@pytest.mark.parametrize(
    ("body", "encoding", "reason"),
    [
        (gzip.compress(bytes(MAX_BODY + 1)), "gzip", Reason.TOO_LARGE),
        (gzip.compress(bytes(MAX_BODY)) + gzip.compress(b"x"), "gzip", Reason.TOO_LARGE),
        (bytes(MAX_BODY + 1), "", Reason.TOO_LARGE),
        (gzip.compress(b"abc")[:-4], "gzip", Reason.BAD_ENCODING),
        (gzip.compress(b"abc") + b"rest", "gzip", Reason.BAD_ENCODING),
        (b"[]", "gzip", Reason.BAD_ENCODING),
        (b"", "gzip", Reason.BAD_ENCODING),
        (b"[]", "br", Reason.BAD_ENCODING),
    ],
)
def test_unpack_refuses(body: bytes, encoding: str, reason: Reason) -> None:
    with pytest.raises(NotUnderstood) as caught:
        unpack(body, {"content-encoding": encoding})
    assert caught.value.reason is reason


def test_a_bomb_is_not_unpacked_in_full() -> None:
    with pytest.raises(NotUnderstood):
        unpack(gzip.compress(bytes(400_000_000), 1), {"content-encoding": "gzip"})


# A subscription says which topic it is of, and not what the topic tells.
TAKEN_FOR = {"aws_deployments/subscription.json": "cloudwatch"}


def _name(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_no_sample_is_taken_for_anothers(path: Path) -> None:
    found = detect(sample(f"{path.parent.name}/{path.stem}"), {})
    assert found is None or found.name == TAKEN_FOR.get(_name(path), path.parent.name)


@pytest.mark.parametrize("name", ADAPTERS)
def test_every_adapter_detects_samples_of_its_own(name: str) -> None:
    found = [detect(sample(f"{name}/{path.stem}"), {}) for path in FILES if path.parent.name == name]
    assert any(adapter is ADAPTERS[name] for adapter in found)


def test_detection_of_sns_by_its_header() -> None:
    found = detect({"x": 1}, {"x-amz-sns-message-type": "Notification"})
    assert found is ADAPTERS["cloudwatch"]


def test_adapter_for() -> None:
    assert adapter_for("grafana").name == "grafana"
    assert adapter_for("shop", SourceConfig(adapter="datadog")).name == "datadog"
    with pytest.raises(UnknownAdapter, match="alertmanager, argocd"):
        adapter_for("shop")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"alerts": 3, "receiver": "x"}, "nearest adapter is alertmanager (found alerts, receiver; missing status"),
        ([{"severity": "high", "service": "x"}], "nearest adapter is generic"),
        ({"zzz": 1}, "no adapter knows any of its fields"),
        ([], "no adapter reads this"),
        (7, "no adapter reads this"),
    ],
)
def test_nearest(body: Any, says: str) -> None:
    assert detect(body, {}) is None
    assert says in nearest(body)


def test_every_adapter_and_every_default_is_documented() -> None:
    page = (SAMPLES.parents[1] / "docs" / "sources.md").read_text()
    for name in [*ADAPTERS, *Default]:
        assert f"`{name}`" in page
