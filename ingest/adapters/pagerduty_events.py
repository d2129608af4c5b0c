"""What senders post to PagerDuty's Events API: alert events of version 2 and 1, and change events.

The drop-in door has taken the routing key out of what it forwards; here it is never read, so that it can be part of
nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from ingest.adapters.base import Message, NotUnderstood, Outcome, Parsed, Reason, clamp, severity_of
from ingest.adapters.groups import valid_for
from ingest.adapters.making import add_alert, add_answer, add_change, attempt, finish
from ingest.adapters.reading import as_object, scalar, text_at, time_of, time_or_none
from ingest.adapters.words import SEVERITIES
from kernel.clock import Millis
from kernel.model.alert import Severity, Status
from kernel.model.change import ChangeOutcome
from kernel.model.naming import own_key
from kernel.model.signals import Verb

_ACTIONS: Final = ("trigger", "acknowledge", "resolve")
_LABEL_LETTERS: Final = 200
_MOST_DETAILS: Final = 100
_TWO_ZONES: Final = re.compile(r".{10,40}[+-]\d\d:?\d\dZ")
_PAYLOAD_LABELS: Final = ("source", "component", "group", "class")


def looks_like_event(body: dict[str, Any]) -> bool:
    """An action of the Events API beside a key."""
    if body.get("event_action") in _ACTIONS:
        return "routing_key" in body or "dedup_key" in body or isinstance(body.get("payload"), dict)
    return body.get("event_type") in _ACTIONS and "service_key" in body


def looks_like_change(body: dict[str, Any]) -> bool:
    """The payload of a change event: a summary and no action."""
    payload = body.get("payload")
    return isinstance(payload, dict) and "summary" in payload and "event_action" not in body


def parse_event(message: Message, body: dict[str, Any]) -> Parsed:
    """One alert event."""
    field = "event_action" if "event_action" in body else "event_type"
    action = text_at(body, field)
    if action not in _ACTIONS:
        raise NotUnderstood(
            Reason.WRONG_TYPE if action else Reason.MISSING_FIELD,
            f"{field} must be one of {', '.join(_ACTIONS)}, got {action[:40] or 'none'}",
        )
    parsed = Parsed(Outcome.IGNORED)
    key = text_at(body, "dedup_key") or text_at(body, "incident_key")
    key = key if key.strip() else ""
    if own_key(key) is not None:
        return finish(parsed, f"{action}: the event carries stormfold's own key: it is about an incident of its own")
    notes: list[str] = []
    attempt(parsed, 0, partial(_take, message, body, action, key, parsed, notes))
    return finish(parsed, "; ".join(notes))


def _take(message: Message, body: dict[str, Any], action: str, key: str, parsed: Parsed, notes: list[str]) -> None:
    if action == "trigger":
        if not key:
            notes.append("the event has no dedup_key: it is an alert of its own, which no later event resolves")
        _alert(message, body, {"dedup_key": key} if key else {"event": _place(message)}, Status.FIRING, parsed)
        return
    if not key:
        raise NotUnderstood(
            Reason.MISSING_IDENTITY, f"dedup_key (v1: incident_key) must say which alert the {action} is for"
        )
    if action == "resolve":
        _alert(message, body, {"dedup_key": key}, Status.RESOLVED, parsed)
        return
    by = text_at(body, "client")
    add_answer(message, parsed, Verb.ACKNOWLEDGE, name=_place(message), by=by, identity={"dedup_key": key})
    notes.append(f"acknowledge of {key[:120]}")


def _place(message: Message) -> str:
    """A name for what has none: where it stands on Kafka, which is the same whenever it is read."""
    return ".".join(str(part) for part in message.origin)


def _alert(message: Message, body: dict[str, Any], identity: dict[str, str], status: Status, parsed: Parsed) -> None:
    payload = as_object(body.get("payload") or {}, "payload")
    found = _Details(payload.get("custom_details") if "payload" in body else body.get("details"))
    summary = text_at(payload, "summary", "payload.summary") or text_at(body, "description")
    if status is Status.FIRING and not summary:
        raise NotUnderstood(Reason.MISSING_FIELD, "payload.summary (v1: description) must say what the alert is")
    fields = {name: text_at(payload, name, f"payload.{name}") for name in _PAYLOAD_LABELS}
    fields["client"] = client = text_at(body, "client")
    starts = time_or_none(_time(payload), parsed)
    add_alert(
        message,
        parsed,
        0,
        identity=identity,
        name=summary or next(iter(identity.values())),
        status=status,
        severity=_severity(message, payload, found, status, parsed),
        labels={**found.labels, **{name: value for name, value in fields.items() if value}},
        service=found.labels.get("service") or fields["component"] or None,
        description=found.text,
        links=[*_links(body), (client or "client", text_at(body, "client_url"))],
        starts_at=starts if starts is None or status is Status.RESOLVED else clamp(starts, message.arrival, parsed),
        valid_for=valid_for(message.config),
    )


def _time(payload: dict[str, Any]) -> Millis:
    """The sender's time. PagerDuty's own client writes an offset and a `Z` behind it, and PagerDuty takes that."""
    found = payload.get("timestamp")
    if isinstance(found, str) and _TWO_ZONES.fullmatch(found):
        found = found[:-1]
    return time_of(found, "payload.timestamp")


def _severity(message: Message, payload: dict[str, Any], details: _Details, status: Status, parsed: Parsed) -> Severity:
    word = text_at(payload, "severity", "payload.severity") or details.labels.get("severity", "")
    if status is Status.RESOLVED and not word:
        return Severity.MEDIUM  # a resolve has none by the vendor's rules: nothing was left out
    return severity_of(word, message.config, SEVERITIES, parsed)


class _Details:
    """The sender's own details: short ones are labels, all others text."""

    def __init__(self, details: Any) -> None:
        self.labels: dict[str, str] = {}
        lines: list[str] = [details] if isinstance(details, str) else []
        pairs = list(details.items())[:_MOST_DETAILS] if isinstance(details, dict) else []
        for name, value in pairs:
            text = _plain(value)
            if len(text) <= _LABEL_LETTERS and "\n" not in text and not isinstance(value, dict | list):
                self.labels[name] = text
            elif text:
                lines.append(f"{name}: {text}")
        self.text = "\n".join(lines)


