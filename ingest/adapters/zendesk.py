"""Zendesk: ticket events, and webhooks of triggers, whose body is a JSON template that an admin wrote.

A ticket is a report of people. Identity: the ticket's id, with `account_id` of events or a trigger's own field
`account` where there is one (ticket numbers begin at 1 in every account). Unsolved tickets (new, open, pending, on
hold) fire, solved and closed ones are resolved, and so is one that was deleted or marked as spam. The events that tell
of a ticket's state or of what rules match are read; comments, attachments, assignments and whatever else happens to a
ticket change nothing here.

`observed_at` is the event's `time`, which every event has and which alone puts the events of one action in order; of a
trigger `updated_at` where the template writes it with a time of day, else arrival. No `valid_for`: a ticket stays as it
is until somebody changes it.

A trigger's fields are found by name whatever the template calls them: upper or lower case, with or without `ticket_` in
front, at the top or inside `ticket`. A state that only stands in the text of a message is not looked for.

A tag `service:NAME` or `service_NAME` names the service, if there is just one; other tags of the form `key:value` are
labels. By these, organization and type a rule groups several tickets about one failure.
Source: "Ticket events" and "Creating webhooks in Admin Center" of Zendesk's documentation; Splunk On-Call's template.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, Final

from ingest.adapters.base import About, Adapter, Message, NotUnderstood, Outcome, Parsed, Reason, clamp, severity_of
from ingest.adapters.making import add_alert, attempt, finish
from ingest.adapters.reading import as_object, decode, kind_of, scalar, text_at, time_of, time_or_none
from kernel.model.alert import Kind, Severity, Status
from kernel.model.naming import own_key

_EVENT: Final = "zen:event-type:"
_TICKET: Final = "ticket."
_STATES: Final = {
    "new": Status.FIRING,
    "open": Status.FIRING,
    "pending": Status.FIRING,
    "hold": Status.FIRING,
    "on-hold": Status.FIRING,
    "on hold": Status.FIRING,
    "solved": Status.RESOLVED,
    "closed": Status.RESOLVED,
}
_CHANGES: Final = ("status", "priority", "tags", "type", "subject", "organization")
_TELLING: Final = frozenset(("created", "undeleted", *(f"{what}_changed" for what in _CHANGES)))
_GONE: Final = frozenset(("soft_deleted", "permanently_deleted", "marked_as_spam", "deleted"))
_TRIGGERED: Final = {
    "created": Status.FIRING,
    "opened": Status.FIRING,
    "reopened": Status.FIRING,
    "updated": None,
    "solved": Status.RESOLVED,
    "closed": Status.RESOLVED,
}
_ON_CALL: Final = {"critical": Status.FIRING, "warning": Status.FIRING, "recovery": Status.RESOLVED}
_SEVERITIES: Final = {
    "urgent": Severity.CRITICAL,
    "high": Severity.HIGH,
    "normal": Severity.MEDIUM,
    "low": Severity.LOW,
    "critical": Severity.CRITICAL,
    "warning": Severity.MEDIUM,
}
_SERVICE: Final = re.compile(r"service[:_](.+)")
# What a placeholder without a value leaves behind: nothing, a dash, or itself where its name is wrong.
_UNSET: Final = re.compile(r"\s*(?:-|\{\{.*\}\})?\s*", re.DOTALL)
_SCHEMELESS: Final = re.compile(r"[a-z0-9-]+\.zendesk\.com/", re.IGNORECASE)
_URLS: Final = ("url", "link", "alert_url")
_AT_ZENDESK: Final = ".zendesk.com/"

_CONNECT: Final = """
**Ticket events**: *Admin Center, Apps and integrations, Webhooks, Create webhook, Zendesk events*, and the events
*Ticket created, Status changed, Priority changed, Tags changed, Ticket soft deleted, Ticket marked as spam* (others are
taken and put aside). Its signing secret, by *Reveal secret*, is the source's proof: `proof: {type: zendesk, secrets:
[...]}`.

**Triggers**, to send the tickets of a view or form only: a webhook connected to *Trigger or automation*, and two
triggers, one for *Status is not Solved, not Closed*, one for *Status changed to Solved*, both with this body:

```json
{
  "account": "{{ticket.account}}",
  "ticket_id": "{{ticket.id}}",
  "ticket_status": "{{ticket.status}}",
  "ticket_priority": "{{ticket.priority}}",
  "ticket_type": "{{ticket.ticket_type}}",
  "ticket_title": "{{ticket.title}}",
  "ticket_description": "{{ticket.description}}",
  "ticket_url": "{{ticket.url}}",
  "created_at": "{{ticket.created_at_with_timestamp}}",
  "updated_at": "{{ticket.updated_at_with_timestamp}}",
  "organization": "{{ticket.organization.name}}",
  "tags": "{{ticket.tags}}"
}
```

The address of both is `http://stormfold:8080/v1/sources/zendesk`. Where the account's language is not English, write
`"ticket_status": "open"` into the one trigger and `"solved"` into the other, since Zendesk translates the word.

