"""PagerDuty's webhooks: incidents that it opened for others, and what people answer there.

The three versions tell the same in other places; each is first read as a `_Told`. Of an incident with stormfold's own
key only what a person did counts, as an answer to the episode that the key names: all else is stormfold's own page on
its way back. Where the key is missing, PagerDuty's `client` still says whose page a trigger was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from ingest.adapters.base import Message, NotUnderstood, Outcome, Parsed, Reason, clamp, severity_of
from ingest.adapters.making import add_alert, add_answer, attempt, finish
from ingest.adapters.reading import as_list, as_object, kind_of, text_at, time_of, time_or_none
from ingest.adapters.words import SEVERITIES
from kernel.clock import Millis
from kernel.model.alert import Severity, Status
from kernel.model.naming import own_key
from kernel.model.signals import Verb

_FIRING: Final = ("triggered", "reopened", "priority_updated")
_RESOLVED: Final = "resolved"
_VERBS: Final = {"acknowledged": Verb.ACKNOWLEDGE, "unacknowledged": Verb.UNACKNOWLEDGE}
_OWN_VERBS: Final = {**_VERBS, _RESOLVED: Verb.RESOLVE}
_OLD_KINDS: Final = {
    "trigger": "triggered",
    "acknowledge": "acknowledged",
    "unacknowledge": "unacknowledged",
    "resolve": "resolved",
    "annotate": "annotated",
}
_INCIDENT: Final = "incident."
_OWN_CLIENT: Final = "stormfold"
_PERSON: Final = "user_reference"
_SHOWN_NOTES: Final = 5


@dataclass(slots=True)
class _Told:
    """What one webhook tells: `kind` without `incident.`, its own `id`, `who` did it, the incident as it is now."""

    kind: str
    id: str
    when: Any
    incident: dict[str, Any]
    who: str = ""
    person: bool = False
    text: str = ""
    client: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The first key of the incident that stormfold gave PagerDuty, empty where there is none."""
        alerts = self.incident.get("alerts")
        grouped = [_said(alert, "alert_key") for alert in alerts] if isinstance(alerts, list) else []
        keys = [_said(self.incident, "incident_key"), *grouped]
        return next((key for key in keys if own_key(key) is not None), "")

    @property
    def own(self) -> bool:
        """Whether the incident is one that stormfold told PagerDuty of."""
        return bool(self.key) or _said(self.client, "name").strip().lower() == _OWN_CLIENT


def looks_like_v3(body: dict[str, Any]) -> bool:
    """An event with its type, time and data."""
    event = body.get("event")
    if not isinstance(event, dict) or not isinstance(event.get("event_type"), str):
        return False
    return "resource_type" in event and "occurred_at" in event and isinstance(event.get("data"), dict)


def looks_like_messages(body: dict[str, Any]) -> bool:
    """A list of messages, the first with the type of an incident's webhook."""
    messages = body.get("messages")
    first = messages[0] if isinstance(messages, list) and messages else None
    if not isinstance(first, dict):
        return False
    kind = first.get("event") or first.get("type")
    return isinstance(kind, str) and kind.startswith(_INCIDENT)


def parse_v3(message: Message, body: dict[str, Any]) -> Parsed:
    """One event. Raises NotUnderstood where it is none."""
    event = as_object(body["event"], "event")
    kind = text_at(event, "event_type", "event.event_type")
    if not kind:
        raise NotUnderstood(Reason.MISSING_FIELD, "event.event_type is missing, which says what happened")
    parsed, notes = Parsed(Outcome.IGNORED), list[str]()
    if not kind.startswith(_INCIDENT):
        what = "a test of the subscription" if kind.startswith("pagey.") else "about no incident"
        return finish(parsed, f"{kind[:60]} of PagerDuty is {what}")
    attempt(parsed, 0, partial(_take_read, message, parsed, 0, notes, partial(_v3, event, kind)))
    return finish(parsed, _noted(notes))


