"""Input that is wrong in every way that the documentation names, and what becomes of it by each way in."""

from __future__ import annotations

import gzip
import random
from dataclasses import dataclass, field
from typing import Any

import orjson

from kernel.clock import rfc3339
from kernel.model.alert import Severity

_random = random.Random(5)


@dataclass(frozen=True)
class Bad:
    """One body. `status` is the door's answer (None: it cannot come through a door).

    Of what the door takes, and of everything put straight on Kafka: `dead` is the dead letter's reason, `refused` how
    many alerts of the body it holds and `detail` a part of its sentence; `defaults` are the documented defaults that
    were taken; `alive` are the alerts that live, by title, with their severity.
    """

    name: str
    source: str | None
    body: bytes
    status: int | None = 202
    says: str = ""
    headers: dict[str, str | None] = field(default_factory=dict)
    dead: str = ""
    refused: int = 1
    detail: str = ""
    defaults: dict[str, int] = field(default_factory=dict)
    alive: dict[str, Severity] = field(default_factory=dict)
    command: str = ""
    kafka: bool = True


def _generic(name: str, **fields: Any) -> bytes:
    return orjson.dumps({"name": name, "severity": "critical", **fields})


def _prometheus(*alerts: dict[str, Any]) -> bytes:
    return orjson.dumps(list(alerts))


def _alert(name: str, **labels: Any) -> dict[str, Any]:
    return {"labels": {"alertname": name, "severity": "critical", **labels}, "startsAt": "2026-01-01T00:00:00Z"}


def _command(verb: str) -> bytes:
    command = {"id": "c-1", "verb": verb, "incident": "INCIDENT", "by": "mallory", "note": ""}
    return orjson.dumps({"command": command})


def _datadog(name: str, date: Any) -> bytes:
    return orjson.dumps(
        {"title": f"[P1] [Triggered] {name}", "alert_transition": "Triggered", "alert_id": name, "date": date}
    )


def _noise(size: int) -> str:
    return _random.randbytes(size).hex()


CRITICAL, HIGH, MEDIUM = Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM
FAR = "9999-12-31T23:59:59Z"


def cases(now: int) -> list[Bad]:
    """The table. `now` is in milliseconds."""
    return [
        *_unreadable(),
        *_wrong_types(),
        *_oversized(),
        *_without_identity(),
        *_times(now),
        *_texts(),
        *_severities(),
        *_commands(),
    ]


# fmt: off
def _unreadable() -> list[Bad]:
    return [
        Bad(
            "cut off", "generic", b'{"name": "x",\n "sev', 400, "line 2 column", dead="invalid_json", detail="not valid"
        ),
        Bad("cut off, prometheus", "prometheus", b'[{"labels": {', 400, "line 1 column", dead="invalid_json"),
        Bad("nothing", "generic", b"", 400, "the body is empty", dead="invalid_json"),
        Bad("not UTF-8", "generic", b'{"name": "\xff\xfe"}', 400, "0xff is not UTF-8", dead="bad_encoding"),
        Bad("nested deep", "generic", b"[" * 100_000 + b"]" * 100_000, 400, "not JSON", dead="invalid_json"),
        Bad("not gzip", "generic", b"plain", 400, "not gzip", {"content-encoding": "gzip"}, dead="bad_encoding"),
        Bad("another encoding", "generic", b"plain", 415, "encoding", {"content-encoding": "br"}, dead="bad_encoding"),
        Bad("nobody's form", None, b'{"hello": "world"}', None, dead="not_detected"),
        Bad("nobody's JSON", None, b"hello", None, dead="invalid_json"),
        Bad("a source that is not there", "never-heard-of", b"{}", 404, "no source is named", dead="unknown_source"),
        Bad("a source that is null", None, b'{"hello": "world"}', None, headers={"source": None}, dead="not_detected"),
        Bad("a source that is no name", "a\x00b\x1b[31m", b"{}", None, dead="unknown_source"),
    ]


def _wrong_types() -> list[Bad]:
    good = _alert("Lives beside a bad one")
    return [
        Bad("an object for a list", "prometheus", orjson.dumps(good), dead="wrong_type", detail="must be a list"),
        Bad("a number", "generic", b"7", dead="wrong_type", detail="must be an object"),
        Bad(
            "a number for a label",
            "prometheus",
            _prometheus(good, _alert("Dead", shard=7)),
            dead="wrong_type",
            detail="labels.shard must be text",
            alive={"Lives beside a bad one": CRITICAL},
        ),
        Bad("a list for labels", "prometheus", _prometheus({"labels": []}), dead="wrong_type"),
        Bad(
            "a status of another world",
            "generic",
            _generic("x", status="on fire"),
            dead="wrong_type",
            detail="status must be firing or resolved",
        ),
        Bad("a number for a name", "generic", b'{"name": 5}', dead="wrong_type", detail="name must be text"),
        Bad(
            "strings for alerts",
            "alertmanager",
            b'{"status": "firing", "alerts": ["a", "b"]}',
            dead="wrong_type",
            refused=2,
            detail="must be an object",
        ),
        Bad("a list for a message", "cloudwatch", b"[]", dead="wrong_type"),
    ]