Several tickets about one failure join by a rule; a tag `service:checkout` or `service_checkout`, which an agent, a form
or a trigger sets, names the service:

```yaml
rules:
  - name: tickets by service
    match: [service!=""]
    group_by: [service]
```
"""


class Zendesk(Adapter):
    """Same alert: the ticket's id, and the account where it is told. Source: Zendesk's ticket events and triggers."""

    name: ClassVar[str] = "zendesk"
    title: ClassVar[str] = "Zendesk (ticket events, webhooks of triggers)"
    shape: ClassVar[tuple[str, ...]] = ("type", "detail", "event", "account_id", "subject", "zendesk_event_version")
    about: ClassVar[About] = About(
        identity="the ticket's id and its account (`account_id` of events, `account` of a trigger's template)",
        firing="report: a ticket that is new, open, pending or on hold",
        resolved="solved, closed; deleted, marked as spam",
        observed="events `time`; triggers `updated_at` with a time of day, else arrival",
        severity="urgent critical, high, normal medium, low",
        proof="`zendesk`",
        connect=_CONNECT,
    )

    def recognises(self, body: Any, headers: Mapping[str, str]) -> bool:
        """An event by its type; a trigger's body by the tool that it names, or a ticket with an address of Zendesk."""
        del headers
        if not isinstance(body, dict):
            return False
        kind = body.get("type")
        if isinstance(kind, str) and kind.startswith(_EVENT):
            return True
        if body.get("monitoring_tool") == "Zendesk":
            return True
        fields = _fields(body)
        return _tells_ticket(body) and any(_AT_ZENDESK in _said(fields, name) for name in _URLS)

    def parse(self, message: Message) -> Parsed:
        body = as_object(decode(message.body), "the body")
        parsed, notes = Parsed(Outcome.IGNORED), list[str]()
        kind = body.get("type")
        event = isinstance(kind, str) and kind.startswith(_EVENT)
        attempt(parsed, 0, partial(_event if event else _trigger, message, body, parsed, notes))
        return finish(parsed, "; ".join(notes))


@dataclass(slots=True)
class _Ticket:
    """A ticket, wherever it was told of; words as they were sent."""

    id: str
    account: str
    status: Status
    priority: str
    subject: str
    description: str
    when: Any
    created: Any
    own: str
    labels: dict[str, str]
    service: str = ""
    tags: list[str] = field(default_factory=list)
    url: str = ""


# --- ticket events


def _event(message: Message, body: dict[str, Any], parsed: Parsed, notes: list[str]) -> None:
    kind = body["type"].removeprefix(_EVENT)
    what = kind.removeprefix(_TICKET)
    if not kind.startswith(_TICKET) or (what not in _TELLING and what not in _GONE):
        notes.append(f"{kind[:80]}: this neither opens nor solves a ticket")
        return
    detail = as_object(body.get("detail"), "detail")
    changed = body.get("event")
    current = changed.get("current") if isinstance(changed, dict) else None
    status, priority = _text(detail, "status"), _text(detail, "priority")
    # The events of one action come in any order: what changed is told by the event, all else by the ticket.
    if what == "status_changed" and isinstance(current, str) and current:
        status = current
    if what == "priority_changed" and isinstance(current, str) and current:
        priority = current
    via = detail.get("via")
    ticket = _Ticket(
        id=_text(detail, "id"),
        account=_text(body, "account_id"),
        status=Status.RESOLVED if what in _GONE else _status(status),
        priority=priority,
        subject=_said(detail, "subject"),
        description=_said(detail, "description"),
        when=body.get("time") or detail.get("updated_at"),
        created=detail.get("created_at"),
        own=_said(detail, "external_id"),
        labels={
            "type": _said(detail, "type").lower(),
            "channel": _said(via, "channel") if isinstance(via, dict) else "",
            "organization": _said(detail, "organization_id"),
            **{name: _said(detail, f"{name}_id") for name in ("brand", "form", "group", "requester")},
        },
        tags=_tags(detail.get("tags")),
    )
    _report(message, ticket, parsed, notes)