def parse_messages(message: Message, body: dict[str, Any]) -> Parsed:
    """All messages of a webhook v2 or v1."""
    parsed, notes = Parsed(Outcome.IGNORED), list[str]()
    messages = as_list(body["messages"], "messages")
    if not messages:
        return finish(parsed, "the list of messages is empty")
    for index, found in enumerate(messages):
        attempt(parsed, index, partial(_take_read, message, parsed, index, notes, partial(_old, found)))
    return finish(parsed, _noted(notes))


def _noted(notes: list[str]) -> str:
    told = list(dict.fromkeys(notes))
    more = len(told) - _SHOWN_NOTES
    return "; ".join([*told[:_SHOWN_NOTES], *([f"and {more} more"] if more > 0 else [])])


# --- the three versions


def _v3(event: dict[str, Any], kind: str) -> _Told:
    data = as_object(event.get("data"), "event.data")
    # Notes, status updates and responders only refer to their incident.
    inner = data.get("incident")
    incident = inner if isinstance(inner, dict) else data
    agent = _object(event.get("agent"))
    return _Told(
        kind=kind.removeprefix(_INCIDENT),
        id=text_at(event, "id", "event.id"),
        when=event.get("occurred_at"),
        incident=incident,
        who=_said(agent, "summary", "name", "email"),
        person=_said(agent, "type") == _PERSON,
        text=_said(data, "content", "message") if incident is not data else "",
        client=_object(event.get("client")),
    )


def _old(found: Any) -> _Told:
    told = as_object(found, "a message")
    v2 = isinstance(told.get("incident"), dict)
    kind = text_at(told, "event" if v2 else "type", "the message's type")
    if not kind.startswith(_INCIDENT):
        raise NotUnderstood(
            Reason.WRONG_TYPE if kind else Reason.MISSING_FIELD,
            f"the message's type must begin with {_INCIDENT}, got {kind[:40] or 'none'}",
        )
    kind = kind.removeprefix(_INCIDENT)
    incident = as_object(told["incident"] if v2 else _object(told.get("data")).get("incident"), "incident")
    entries = told.get("log_entries")
    entry = _object(entries[0]) if isinstance(entries, list) and entries else {}
    channel = _object(entry.get("channel"))
    changed_by = _object(incident.get("last_status_change_by"))
    agent = _object(entry.get("agent")) if v2 else changed_by
    return _Told(
        kind=_OLD_KINDS.get(kind, kind),
        id=text_at(told, "id"),
        when=told.get("created_on"),
        incident=incident,
        who=_said(agent, "summary", "name", "email"),
        # Version 1 has no types; what it names there is always a user.
        person=_said(agent, "type") == _PERSON if v2 else bool(_said(agent, "id")),
        text=_said(entry, "note") or (_said(channel, "summary", "content") if kind == "annotate" else ""),
    )


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _said(value: Any, *keys: str) -> str:
    """The first text at these keys of what may be an object: what is only shown costs no alert where it is odd."""
    found = (value.get(key) for key in keys) if isinstance(value, dict) else ()
    return next((text for text in found if isinstance(text, str) and text), "")


# --- what becomes of it


def _take_read(message: Message, parsed: Parsed, index: int, notes: list[str], read: Callable[[], _Told]) -> None:
    told = read()
    if told.own:
        _own(message, parsed, told, notes)
    elif told.kind in _FIRING or told.kind == _RESOLVED:
        _alert(message, parsed, index, told, notes)
    elif told.kind in _VERBS or told.text:
        _answer(message, parsed, told, _VERBS.get(told.kind, Verb.NOTE), notes)
    else:
        notes.append(f"{told.kind[:60]}: this neither fires nor resolves an incident, nor is it an answer")


def _own(message: Message, parsed: Parsed, told: _Told, notes: list[str]) -> None:
    kind = told.kind[:60]
    verb = _OWN_VERBS.get(told.kind) or (Verb.NOTE if told.text else None)
    if verb is None:
        notes.append(f"{kind}: the incident carries stormfold's own key or name, so it is no new alert")
    elif not told.person:
        notes.append(f"{kind}: no person did this to stormfold's own incident, so it is no answer")
    elif not told.key:
        notes.append(f"{kind}: the incident is stormfold's own, but without its key nothing tells which")
    else:
        _answer(message, parsed, told, verb, notes)


