"""Datadog: webhooks, whose body is a template that the user wrote, and monitors through an EventBridge partner bus.

No field is sure to be there, so each fact is read from the names that templates commonly give it, at the top or
inside `alert` and `event`. A variable that was not set arrives as "null", as nothing, or unexpanded (`$ALERT_ID`):
all three mean absent.

Identity: `aggreg_key` (also `aggregate`: one hash for a monitor and group), else the monitor's id and scope, else
the title without its `[...]` marks and the group or host. Never `id` or `event_id`, which names the event and
differs between trigger and recovery, nor `alert_cycle_key`, which differs from one episode to the next.
Transition: `alert_transition` or `transition`, else the mark of the title. Severity: the priority (P1 critical to
P5 info), else `alert_type`, else what the transition implies. `observed_at` is the event's `date` (seconds or
milliseconds), which Datadog writes into triggers as into recoveries; arrival where the template leaves it out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar, Final

from ingest.adapters.base import About, Adapter, Message, NotUnderstood, Outcome, Parsed, Reason, severity_of
from ingest.adapters.groups import valid_for
from ingest.adapters.making import add_alert, attempt, finish
from ingest.adapters.reading import as_object, decode, kind_of, scalar, time_of, time_or_none
from kernel.clock import Millis
from kernel.model.alert import Severity, Status

_TRANSITIONS: Final = {
    "triggered": (Status.FIRING, "error"),
    "re-triggered": (Status.FIRING, "error"),
    "alert": (Status.FIRING, "error"),
    "renotify": (Status.FIRING, "error"),
    "warn": (Status.FIRING, "warning"),
    "re-warn": (Status.FIRING, "warning"),
    "no data": (Status.FIRING, "warning"),
    "re-no data": (Status.FIRING, "warning"),
    "recovered": (Status.RESOLVED, ""),
}
_STARTS: Final = ("triggered", "warn", "no data")
_SEVERITIES: Final = {
    "p1": Severity.CRITICAL,
    "p2": Severity.HIGH,
    "p3": Severity.MEDIUM,
    "p4": Severity.LOW,
    "p5": Severity.INFO,
    "error": Severity.HIGH,
    "warning": Severity.MEDIUM,
    "success": Severity.INFO,
    "info": Severity.INFO,
}
_UNSET: Final = re.compile(r"|null|None|\$\{?[A-Z][A-Z0-9_]*\}?(\[.*\])?")
_MARK: Final = re.compile(r"\s*\[([^\[\]]{1,200})\]\s*")
_MARK_ON: Final = re.compile(r"([A-Za-z -]+?)(?: on \{?(.*?)\}?)?", re.DOTALL)
_PRIORITY: Final = re.compile(r"[Pp]?([1-5])")

_TRANSITION_FIELDS: Final = ("alert_transition", "transition")
_PRIORITY_FIELDS: Final = ("alert_priority", "priority")
_KEY_FIELDS: Final = ("aggreg_key", "aggregate", "aggregation_key")
_MONITOR_FIELDS: Final = ("alert_id", "monitor_id")
_SCOPE_FIELDS: Final = ("alert_scope", "scope")
_TITLE_FIELDS: Final = ("alert_title", "title", "event_title")
_TEXT_FIELDS: Final = ("text_only_msg", "body", "event_msg", "message", "description")
_TAG_FIELDS: Final = ("tags", "event_tags")
_HOST_FIELDS: Final = ("hostname", "host")
_DATE_FIELDS: Final = ("date", "last_updated")
_LINK_FIELDS: Final = (("link", "event"), ("event_url", "event"), ("url", "event"), ("snapshot", "snapshot"))


_CONNECT: Final = """
*Integrations, Webhooks*, URL `http://stormfold:8080/v1/sources/datadog`, custom header
`{"Authorization": "Bearer ..."}`, and this payload; then name `@webhook-stormfold` in the monitors:

```json
{
  "title": "$EVENT_TITLE",
  "body": "$TEXT_ONLY_MSG",
  "alert_transition": "$ALERT_TRANSITION",
  "alert_type": "$ALERT_TYPE",
  "alert_priority": "$ALERT_PRIORITY",
  "alert_id": "$ALERT_ID",
  "alert_scope": "$ALERT_SCOPE",
  "aggreg_key": "$AGGREG_KEY",
  "date": "$DATE",
  "hostname": "$HOSTNAME",
  "tags": "$TAGS",
  "link": "$LINK"
}
```

