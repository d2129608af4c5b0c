"""OpenTelemetry logs: OTLP over HTTP in JSON, from a severity on.

A log record is no alert by nature: those at or above the source's `min_severity` (default `error`, severity number
17) fire, what is below is ignored and counted in the reason. OTLP has no identity and no recovery. The same alert
is the same `service.namespace`, `service.name`, `service.instance.id` (else `host.name`), scope, and event name,
else exception type, else the body without its digits (request ids, durations and addresses would make every record
its own alert). Nothing resolves, so an alert goes stale only where the source states a `repeat_interval`: twice
that and 10 min after its last record. `observed_at` is `timeUnixNano`, else `observedTimeUnixNano`, which every
record has one of. A record that states no severity is below every threshold. stormfold's own logs are ignored: they
would feed themselves. Metrics and traces are no logs and are quarantined. Source: opentelemetry-proto, `logs/v1`,
OTLP/HTTP, and the semantic conventions of resources, events and exceptions.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, ClassVar, Final

from ingest.adapters.base import About, Adapter, Message, NotUnderstood, Outcome, Parsed, Reason, Reply
from ingest.adapters.groups import valid_for
from ingest.adapters.making import add_alert, attempt, finish
from ingest.adapters.reading import as_list, as_object, decode, kind_of, scalar, text_at, time_of, time_or_none
from kernel.clock import Millis
from kernel.config.schema import SourceConfig
from kernel.model.alert import Severity, Status

_RANGES: Final = (
    (21, Severity.CRITICAL, "fatal"),
    (17, Severity.HIGH, "error"),
    (13, Severity.MEDIUM, "warn"),
    (9, Severity.INFO, "info"),
    (5, Severity.INFO, "debug"),
    (1, Severity.INFO, "trace"),
)
"""Each name's first number of four, as the log data model has them."""
LEAST: Final = {word: number for number, _, word in _RANGES}
_OWN: Final = "stormfold"
_CHANGING: Final = re.compile(r"0x[0-9a-fA-F]+|[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|\b[0-9a-fA-F]{16,}\b|\d+")
_DEPTH: Final = 8
_LONG: Final = ("exception.stacktrace", "exception.message")
"""Attributes that are shown as the alert's own texts, and are no labels."""

_CONNECT = """
In the OpenTelemetry Collector, with a filter so that only what matters leaves it:

```yaml
processors:
  filter/errors:
    logs: {log_record: ['severity_number < SEVERITY_NUMBER_ERROR']}
exporters:
  otlphttp/stormfold:
    logs_endpoint: http://stormfold:8080/v1/sources/opentelemetry
    encoding: json
    headers: {Authorization: Bearer TOKEN}
service:
  pipelines:
    logs/stormfold: {receivers: [otlp], processors: [filter/errors], exporters: [otlphttp/stormfold]}
```

Set `repeat_interval` of the source, since nothing tells that an error is over.
"""


class OpenTelemetry(Adapter):
    """Same alert: resource, scope and what happened. Source: opentelemetry-proto."""

    name: ClassVar[str] = "opentelemetry"
    title: ClassVar[str] = "OpenTelemetry logs (OTLP/HTTP, JSON)"
    shape: ClassVar[tuple[str, ...]] = ("resourceLogs",)
    # OTLP/HTTP asks for 200 and an export response, which is empty where all was taken.
    accepted: ClassVar[Reply | None] = Reply(200, b"{}")
    about: ClassVar[About] = About(
        identity="service namespace, name and instance, scope, and event name, else exception type, else the body "
        "without digits",
        firing="records at or above `min_severity` (default `error`)",
        resolved="nothing tells; stale after `repeat_interval`",
        observed="time of the record",
        severity="fatal `critical`, error `high`, warn `medium`, below `info`",
        proof="`token`",
        connect=_CONNECT,
    )

    def recognises(self, body: Any, headers: Mapping[str, str]) -> bool:
        """Resource logs."""
        del headers
        return isinstance(body, dict) and isinstance(body.get("resourceLogs"), list)

    def parse(self, message: Message) -> Parsed:
        body = as_object(decode(message.body), "the body")
        if "resourceLogs" not in body:
            for other in ("resourceMetrics", "resourceSpans", "resourceProfiles"):
                if other in body:
                    raise NotUnderstood(Reason.WRONG_TYPE, f"{other} are no logs; send the collector's logs pipeline")
            raise NotUnderstood(Reason.MISSING_FIELD, "resourceLogs is missing; OTLP/HTTP sends logs in that list")
        parsed, left = Parsed(Outcome.IGNORED), Counter[str]()
        for index, (resource, scope, record) in enumerate(_records(body)):
            attempt(parsed, index, partial(_record, message, resource, scope, record, index, parsed, left))
        note = "; ".join(f"{n} records {why}" for why, n in left.items())
        return finish(parsed, note or ("" if parsed.total else "there is no log record in the body"))