def _plain(value: Any) -> str:
    """A detail as text, lists and objects one level deep."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return scalar(value)
    if isinstance(value, dict):
        return ", ".join(f"{name}={_plain(item)}" for name, item in value.items() if not isinstance(item, dict | list))
    if isinstance(value, list):
        return ", ".join(_plain(item) for item in value if not isinstance(item, dict | list))
    return ""


def _links(body: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Links and images of v2, contexts of v1; what is odd in them costs no alert."""
    for field in ("links", "images", "contexts"):
        entries = body.get(field)
        for entry in entries if isinstance(entries, list) else ():
            if not isinstance(entry, dict):
                continue
            image = field == "images" or entry.get("type") == "image"
            text, href = entry.get("alt" if image else "text"), entry.get("src" if image else "href")
            if isinstance(href, str):
                yield text if isinstance(text, str) and text else ("image" if image else "link"), href


def parse_change(message: Message, body: dict[str, Any]) -> Parsed:
    """One change event."""
    parsed = Parsed(Outcome.IGNORED)
    attempt(parsed, 0, partial(_change, message, body, parsed))
    return finish(parsed)


def _change(message: Message, body: dict[str, Any], parsed: Parsed) -> None:
    payload = as_object(body["payload"], "payload")
    summary, source = text_at(payload, "summary", "payload.summary"), text_at(payload, "source", "payload.source")
    if not summary:
        raise NotUnderstood(Reason.MISSING_FIELD, "payload.summary must say what changed")
    when = time_or_none(_time(payload), parsed)
    found = _Details(payload.get("custom_details"))
    add_change(
        message,
        parsed,
        0,
        identity={"summary": summary, "source": source, "when": _place(message) if when is None else str(when)},
        what="change",
        name=summary,
        outcome=ChangeOutcome.UNKNOWN,
        when=when,
        service=found.labels.get("service"),
        where=source,
        link=next((href for _, href in _links(body)), None),
        summary=found.text,
        labels={**found.labels, "source": source},
    )
