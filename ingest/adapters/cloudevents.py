"""CloudEvents: structured mode, batches, and binary mode (`ce-*` headers).

The envelope has no state, so what an event reports must stand in its data or its attributes: `status` (or `state`)
with a word for firing or resolved, else the last part of `type` (`...alert.firing`). An event that says neither is
quarantined, never guessed. The same alert is: `fingerprint` or `dedup_key` of the data or attributes; else the
data's `labels`; else `source` and `subject`. `id` names the event, not what it is about. `observed_at` is `time`
where it stands in the event. Data that are another adapter's body (an alarm of CloudWatch, a CDEvent) are best sent
to that adapter's own source. Events that stormfold's webhooks send (`io.stormfold.*`) are ignored. Source:
CloudEvents 1.0, core, JSON format and HTTP binding.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar, Final

from ingest.adapters.base import About, Adapter, Message, NotUnderstood, Outcome, Parsed, Reason, severity_of
from ingest.adapters.making import add_alert, attempt, finish
from ingest.adapters.reading import as_object, decode, text_at, texts_at, time_of, time_or_none
from ingest.adapters.words import SEVERITIES, annotation_links
from kernel.model.alert import Status

_ATTRIBUTES: Final = ("id", "source", "type", "specversion", "subject", "time", "datacontenttype", "dataschema")
_BINARY: Final = tuple(f"ce-{name}" for name in (*_ATTRIBUTES, "severity", "status", "service"))
_FIRING: Final = frozenset(
    "firing fired triggered trigger alerting active open opened problem failed failure down".split()  # noqa: SIM905
)
_RESOLVED: Final = frozenset(
    "resolved resolve recovered recovery ok closed close up cleared clear inactive".split()  # noqa: SIM905
)
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
        identity="`fingerprint` or `dedup_key` of the data, else its labels, else `source` and `subject`",
        firing="`status` or `state` of the data, else the last word of `type`: firing, triggered, open, failed, ...",
        resolved="the same: resolved, recovered, ok, closed, ...",
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
            plain = {name[3:]: value for name, value in message.headers.items() if name.startswith("ce-")}
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


def _status(event: dict[str, Any], data: dict[str, Any]) -> Status:
    last = text_at(event, "type").rpartition(".")[2]
    for holder, name in ((data, "status"), (data, "state"), (event, "status"), (event, "state")):
        word = holder.get(name)
        if isinstance(word, str) and word:
            break
    else:
        word = last
    lower = word.strip().lower()
    if lower in _FIRING:
        return Status.FIRING
    if lower in _RESOLVED:
        return Status.RESOLVED
    raise NotUnderstood(
        Reason.MISSING_FIELD,
        f"the event (type {text_at(event, 'type')[:80]}) does not say whether something fires or is over: data.status "
        f"must be firing or resolved, got {word[:40] or 'nothing'}; or map it (docs/mappings.md)",
    )


def _event(message: Message, found: Any, index: int, parsed: Parsed, silent: list[str]) -> None:
    event = as_object(found, "an event")
    kind, source = text_at(event, "type"), text_at(event, "source")
    if not kind or not source:
        raise NotUnderstood(Reason.MISSING_FIELD, "type and source are required attributes of CloudEvents")
    if kind.startswith(_OWN) or source.startswith(_OWN_SOURCE):
        silent.append("stormfold sent this event itself")
        return
    data = _data(event)
    status = _status(event, data)
    labels = texts_at(data, "labels", loose=True)
    annotations = texts_at(data, "annotations", loose=True)
    subject = text_at(event, "subject")
    key = _first(data, event, "fingerprint", "dedup_key", "dedupkey")
    name = labels.get("alertname") or _first(data, {}, "name", "title", "alertname") or subject or kind
    word = _first(data, {}, "severity") or labels.get("severity") or _first(event, {}, "severity", "priority")
    when = time_or_none(time_of(event.get("time"), "time"), parsed)
    starts = time_or_none(time_of(data.get("startsAt") or data.get("starts_at"), "startsAt"), parsed)
    ends = time_or_none(time_of(data.get("endsAt") or data.get("ends_at"), "endsAt"), parsed)
    add_alert(
        message,
        parsed,
        index,
        identity={"key": key} if key else labels or {"source": source, "subject": subject},
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