def _oversized() -> list[Bad]:
    padded = {f"Padded {n}": CRITICAL for n in range(3)}
    fits = [{"name": name, "severity": "critical", "description": "x" * 200_000} for name in padded]
    bomb = gzip.compress(b"[" + b" " * 30_000_000 + b"]")
    return [
        Bad("large, packs well", "generic", orjson.dumps(fits), defaults={"truncated": 3}, alive=padded),
        Bad(
            "large, packs badly",
            "generic",
            _generic("x", description=_noise(700_000)),
            413,
            "over the limit",
            kafka=False,
        ),
        Bad("very large", "generic", _generic("x", description="x" * 5_000_000), 413, "over the limit", kafka=False),
        Bad("unpacks to much", "generic", bomb, 413, "unpacks to more", {"content-encoding": "gzip"}, dead="too_large"),
        Bad("as large as Kafka takes", "generic", b'"' + _noise(524_200).encode() + b'"', None, dead="wrong_type"),
    ]


def _without_identity() -> list[Bad]:
    return [
        Bad("no labels", "prometheus", _prometheus({"labels": {}}), dead="missing_identity"),
        Bad("labels left out", "prometheus", _prometheus({"annotations": {}}), dead="missing_identity"),
        Bad(
            "empty labels", "prometheus", _prometheus({"labels": {"alertname": "", "job": ""}}), dead="missing_identity"
        ),
        Bad("no name", "generic", b'{"severity": "high"}', dead="missing_field", detail="name is missing"),
        Bad(
            "no labels of its own",
            "identified",
            _generic("x", labels={"other": "1"}),
            dead="missing_identity",
            detail="any of the labels asset",
        ),
        Bad("no title, no monitor", "datadog", b'{"alert_transition": "Triggered"}', dead="missing_identity"),
        Bad(
            "an alarm without a name",
            "cloudwatch",
            b'{"AlarmName": "", "NewStateValue": "ALARM"}',
            dead="missing_identity",
        ),
    ]


def _times(now: int) -> list[Bad]:
    return [
        Bad(
            "starts in the year 9999",
            "prometheus",
            _prometheus({**_alert("Year 9999"), "startsAt": FAR}),
            defaults={"time_unreadable": 1},
            alive={"Year 9999": CRITICAL},
        ),
        Bad(
            "starts tomorrow",
            "generic",
            _generic("Tomorrow", starts_at=rfc3339(now + 86_400_000)),
            defaults={"time_clamped": 1},
            alive={"Tomorrow": CRITICAL},
        ),
        Bad(
            "ends in two years",
            "prometheus",
            _prometheus({**_alert("Two years"), "endsAt": rfc3339(now + 63 * 10**9)}),
            defaults={"time_clamped": 1},
            alive={"Two years": CRITICAL},
        ),
        Bad(
            "no time at all",
            "prometheus",
            _prometheus({**_alert("No time"), "startsAt": "soon", "endsAt": "never"}),
            defaults={"time_unreadable": 2},
            alive={"No time": CRITICAL},
        ),
        Bad(
            "seen in the future",
            "datadog",
            _datadog("Future", now + 10 * 86_400_000),
            defaults={"time_clamped": 1},
            alive={"[P1] [Triggered] Future": CRITICAL},
        ),
        Bad(
            "seen in 1970",
            "datadog",
            _datadog("Past", 12),
            defaults={"time_unreadable": 1},
            alive={"[P1] [Triggered] Past": CRITICAL},
        ),
        Bad("a time of another type", "datadog", _datadog("List", [1]), dead="wrong_type", detail="must be a time"),
        Bad(
            "a number out of range",
            "generic",
            _generic("Huge", starts_at=1e300),
            defaults={"time_unreadable": 1},
            alive={"Huge": CRITICAL},
        ),
    ]


def _texts() -> list[Bad]:
    return [
        Bad(
            "bells and escapes",
            "generic",
            _generic("Bell \x07 and \x1b[31mred\x1b[0m"),
            defaults={"control_characters": 3},
            alive={"Bell   and  [31mred [0m": CRITICAL},
        ),
        Bad(
            "NUL and right-to-left",
            "prometheus",
            _prometheus(_alert("NUL \x00 and \u202e", host="a\x00b")),
            defaults={"control_characters": 5},
            alive={"NUL   and  ": CRITICAL},
        ),
        Bad(
            "half a letter",
            "generic",
            b'{"name": "half \\ud800 letter", "severity": "critical"}',
            400,
            "not JSON",
            dead="invalid_json",
        ),
        Bad(
            "a very long name",
            "generic",
            _generic("x" * 10_000),
            defaults={"truncated": 1},
            alive={"x" * 4_093 + "…": CRITICAL},
        ),
    ]


def _severities() -> list[Bad]:
    return [
        Bad(
            "a severity that nobody knows",
            "generic",
            _generic("Purple", severity="purple"),
            defaults={"severity_unknown": 1},
            alive={"Purple": HIGH},
        ),
        Bad(
            "no severity",
            "generic",
            b'{"name": "Nothing said"}',
            defaults={"severity_missing": 1},
            alive={"Nothing said": MEDIUM},
        ),
        Bad(
            "a severity by the source's own map",
            "identified",
            _generic("Mapped", severity="purple", labels={"asset": "a"}),
            alive={"Mapped": CRITICAL},
        ),
    ]


def _commands() -> list[Bad]:
    forbidden: dict[str, Any] = {"dead": "command_not_allowed", "detail": "answers.raw only"}
    return [
        Bad("a command by its own source", "commands", _command("resolve"), 404, command="resolve", **forbidden),
        Bad("a command as Prometheus", "prometheus", _command("resolve"), command="resolve", **forbidden),
        Bad("a command as generic", "generic", _command("acknowledge"), command="acknowledge", **forbidden),
        Bad("a command of nobody", None, _command("resolve"), None, command="resolve", **forbidden),
        Bad("a command of a stranger", "never-heard-of", _command("resolve"), 404, command="resolve", **forbidden),
    ]
# fmt: on