def _records(body: dict[str, Any]) -> Iterator[tuple[dict[str, str], str, Any]]:
    for found in as_list(body["resourceLogs"], "resourceLogs"):
        logs = as_object(found, "resourceLogs")
        resource = _attributes(as_object(logs.get("resource") or {}, "resource"))
        scopes = as_list(logs.get("scopeLogs") or logs.get("instrumentationLibraryLogs") or [], "scopeLogs")
        for entry in scopes:
            scoped = as_object(entry, "scopeLogs")
            scope = as_object(scoped.get("scope") or {}, "scope")
            for record in as_list(scoped.get("logRecords") or [], "logRecords"):
                yield resource, text_at(scope, "name", "scope.name"), record


def _attributes(holder: dict[str, Any]) -> dict[str, str]:
    """The attributes with one value each; lists and maps are left out."""
    found: dict[str, str] = {}
    for entry in as_list(holder.get("attributes") or [], "attributes"):
        pair = as_object(entry, "attributes")
        text = _text(pair.get("value"), 0)
        if text:
            found[text_at(pair, "key", "attributes.key")] = text
    return found


def _text(value: Any, depth: int) -> str:
    """An AnyValue as text: scalars as they are, of lists and maps what is in them."""
    if not isinstance(value, dict) or depth > _DEPTH:
        return ""
    for name in ("stringValue", "intValue", "doubleValue", "boolValue"):
        found = value.get(name)
        if isinstance(found, str):
            return found
        if isinstance(found, bool | int | float):
            return scalar(found)
    inner = value.get("arrayValue") or value.get("kvlistValue")
    items = inner.get("values") if isinstance(inner, dict) else None
    if not isinstance(items, list):
        return ""
    parts = [_text(item.get("value", item) if isinstance(item, dict) else None, depth + 1) for item in items[:50]]
    return " ".join(part for part in parts if part)


def _number(record: dict[str, Any]) -> int:
    """The severity's number: as a number, in digits, by its name in the enum, else by its text; 0 for none."""
    value = record.get("severityNumber")
    if isinstance(value, bool) or (value is not None and not isinstance(value, int | str)):
        raise NotUnderstood(Reason.WRONG_TYPE, f"severityNumber must be a number, got {kind_of(value)}")
    if isinstance(value, int):
        return value if 0 <= value <= 24 else 0
    if isinstance(value, str):
        if value.isascii() and value.isdigit() and len(value) <= 2:
            return min(int(value), 24)
        name = value.removeprefix("SEVERITY_NUMBER_").rstrip("234").lower()
        if name in LEAST:
            return LEAST[name]
    word = text_at(record, "severityText").strip().lower()
    return LEAST.get({"warning": "warn", "critical": "fatal", "information": "info"}.get(word, word), 0)


def _time(record: dict[str, Any], parsed: Parsed) -> Millis | None:
    found = [time_of(record.get(name), name, digits=True) for name in ("timeUnixNano", "observedTimeUnixNano")]
    return time_or_none(next((ms for ms in found if ms > 0), min(found)), parsed)


def _left(resource: dict[str, str], number: int, config: SourceConfig) -> str:
    """Why a record is no alert, empty where it is one."""
    if _OWN in (resource.get("service.name"), resource.get("service.namespace")):
        return "of stormfold's own logs, which would feed themselves"
    if not number:
        return "without a severity"
    return f"below {config.min_severity}" if number < LEAST[config.min_severity] else ""


def _severity(number: int, config: SourceConfig) -> Severity:
    severity, word = next((severity, word) for least, severity, word in _RANGES if number >= least)
    return config.severities.get(word, severity)


def _record(
    message: Message,
    resource: dict[str, str],
    scope: str,
    found: Any,
    index: int,
    parsed: Parsed,
    left: Counter[str],
) -> None:
    record = as_object(found, "a log record")
    number = _number(record)
    why = _left(resource, number, message.config)
    if why:
        left[why] += 1
        return
    attributes, body = _attributes(record), _text(record.get("body"), 0)
    event = text_at(record, "eventName") or attributes.get("event.name", "")
    what = event or attributes.get("exception.type", "")
    service, when = resource.get("service.name", ""), _time(record, parsed)
    add_alert(
        message,
        parsed,
        index,
        identity={
            "namespace": resource.get("service.namespace", ""),
            "service": service,
            "instance": resource.get("service.instance.id") or resource.get("host.name", ""),
            "scope": scope,
            "what": what or _CHANGING.sub("#", body),
        },
        name=what or body or "log record",
        status=Status.FIRING,
        severity=_severity(number, message.config),
        labels={
            **resource,
            **{name: value for name, value in attributes.items() if name not in _LONG},
            "scope": scope,
        },
        observed_at=when,
        service=service or None,
        summary=attributes.get("exception.message") or body,
        description=attributes.get("exception.stacktrace", ""),
        starts_at=when,
        valid_for=valid_for(message.config),
    )
