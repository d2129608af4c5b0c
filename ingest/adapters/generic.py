"""Generic JSON, stormfold's own: one object, or a list of them, for everything that has no adapter yet.

| field | type | meaning |
|---|---|---|
| `name` | text, required | what is wrong, in the words of the source |
| `status` | `firing` or `resolved` | default `firing` |
| `severity` | text | `critical`, `high`, `medium`, `low`, `info`, or the usual words of other systems |
| `id` or `dedup_key` | text or whole number | identity; without it name, service and labels are |
| `service`, `summary`, `description` | text | |
| `labels` | object of texts | |
| `starts_at`, `ends_at` | RFC 3339, or Unix seconds or milliseconds | |
| `links` | list of addresses or of `{text, href}` | |
| `kind` | `problem`, `report`, `change`, `heartbeat` | default `problem`; a report is something people said |

Of a change, beside `id`, `name`, `service`, `summary` and `labels`: `what` (default `change`), `where`, `who`, `when`
(RFC 3339 or Unix), `revision`, `link`, and `outcome` (`started`, `succeeded`, `failed`, `cancelled`; default
`succeeded`). Without an id name, service, labels and revision identify it, without these the time. A heartbeat has its
`name` only.

`observed_at` is arrival. `valid_for` is twice the source's `repeat_interval` and 10 min where that is configured.
Other fields are left out and named in the reason. Severity of a report and of a problem are read alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, ClassVar, Final, TypeVar

from ingest.adapters.base import About, Adapter, Message, NotUnderstood, Outcome, Parsed, Reason, clamp, severity_of
from ingest.adapters.groups import valid_for
from ingest.adapters.making import add_alert, add_change, attempt, finish
from ingest.adapters.reading import (
    NAME_BYTES,
    as_list,
    as_object,
    clean_text,
    decode,
    kind_of,
    scalar,
    text_at,
    texts_at,
    time_of,
    time_or_none,
)
from ingest.adapters.words import SEVERITIES
from kernel.clock import Millis
from kernel.model.alert import Kind, Status
from kernel.model.change import ChangeOutcome

_FIELDS: Final = frozenset(
    [
        "name",
        "status",
        "severity",
        "id",
        "dedup_key",
        "service",
        "summary",
        "description",
        "labels",
        "starts_at",
        "ends_at",
        "links",
        "kind",
    ]
)
_CHANGE_FIELDS: Final = frozenset(["what", "where", "who", "when", "revision", "link", "outcome"])
_Word = TypeVar("_Word", Kind, Status, ChangeOutcome)
_KINDS: Final = {"": Kind.PROBLEM, **{kind.value: kind for kind in Kind}}
_OUTCOMES: Final = {"": ChangeOutcome.SUCCEEDED, **{outcome.value: outcome for outcome in ChangeOutcome}}
_STATUSES: Final = {"": Status.FIRING, "firing": Status.FIRING, "resolved": Status.RESOLVED}


_CONNECT: Final = """
```sh
curl http://stormfold:8080/v1/sources/generic -H 'content-type: application/json' -d '{
  "name": "Backup of orders failed", "status": "firing", "severity": "high",
  "id": "backup-orders", "service": "orders", "labels": {"env": "prod"},
  "summary": "exit status 3", "links": [{"text": "log", "href": "https://backups.example/orders"}]}'
```