# --- triggers


def _trigger(message: Message, body: dict[str, Any], parsed: Parsed, notes: list[str]) -> None:
    kind = _happened(body)
    if kind == "test" or body.get("test") is True:
        notes.append("a test of the webhook, which tells of no ticket")
        return
    fields = _fields(body)
    on_call = _said(fields, "message_type").lower()
    known = kind in _TRIGGERED or kind in _TELLING or kind in _GONE or on_call in _ON_CALL
    if (kind or on_call) and not known and not _text(fields, "status"):
        notes.append(f"{(kind or on_call)[:80]}: this neither opens nor solves a ticket")
        return
    organization = fields.get("organization")
    named = _said(organization, "name") if isinstance(organization, dict) else _said(fields, "organization")
    url = next((text for name in _URLS if (text := _said(fields, name))), "")
    ticket = _Ticket(
        id=_text(fields, "id") or _text(fields, "entity_id"),
        account=_text(fields, "account") or _text(fields, "subdomain") or _text(fields, "account_id"),
        status=_status_of_trigger(fields, kind, on_call),
        priority=_text(fields, "priority") or (on_call if _ON_CALL.get(on_call) is Status.FIRING else ""),
        subject=_said(fields, "title") or _said(fields, "subject"),
        description=_said(fields, "description") or _said(fields, "state_message"),
        when=_first(fields, "updated_at_with_timestamp", "updated_at"),
        created=_first(fields, "created_at_with_timestamp", "created_at"),
        own=_said(fields, "external_id"),
        labels={
            "type": _said(fields, "type").lower(),
            "channel": _said(fields, "origin") or _said(fields, "via"),
            "organization": named or _said(fields, "organization_name"),
            **{name: _said(fields, name) for name in ("brand", "form", "group", "product")},
        },
        service=_said(fields, "service"),
        tags=_tags(fields.get("tags")),
        url=f"https://{url}" if _SCHEMELESS.match(url) else url,
    )
    _report(message, ticket, parsed, notes)


def _happened(body: dict[str, Any]) -> str:
    """What a trigger says that happened, without `ticket.` in front; empty where it says nothing."""
    event = body.get("event")
    kind = _said(event, "type") if isinstance(event, dict) else _said(body, "event") or _said(body, "event_type")
    return kind.removeprefix(_EVENT).removeprefix(_TICKET).lower()


def _fields(body: dict[str, Any]) -> dict[str, Any]:
    """A template's fields by their plain names: `Ticket Status`, `ticket_status` and `ticket.status` are `status`."""
    found: dict[str, Any] = {}
    marked: dict[str, Any] = {}
    for key, value in body.items():
        plain = re.sub(r"[^a-z0-9]+", "_", key[:80].lower()).strip("_")
        if plain.startswith("ticket_"):
            marked[plain.removeprefix("ticket_")] = value
        else:
            found[plain] = value
    inner = body.get("ticket")
    return {**found, **marked, **(_fields(inner) if isinstance(inner, dict) and "ticket" not in inner else {})}


def _tells_ticket(body: dict[str, Any]) -> bool:
    ticket = body.get("ticket")
    return "ticket_id" in body or (isinstance(ticket, dict) and "id" in ticket)


def _status_of_trigger(fields: dict[str, Any], kind: str, on_call: str) -> Status:
    if kind in _GONE:
        return Status.RESOLVED
    word = _text(fields, "status")
    if word:
        return _status(word)
    found = _ON_CALL.get(on_call) or _TRIGGERED.get(kind)
    if found is None:
        raise NotUnderstood(
            Reason.MISSING_FIELD,
            'the ticket\'s status is missing: add "ticket_status": "{{ticket.status}}" to the trigger\'s body; what '
            "stands in a text only is not looked for",
        )
    return found