def _answer(message: Message, parsed: Parsed, told: _Told, verb: Verb, notes: list[str]) -> None:
    if not told.id:
        raise NotUnderstood(Reason.MISSING_IDENTITY, "the webhook has no id, by which to know it when it comes again")
    add_answer(
        message,
        parsed,
        verb,
        name=told.id[:200],
        by=told.who,
        key=told.key,
        identity=None if told.key else {"incident": _id(told)},
        labels=_labels(told),
        note=told.text,
    )
    notes.append(f"{verb} by {told.who[:80] or 'PagerDuty'} of {told.key or 'the incident ' + _id(told)[:80]}")


def _id(told: _Told) -> str:
    found = told.incident.get("id")
    if not isinstance(found, str) or not found:
        what = "none" if not found else kind_of(found)
        raise NotUnderstood(Reason.MISSING_IDENTITY, f"the incident's id must be text, got {what}")
    return found


def _alert(message: Message, parsed: Parsed, index: int, told: _Told, notes: list[str]) -> None:
    incident = told.incident
    if told.kind == "priority_updated" and _said(incident, "status") == _RESOLVED:
        notes.append("priority_updated: the incident is resolved already")
        return
    status = Status.RESOLVED if told.kind == _RESOLVED else Status.FIRING
    when = time_or_none(time_of(told.when, "the webhook's time"), parsed)
    title, description = _title(incident), _said(incident, "description")
    add_alert(
        message,
        parsed,
        index,
        identity={"incident": _id(told)},
        name=title,
        status=status,
        severity=_severity(message, incident, parsed),
        labels=_labels(told),
        observed_at=when,
        service=_named(incident.get("service")) or None,
        description=description if description != title else "",
        links=[
            ("incident", _said(incident, "html_url")),
            (_said(told.client, "name") or "client", _said(told.client, "url")),
            ("conference", _said(incident.get("conference_bridge"), "conference_url")),
        ],
        starts_at=_starts(message, told, when, parsed),
        ends_at=when if when is None else clamp(when, message.arrival, parsed),
    )


def _labels(told: _Told) -> dict[str, str]:
    incident, teams = told.incident, told.incident.get("teams")
    return {
        "incident_id": _said(incident, "id"),
        "incident_key": _said(incident, "incident_key"),
        "service": _named(incident.get("service")),
        "urgency": _said(incident, "urgency"),
        "priority": _named(incident.get("priority")),
        "escalation_policy": _named(incident.get("escalation_policy")),
        "team": ",".join(sorted({_named(team) for team in teams} - {""})) if isinstance(teams, list) else "",
        "incident_type": _said(incident.get("incident_type"), "name"),
        "client": _said(told.client, "name"),
    }


def _title(incident: dict[str, Any]) -> str:
    return (
        _said(incident, "title", "description", "summary")
        or _said(incident.get("trigger_summary_data"), "subject", "description")
        or f"incident {_said(incident, 'id')}"
    )


def _named(reference: Any) -> str:
    return _said(reference, "summary", "name")


def _severity(message: Message, incident: dict[str, Any], parsed: Parsed) -> Severity:
    word = _named(incident.get("priority")) or _said(incident, "urgency")
    return severity_of(word, message.config, SEVERITIES, parsed)


def _starts(message: Message, told: _Told, when: Millis | None, parsed: Parsed) -> Millis | None:
    """When the incident was opened, last where it was more than once; older webhooks leave it out of the first."""
    incident = told.incident
    first = next((incident[name] for name in ("reopened_at", "created_at", "created_on") if incident.get(name)), None)
    starts = time_or_none(time_of(first, "the incident's time"), parsed)
    if first is None and told.kind in ("triggered", "reopened"):
        starts = when
    return starts if starts is None else clamp(starts, message.arrival, parsed)