Its fields stand [below](#generic-json-field-by-field).
"""


class Generic(Adapter):
    """Same alert: `id` or `dedup_key`, else name, service and labels. Source: this page."""

    name: ClassVar[str] = "generic"
    title: ClassVar[str] = "Generic JSON"
    shape: ClassVar[tuple[str, ...]] = ("name", "status", "severity", "service", "labels")

    about: ClassVar[About] = About(
        identity="`id` or `dedup_key`, else name, service and labels",
        firing="`status` `firing`, or none. Reports, changes and heartbeats by `kind`",
        resolved="`status` `resolved`",
        observed="arrival; of a change `when`",
        severity="`severity`",
        proof="`token`, or any other",
        connect=_CONNECT,
    )

    def recognises(self, body: Any, headers: Mapping[str, str]) -> bool:
        """A name, and a status or kind of ours; asked last."""
        del headers
        first = body[0] if isinstance(body, list) and body else body
        if not isinstance(first, dict) or not isinstance(first.get("name"), str):
            return False
        return first.get("status") in ("firing", "resolved") or first.get("kind") in tuple(Kind)

    def parse(self, message: Message) -> Parsed:
        body = decode(message.body)
        entries = body if isinstance(body, list) else [as_object(body, "the body")]
        parsed = Parsed(Outcome.IGNORED)
        if not entries:
            return finish(parsed, "the list is empty")
        for index, entry in enumerate(entries):
            attempt(parsed, index, partial(_build, message, entry, index, parsed))
        return finish(parsed, _unknown_fields(entries))


def _unknown_fields(entries: list[Any]) -> str:
    found = {field for entry in entries if isinstance(entry, dict) for field in entry}
    changes = any(isinstance(entry, dict) and entry.get("kind") == Kind.CHANGE for entry in entries)
    unknown = found - _FIELDS - (_CHANGE_FIELDS if changes else frozenset())
    return f"fields left out: {', '.join(sorted(unknown)[:10])[:300]}" if unknown else ""


def _build(message: Message, entry: Any, index: int, parsed: Parsed) -> None:
    found = as_object(entry, "an alert")
    name, service = text_at(found, "name"), text_at(found, "service")
    if not name.strip():
        raise NotUnderstood(Reason.MISSING_FIELD, "name is missing; it says in a few words what is wrong")
    labels = texts_at(found, "labels")
    kind = _one_of(found, "kind", _KINDS)
    if kind is Kind.HEARTBEAT:
        parsed.heartbeats.append(clean_text(name, NAME_BYTES, parsed))
        return
    if kind is Kind.CHANGE:
        _change(message, found, index, parsed)
        return
    status = _one_of(found, "status", _STATUSES)
    severity = severity_of(text_at(found, "severity"), message.config, SEVERITIES, parsed)
    own = _own_id(found)
    strangers = {f"label {key}": value for key, value in labels.items()}
    add_alert(
        message,
        parsed,
        index,
        identity={"id": own} if own else {**strangers, "name": name, "service": service},
        name=name,
        status=status,
        severity=severity,
        labels=labels,
        kind=kind,
        service=service or None,
        summary=text_at(found, "summary"),
        description=text_at(found, "description"),
        links=_links(found),
        starts_at=_time(found, "starts_at", message.arrival, parsed),
        ends_at=_time(found, "ends_at", message.arrival, parsed) if status is Status.RESOLVED else None,
        valid_for=valid_for(message.config),
    )


def _change(message: Message, found: dict[str, Any], index: int, parsed: Parsed) -> None:
    name, service, labels = text_at(found, "name"), text_at(found, "service"), texts_at(found, "labels")
    own, revision = _own_id(found), text_at(found, "revision")
    when = time_or_none(time_of(found.get("when"), "when"), parsed)
    strangers = {f"label {key}": value for key, value in labels.items()}
    # Start and end of one change have different times, so the time tells changes apart only where nothing else does.
    last = revision or str(when or message.arrival)
    told = {**strangers, "name": name, "service": service, "revision": last}
    add_change(
        message,
        parsed,
        index,
        identity={"id": own} if own else told,
        what=clean_text(text_at(found, "what"), NAME_BYTES, parsed) or "change",
        name=name,
        outcome=_one_of(found, "outcome", _OUTCOMES),
        when=when,
        service=service,
        where=text_at(found, "where"),
        who=text_at(found, "who"),
        revision=revision,
        link=text_at(found, "link"),
        summary=text_at(found, "summary"),
        labels=labels,
    )


def _one_of(found: dict[str, Any], field: str, known: Mapping[str, _Word]) -> _Word:
    word = text_at(found, field)
    if word not in known:
        wanted = " or ".join(key for key in known if key)
        raise NotUnderstood(Reason.WRONG_TYPE, f"{field} must be {wanted}, got {word[:40]!r}")
    return known[word]


def _own_id(found: dict[str, Any]) -> str:
    for field in ("id", "dedup_key"):
        value = found.get(field)
        if isinstance(value, bool | float | list | dict):
            raise NotUnderstood(Reason.WRONG_TYPE, f"{field} must be text or a whole number, got {kind_of(value)}")
        if value not in (None, ""):
            return value if isinstance(value, str) else scalar(value)
    return ""


def _time(found: dict[str, Any], field: str, arrival: Millis, parsed: Parsed) -> Millis | None:
    when = time_or_none(time_of(found.get(field), field), parsed)
    return when if when is None else clamp(when, arrival, parsed)


def _links(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for link in as_list(found.get("links") or [], "links"):
        if isinstance(link, str):
            yield "link", link
        else:
            entry = as_object(link, "links")
            yield text_at(entry, "text", "links.text") or "link", text_at(entry, "href", "links.href")
