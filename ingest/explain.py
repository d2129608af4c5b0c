"""What a source makes of a payload, and why: what `stormfold source try` shows, with the code that runs in ingest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ingest.adapters.base import Adapter, Message, NotUnderstood, Outcome, Parsed, Reason
from ingest.adapters.reading import decode
from ingest.adapters.registry import ADAPTERS, UnknownAdapter, adapter_for, detect, nearest
from ingest.adapters.unpack import unpack
from ingest.heartbeats import Heartbeats
from kernel.clock import Millis, rfc3339
from kernel.config.schema import Config, SourceConfig
from kernel.model.alert import Alert, Origin, Status
from kernel.model.change import Change

AUTO: Final = "auto"


def explain(
    name: str, body: bytes, headers: Mapping[str, str], config: Config | None, now_ms: Millis
) -> dict[str, Any]:
    """A payload as this source reads it, as a stable JSON object.

    `{"source", "outcome", "alerts": [{"fingerprint", "status", "severity", "name", "service", "starts_at",
    "ends_at", "labels"}], "changes": [{"fingerprint", "what", "name", "service", "where", "who", "when", "revision",
    "link", "outcome", "labels"}], "reason"}`: times RFC 3339 in UTC, absent values null, `ends_at` only of resolved
    alerts. `name` is a configured source or an adapter's name; `auto` detects, and `source` is then the
    detected one (`auto` where none is). An alert that is a configured heartbeat is none of `alerts`; where there are no
    others the outcome is `heartbeat`. `now_ms` stands for the arrival.

    Raises UnknownAdapter for a name that is neither.
    """
    config = config or Config()
    lower = {key.lower(): value for key, value in headers.items()}
    source, settings, adapter = name, config.sources.get(name, SourceConfig()), None
    if name != AUTO:
        adapter = _known(name, config)
    try:
        plain = unpack(body, lower)
        if adapter is None:
            adapter = _detected(plain, lower, config)
            source, settings = adapter.name, config.sources.get(adapter.name, SourceConfig())
        message = Message(plain, source, settings, settings.tenant, now_ms, Origin("0" * 32, 0, 0, 0), lower)
        return _shown(source, adapter.parse(message), Heartbeats(config, lambda _: ()))
    except NotUnderstood as error:
        hint = "" if adapter is None else _other(adapter, body, lower)
        return _answer(source, Outcome.QUARANTINED, [], [], f"{error.reason}: {error.detail}{hint}")


def _known(name: str, config: Config) -> Adapter:
    if name not in config.sources and name not in ADAPTERS:
        raise UnknownAdapter(name)
    return adapter_for(name, config.sources.get(name))


def _detected(body: bytes, headers: Mapping[str, str], config: Config) -> Adapter:
    found = decode(body)
    adapter = detect(found, headers, config)
    if adapter is None:
        raise NotUnderstood(Reason.NOT_DETECTED, nearest(found, config))
    return adapter


def _other(adapter: Adapter, body: bytes, headers: Mapping[str, str]) -> str:
    """A hint where the body is plainly another adapter's."""
    try:
        other = detect(decode(body), headers)
    except NotUnderstood:
        return ""
    return f"; it looks like {other.name}" if other is not None and other.name != adapter.name else ""


def _shown(source: str, parsed: Parsed, heartbeats: Heartbeats) -> dict[str, Any]:
    alerts, changes = [], [_change(change) for change in parsed.changes]
    names = list(parsed.heartbeats)
    for alert in parsed.alerts:
        beating = heartbeats.of_alert(alert)
        if beating is None:
            alerts.append(_alert(alert))
        else:
            names.append(beating.name)
    found = [f"the heartbeat {name}, which opens nothing of its own" for name in dict.fromkeys(names)]
    reason = "; ".join([*found, *([parsed.reason] if parsed.reason else [])])
    outcome = Outcome.HEARTBEAT if names and not (alerts or changes) else parsed.outcome
    return _answer(source, outcome, alerts, changes, reason)


def _answer(
    source: str, outcome: Outcome, alerts: list[dict[str, Any]], changes: list[dict[str, Any]], reason: str
) -> dict[str, Any]:
    return {"source": source, "outcome": outcome.value, "alerts": alerts, "changes": changes, "reason": reason}


def _change(change: Change) -> dict[str, Any]:
    return {
        "fingerprint": change.fingerprint,
        "what": change.what,
        "name": change.name,
        "service": change.service,
        "where": change.where,
        "who": change.who,
        "when": rfc3339(change.when),
        "revision": change.revision,
        "link": change.link,
        "outcome": change.outcome.value,
        "labels": change.labels,
    }


def _alert(alert: Alert) -> dict[str, Any]:
    resolved = alert.status is Status.RESOLVED
    return {
        "fingerprint": alert.fingerprint,
        "status": alert.status.value,
        "severity": alert.severity.value,
        "name": alert.name,
        "service": alert.service,
        "starts_at": None if alert.starts_at is None else rfc3339(alert.starts_at),
        "ends_at": rfc3339(alert.ends_at) if resolved and alert.ends_at is not None else None,
        "labels": alert.labels,
    }
