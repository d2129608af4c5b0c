"""CloudEvents: structured mode, batches, and binary mode (`ce-*` headers).

The envelope has no state, so what an event reports must stand in its data or its attributes: `status` (or `state`)
with a word for firing or resolved, else the last part of `type` (`...alert.firing`). Words that other events use as
well (`open`, `closed`, `active`, `failed`, ...) count only of an event that is an alert by its own account: it has a
severity, a key, a label `alertname`, or `alert`, `alarm`, `incident` or `problem` in its type. An issue that was
closed is no recovery. `acknowledged`, `suppressed` and the like are neither and ignored; an event that says nothing
is quarantined, never guessed. The same alert is: `fingerprint` or `dedup_key` of the data or attributes; else the
data's `labels`; else `source` and `subject`; without a subject `source` and the data's `name`, else the type without
its word of state. `id` names the event, not what it is about. `observed_at` is `time` where it stands in the event;
there is no `valid_for`, since nothing says that an event comes again. Data that are another adapter's body (an alarm
of CloudWatch, a CDEvent) are best sent to that adapter's own source. Events that stormfold's webhooks send
(`io.stormfold.*`), or that carry a key of its own, are ignored. Source: CloudEvents 1.0, core, JSON format and HTTP
binding.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar, Final
from urllib.parse import unquote

from ingest.adapters.base import About, Adapter, Message, NotUnderstood, Outcome, Parsed, Reason, severity_of
from ingest.adapters.making import add_alert, attempt, finish
from ingest.adapters.reading import as_object, decode, text_at, texts_at, time_of, time_or_none
from ingest.adapters.words import SEVERITIES, annotation_links
from kernel.model.alert import Status
from kernel.model.naming import own_key

_ATTRIBUTES: Final = ("id", "source", "type", "specversion", "subject", "time", "datacontenttype", "dataschema")
_MORE: Final = ("severity", "priority", "status", "state", "service", "fingerprint", "dedupkey")
"""Extension attributes that are read beside those of the specification."""
_BINARY: Final = tuple(f"ce-{name}" for name in (*_ATTRIBUTES, *_MORE))
_SURE: Final = {
    **dict.fromkeys(("firing", "fired", "alerting"), Status.FIRING),
    **dict.fromkeys(("resolved", "recovered", "recovery"), Status.RESOLVED),
}
_FIRING: Final = ("triggered", "trigger", "active", "open", "opened", "problem", "failed", "failure", "down")
_RESOLVED: Final = ("resolve", "ok", "closed", "close", "up", "cleared", "clear", "inactive")
_OF_ALERTS: Final = {
    **_SURE,
    **dict.fromkeys(_FIRING, Status.FIRING),
    **dict.fromkeys(_RESOLVED, Status.RESOLVED),
}
_NEITHER: Final = frozenset(("acknowledged", "ack", "suppressed", "silenced", "muted", "pending", "updated"))
_ALERT: Final = re.compile(r"alert|alarm|incident|problem", re.IGNORECASE)
_KEYS: Final = ("fingerprint", "dedup_key", "dedupkey")
_OWN: Final = "io.stormfold."
_OWN_SOURCE: Final = "/stormfold/"

_CONNECT = """
Any producer of CloudEvents, in any mode; what it reports stands in `data`:

```sh
curl http://stormfold:8080/v1/sources/cloudevents -H 'Authorization: Bearer TOKEN' \\
  -H 'Content-Type: application/cloudevents+json' -d '{
  "specversion": "1.0", "type": "com.example.alert", "source": "/shop/eu", "id": "1", "subject": "checkout/latency",
  "data": {"status": "firing", "severity": "high", "summary": "p99 is over 2 s", "service": "checkout"}}'
```
"""


class CloudEvents(Adapter):
    """Same alert: the data's own key or labels, else source and subject. Source: CloudEvents 1.0."""

    name: ClassVar[str] = "cloudevents"
    title: ClassVar[str] = "CloudEvents 1.0"
    shape: ClassVar[tuple[str, ...]] = ("specversion", "type", "source", "id", "data")
    headers: ClassVar[tuple[str, ...]] = (*_BINARY, "content-type")
    about: ClassVar[About] = About(
        identity="`fingerprint` or `dedup_key` of the data, else its labels, else `source` and `subject` (or `name`)",
        firing="`status` or `state` of the data, else the last word of `type`: firing, triggered; of an event with a "
        "severity, a key or a type that says alert also open, failed, ...",
        resolved="the same: resolved, recovered; ok, closed, ...",
        observed="`time`, else arrival",
        severity="`severity` of the data, its labels or the attributes",
        proof="`standard-webhooks`, `token`",
        connect=_CONNECT,
    )

    def recognises(self, body: Any, headers: Mapping[str, str]) -> bool:
        """The envelope's required attributes, or those of the binary mode."""
        if "ce-specversion" in headers and "ce-type" in headers:
            return True
        first = body[0] if isinstance(body, list) and body else body
        if not isinstance(first, dict):
            return False
        return all(isinstance(first.get(name), str) for name in ("specversion", "type", "source", "id"))

    def parse(self, message: Message) -> Parsed:
        body = decode(message.body)
        if "ce-specversion" in message.headers:
            # Header values are percent-encoded where an attribute is not plain ASCII (HTTP binding, 3.1.3.2).
            plain = {name[3:]: unquote(value) for name, value in message.headers.items() if name.startswith("ce-")}
            events: list[Any] = [{**plain, "data": body}]
        else:
            events = body if isinstance(body, list) else [body]
        parsed, silent = Parsed(Outcome.IGNORED), list[str]()
        for index, event in enumerate(events):
            attempt(parsed, index, partial(_event, message, event, index, parsed, silent))
        return finish(parsed, "; ".join(dict.fromkeys(silent[:5])) or ("" if parsed.total else "the batch is empty"))