Other templates are read as far as they go: the fields may also stand inside `alert` and `event`, a variable that was
not set may arrive as `"null"`, empty or unexpanded, and at the least a transition (or a title that begins with one) and
a title or monitor id are needed. `id` and `event_id` name the event and are no identity. Monitors that come through an
EventBridge partner bus are read as well.
"""


class Datadog(Adapter):
    """Same alert: `aggreg_key`, else monitor and scope, else title and group. Source: Datadog's webhook variables."""

    name: ClassVar[str] = "datadog"
    title: ClassVar[str] = "Datadog (webhook template, or EventBridge partner bus)"
    shape: ClassVar[tuple[str, ...]] = ("title", "alert_transition", "alert_type", "date", "event_type", "body")

    about: ClassVar[About] = About(
        identity="`aggreg_key` (or `aggregate`), else monitor id and scope, else the title without its marks and the "
        "group or host",
        firing="Triggered, Re-Triggered, Warn, Re-Warn, No Data, Re-No Data, Renotify",
        resolved="Recovered",
        observed="`date` of the event, else arrival",
        severity="priority P1 to P5, else `alert_type`, else what the transition implies",
        proof="`token`",
        connect=_CONNECT,
    )

    def recognises(self, body: Any, headers: Mapping[str, str]) -> bool:
        """A partner event, or an object with a transition, or a title that begins with one, of a monitor."""
        del headers
        if not isinstance(body, dict):
            return False
        if _is_partner_event(body):
            return True
        inner = body.get("alert")
        nested = isinstance(inner, dict) and "alert_transition" in inner
        if nested or "alert_transition" in body:
            return True
        title = body.get("title")
        marks = isinstance(title, str) and _marks(title).transition is not None
        return marks and ("event_type" in body or "date" in body)

    def parse(self, message: Message) -> Parsed:
        body = as_object(decode(message.body), "the body")
        facts = _partner_facts(body) if _is_partner_event(body) else _Facts(body)
        parsed = Parsed(Outcome.IGNORED)
        attempt(parsed, 0, partial(_build, message, facts, parsed))
        return finish(parsed)


class _Facts:
    """A body's fields, wherever the template put them; what is unset is absent."""

    def __init__(self, body: dict[str, Any]) -> None:
        self.layers = [body, *(body[name] for name in ("alert", "event") if isinstance(body.get(name), dict))]

    def value(self, names: tuple[str, ...]) -> Any:
        """The first of these fields that is set."""
        for layer in self.layers:
            for name in names:
                found = layer.get(name)
                if found is not None and not (isinstance(found, str) and _UNSET.fullmatch(found.strip())):
                    return found
        return None

    def text(self, *names: str) -> str:
        """The same as text; numbers are written out, anything else is refused."""
        found = self.value(names)
        if found is None:
            return ""
        if isinstance(found, str):
            return found.strip()
        if isinstance(found, bool | int | float):
            return scalar(found)
        raise NotUnderstood(Reason.WRONG_TYPE, f"{names[0]} must be text, got {kind_of(found)}")

    def tags(self) -> list[str]:
        """Tags as a list, sent as one or as text with commas."""
        found = self.value(_TAG_FIELDS)
        if found is None:
            return []
        if isinstance(found, str):
            return [tag.strip() for tag in found.split(",") if tag.strip()]
        if isinstance(found, list) and all(isinstance(tag, str) for tag in found):
            return [tag.strip() for tag in found if tag.strip()]
        raise NotUnderstood(
            Reason.WRONG_TYPE, f"tags must be text with commas or a list of texts, got {kind_of(found)}"
        )

    def date(self) -> Millis:
        """The event's time, as `time_of` gives it."""
        return time_of(self.value(_DATE_FIELDS), "date", digits=True)


class _Marks:
    """What the bracketed marks at the front of a title say, and the title without them."""

    def __init__(self) -> None:
        self.transition: str | None = None
        self.group = ""
        self.priority = ""
        self.rest = ""


def _marks(title: str) -> _Marks:
    marks, position = _Marks(), 0
    for _ in range(4):
        found = _MARK.match(title, position)
        if found is None:
            break
        inner = _MARK_ON.fullmatch(found[1].strip())
        if _PRIORITY.fullmatch(found[1]) and not marks.priority:
            marks.priority = found[1]
        elif inner and inner[1].lower() in _TRANSITIONS and marks.transition is None:
            marks.transition, marks.group = inner[1].lower(), inner[2] or ""
        else:
            break
        position = found.end()
    marks.rest = title[position:].strip() or title.strip()
    return marks