def _first(fields: dict[str, Any], *names: str) -> Any:
    found = (fields[name] for name in names if fields.get(name) is not None)
    return next((value for value in found if not isinstance(value, str) or not _UNSET.fullmatch(value)), None)


# --- both


def _report(message: Message, ticket: _Ticket, parsed: Parsed, notes: list[str]) -> None:
    if own_key(ticket.own) is not None:
        notes.append("the ticket's external id is stormfold's own key, so it is no new report")
        return
    when = time_or_none(time_of(ticket.when, "the ticket's time"), parsed)
    starts = time_or_none(time_of(ticket.created, "created_at"), parsed)
    if not ticket.id:
        raise NotUnderstood(Reason.MISSING_IDENTITY, "the ticket's id is missing, by which to know it again")
    add_alert(
        message,
        parsed,
        0,
        identity={"ticket": ticket.id, "account": ticket.account},
        name=ticket.subject or f"ticket {ticket.id}",
        status=ticket.status,
        severity=_severity(message, ticket, parsed),
        labels=_labels(ticket),
        observed_at=when,
        kind=Kind.REPORT,
        service=ticket.service or _service(ticket.tags) or None,
        description=ticket.description,
        links=[("ticket", ticket.url)],
        starts_at=starts if starts is None else clamp(starts, message.arrival, parsed),
        ends_at=when if when is None else clamp(when, message.arrival, parsed),
    )


def _status(word: str) -> Status:
    found = _STATES.get(word.strip().lower())
    if found is None:
        raise NotUnderstood(
            Reason.WRONG_TYPE if word else Reason.MISSING_FIELD,
            f"the ticket's status must be new, open, pending, hold, solved or closed, got {word[:40] or 'none'}; in an "
            "account of another language write the English word into the trigger itself",
        )
    return found


def _severity(message: Message, ticket: _Ticket, parsed: Parsed) -> Severity:
    if not ticket.priority and ticket.status is Status.RESOLVED:
        # Of a ticket that is over nothing was left out: many solve triggers send its id and no more.
        return Severity.MEDIUM
    return severity_of(ticket.priority, message.config, _SEVERITIES, parsed)


def _tags(value: Any) -> list[str]:
    """Tags as a list, sent as one or as text with spaces or commas; anything else has none."""
    if isinstance(value, str):
        value = [] if _UNSET.fullmatch(value) else value.replace(",", " ").split()
    return sorted({tag for tag in value if isinstance(tag, str) and tag}) if isinstance(value, list) else []


def _service(tags: list[str]) -> str:
    """The service that the tags name, empty where they name none or several."""
    named = {found[1] for tag in tags if (found := _SERVICE.fullmatch(tag))}
    return named.pop() if len(named) == 1 else ""


def _labels(ticket: _Ticket) -> dict[str, str]:
    labels: dict[str, str] = {}
    for tag in ticket.tags:
        key, colon, value = tag.partition(":")
        if colon and key and value and key != "service":
            labels.setdefault(key, value)
    own = {**ticket.labels, "ticket": ticket.id, "account": ticket.account, "tags": ",".join(ticket.tags)}
    own["service"] = ticket.service or _service(ticket.tags)
    return {**labels, **{key: value for key, value in own.items() if value}}


def _said(found: Mapping[str, Any], key: str) -> str:
    """A text, or a number as one; empty where it is unset or anything else: what is only shown costs no ticket."""
    value = found.get(key)
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() <= 64:
        return str(value)
    return value.strip() if isinstance(value, str) and not _UNSET.fullmatch(value) else ""


def _text(found: Mapping[str, Any], key: str) -> str:
    """A text or whole number that decides something; empty where it is unset, refused where it is anything else."""
    value = found.get(key)
    if isinstance(value, int) and not isinstance(value, bool):
        return scalar(value)
    if value is not None and not isinstance(value, str):
        raise NotUnderstood(Reason.WRONG_TYPE, f"{key} must be text or a whole number, got {kind_of(value)}")
    text = text_at(found, key).strip()
    return "" if _UNSET.fullmatch(text) else text