def _data(event: dict[str, Any]) -> dict[str, Any]:
    """The event's data where they are an object, else nothing of them."""
    data = event.get("data")
    if data is None and isinstance(event.get("data_base64"), str):
        try:
            raw = base64.b64decode(event["data_base64"], validate=True)
            data = decode(raw)
        except (binascii.Error, ValueError, NotUnderstood):
            data = None
    return data if isinstance(data, dict) else {}


def _state(event: dict[str, Any], data: dict[str, Any]) -> str:
    """The word of state: of the data, of the attributes, else the last part of the type."""
    word = _first(data, {}, "status", "state") or _first(event, {}, "status", "state")
    return (word or text_at(event, "type").rpartition(".")[2]).strip().lower()


def _status(kind: str, word: str, known: Mapping[str, Status]) -> Status:
    found = known.get(word)
    if found is None:
        raise NotUnderstood(
            Reason.MISSING_FIELD,
            f"the event (type {kind[:80]}) does not say whether something fires or is over: data.status must be firing "
            f"or resolved, got {word[:40] or 'nothing'}; or map it (docs/mappings.md)",
        )
    return found


def _identity(event: dict[str, Any], data: dict[str, Any], key: str, labels: dict[str, str]) -> dict[str, str]:
    if key or labels:
        return {"key": key} if key else labels
    source, kind, subject = text_at(event, "source"), text_at(event, "type"), text_at(event, "subject")
    if subject:
        return {"source": source, "subject": subject}
    stem, _, last = kind.rpartition(".")
    told = stem if last.lower() in _OF_ALERTS else kind
    return {"source": source, "name": _first(data, {}, "alertname", "name") or told}


def _event(message: Message, found: Any, index: int, parsed: Parsed, silent: list[str]) -> None:
    event = as_object(found, "an event")
    kind, source = text_at(event, "type"), text_at(event, "source")
    if not kind or not source:
        raise NotUnderstood(Reason.MISSING_FIELD, "type and source are required attributes of CloudEvents")
    if kind.startswith(_OWN) or source.startswith(_OWN_SOURCE):
        silent.append("stormfold sent this event itself")
        return
    data = _data(event)
    key = _first(data, event, *_KEYS)
    if own_key(key) is not None:
        silent.append("the key is stormfold's own")
        return
    labels = texts_at(data, "labels", loose=True)
    annotations = texts_at(data, "annotations", loose=True)
    subject = text_at(event, "subject")
    name = labels.get("alertname") or _first(data, {}, "name", "title", "alertname") or subject or kind
    word = _first(data, {}, "severity") or labels.get("severity") or _first(event, {}, "severity", "priority")
    told, state = word or key or "alertname" in labels or _ALERT.search(kind), _state(event, data)
    if told and state in _NEITHER:
        silent.append(f"{state} is neither firing nor resolved, what is open stays open")
        return
    status = _status(kind, state, _OF_ALERTS if told else _SURE)
    when = time_or_none(time_of(event.get("time"), "time"), parsed)
    starts = time_or_none(time_of(data.get("startsAt") or data.get("starts_at"), "startsAt"), parsed)
    ends = time_or_none(time_of(data.get("endsAt") or data.get("ends_at"), "endsAt"), parsed)
    add_alert(
        message,
        parsed,
        index,
        identity=_identity(event, data, key, labels),
        name=name,
        status=status,
        severity=severity_of(word, message.config, SEVERITIES, parsed),
        labels={**labels, "ce_source": source, "ce_type": kind, "ce_subject": subject},
        observed_at=when,
        service=_first(data, event, "service") or None,
        summary=_first(data, {}, "summary", "message") or annotations.get("summary", ""),
        description=_first(data, {}, "description") or annotations.get("description", ""),
        links=[*annotation_links(annotations), ("source", _first(data, {}, "generatorURL", "url", "link"))],
        starts_at=starts or (when if status is Status.FIRING else None),
        ends_at=ends or when,
    )


def _first(first: Mapping[str, Any], second: Mapping[str, Any], *names: str) -> str:
    """The first text under one of the names."""
    for holder in (first, second):
        for name in names:
            value = holder.get(name)
            if isinstance(value, str) and value:
                return value
    return ""