def _build(message: Message, facts: _Facts, parsed: Parsed) -> None:
    title = facts.text(*_TITLE_FIELDS)
    marks = _marks(title)
    transition = _transition(facts, marks)
    status, implied = _TRANSITIONS[transition]
    tags, scope, host = facts.tags(), facts.text(*_SCOPE_FIELDS), facts.text(*_HOST_FIELDS)
    labels = _labels([*tags, *scope.split(","), *marks.group.split(",")])
    monitor = facts.text(*_MONITOR_FIELDS)
    for name, value in (("host", host), ("monitor_id", monitor), ("metric", facts.text("alert_metric"))):
        if value:
            labels[name] = value
    when = time_or_none(facts.date(), parsed)
    word = _priority(facts, marks) or facts.text("alert_type") or implied
    name = facts.text("monitor_name") or marks.rest
    add_alert(
        message,
        parsed,
        0,
        identity=_identity(facts, marks, scope, host),
        name=name,
        status=status,
        severity=severity_of(word, message.config, _SEVERITIES, parsed),
        labels={**labels, "alertname": name},
        observed_at=when,
        service=labels.get("service"),
        summary=title,
        description=facts.text(*_TEXT_FIELDS).replace("%%%", "").strip(),
        links=[(text, facts.text(field)) for field, text in _LINK_FIELDS],
        starts_at=when if transition in _STARTS else None,
        ends_at=when,
        valid_for=valid_for(message.config),
    )


def _transition(facts: _Facts, marks: _Marks) -> str:
    given = facts.text(*_TRANSITION_FIELDS).lower()
    if given in _TRANSITIONS:
        return given
    if given:
        raise NotUnderstood(
            Reason.WRONG_TYPE, f"alert_transition {given[:40]!r} is not one of Datadog's: {', '.join(_TRANSITIONS)}"
        )
    if marks.transition is None:
        raise NotUnderstood(
            Reason.MISSING_FIELD,
            'no transition: add "alert_transition": "$ALERT_TRANSITION" to the template, or keep $EVENT_TITLE',
        )
    return marks.transition


def _priority(facts: _Facts, marks: _Marks) -> str:
    found = _PRIORITY.fullmatch(facts.text(*_PRIORITY_FIELDS)) or _PRIORITY.fullmatch(marks.priority)
    return f"P{found[1]}" if found else ""


def _identity(facts: _Facts, marks: _Marks, scope: str, host: str) -> dict[str, str]:
    key = facts.text(*_KEY_FIELDS)
    if key:
        return {"aggreg_key": key}
    monitor = facts.text(*_MONITOR_FIELDS)
    if monitor:
        return {"monitor_id": monitor, "scope": scope or marks.group}
    if not marks.rest:
        return {}
    return {"title": marks.rest, "group": scope or marks.group or host}


def _labels(tags: list[str]) -> dict[str, str]:
    """`key:value` tags as labels; a key with several values has them in order, joined by commas."""
    found: dict[str, list[str]] = {}
    for tag in tags:
        key, colon, value = tag.strip().partition(":")
        if colon and key and value and value not in found.setdefault(key, []):
            found[key].append(value)
    return {key: ",".join(sorted(values)) for key, values in found.items() if values}


def _is_partner_event(body: dict[str, Any]) -> bool:
    source = body.get("source")
    return isinstance(source, str) and source.startswith("aws.partner/datadog.com")


def _partner_facts(body: dict[str, Any]) -> _Facts:
    """A partner event in the names of the webhook's variables.

    It names the monitor but no scope; its tags hold the group, so they tell the groups of one monitor apart.
    """
    detail = as_object(body.get("detail"), "detail")
    meta = as_object(detail.get("meta"), "detail.meta")
    monitor = as_object(meta.get("monitor"), "detail.meta.monitor")
    transition = as_object(meta.get("transition"), "detail.meta.transition")
    tags = _Facts(detail).tags()
    flat = {
        "monitor_id": monitor.get("id"),
        "monitor_name": monitor.get("name"),
        "title": monitor.get("name"),
        "body": monitor.get("message"),
        "alert_transition": transition.get("trans_name"),
        "alert_type": detail.get("alert_type"),
        "priority": monitor.get("priority"),
        "date": body.get("time"),
        "tags": tags,
        "scope": ",".join(sorted(tags)),
    }
    return _Facts(flat)
