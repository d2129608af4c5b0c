"""CDEvents: what delivery tools tell of deployments, pipelines, environments, incidents and tickets.

The type says what happened (`dev.cdevents.SUBJECT.PREDICATE.VERSION`). Incidents: detected and reported fire,
resolved resolves; identity the subject's source and id; `observed_at` is `context.timestamp`, which every event
has. An incident that was reported, and a ticket, are reports of people. Changes: a service deployed, upgraded,
rolled back or removed and an environment created, modified or deleted happened, each an event by itself (identity
the event's source and id); pipeline and task runs go from queued to finished (identity the subject's source and
id). Other subjects change no running system and are ignored. Source: the CDEvents specification, 0.3 to 0.6.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar, Final

from ingest.adapters.base import About, Adapter, Message, NotUnderstood, Outcome, Parsed, Reason, severity_of
from ingest.adapters.making import add_alert, add_change, attempt, finish
from ingest.adapters.reading import as_object, decode, text_at, texts_at, time_of, time_or_none
from ingest.adapters.words import SEVERITIES
from kernel.clock import Millis
from kernel.model.alert import Kind, Status
from kernel.model.change import ChangeOutcome

_TYPE: Final = re.compile(r"dev\.cdevents\.([a-z]+)\.([a-z]+)\.\d+\.\d+\.\d+(?:-[a-z]+)?")
_ALERTS: Final = {
    ("incident", "detected"): (Kind.PROBLEM, Status.FIRING),
    ("incident", "reported"): (Kind.REPORT, Status.FIRING),
    ("incident", "resolved"): (Kind.PROBLEM, Status.RESOLVED),
    ("ticket", "created"): (Kind.REPORT, Status.FIRING),
    ("ticket", "updated"): (Kind.REPORT, Status.FIRING),
    ("ticket", "closed"): (Kind.REPORT, Status.RESOLVED),
}
_HAPPENED: Final = {
    ("service", "deployed"): "deployment",
    ("service", "upgraded"): "upgrade",
    ("service", "rolledback"): "rollback",
    ("service", "removed"): "removal",
    ("environment", "created"): "environment created",
    ("environment", "modified"): "environment modified",
    ("environment", "deleted"): "environment deleted",
}
_RUNS: Final = {"pipelinerun": "pipeline run", "taskrun": "task run"}
_OUTCOMES: Final = {
    "success": ChangeOutcome.SUCCEEDED,
    "failure": ChangeOutcome.FAILED,
    "error": ChangeOutcome.FAILED,
    "cancel": ChangeOutcome.CANCELLED,
}

_CONNECT = """
Any tool that emits CDEvents: POST each event as JSON (of the CloudEvents HTTP binding, the body). With curl:

```sh
curl -H 'Authorization: Bearer TOKEN' -H 'Content-Type: application/json' \\
  --data @event.json http://stormfold:8080/v1/sources/cdevents
```
"""


class CDEvents(Adapter):
    """Same alert: source and id of the subject. Source: the CDEvents specification."""

    name: ClassVar[str] = "cdevents"
    title: ClassVar[str] = "CDEvents"
    shape: ClassVar[tuple[str, ...]] = ("context", "subject", "customData")
    about: ClassVar[About] = About(
        identity="source and id of the subject (of a service's or environment's event: of the event)",
        firing="`incident.detected`, `incident.reported`, `ticket.created`, `ticket.updated`. Changes: services, "
        "environments, pipeline and task runs",
        resolved="`incident.resolved`, `ticket.closed`",
        observed="`context.timestamp`",
        severity="`customData.severity` of an incident, `priority` of a ticket",
        proof="`token`",
        connect=_CONNECT,
    )

    def recognises(self, body: Any, headers: Mapping[str, str]) -> bool:
        """A context with a type of CDEvents, and a subject."""
        del headers
        if not isinstance(body, dict):
            return False
        context = body.get("context")
        kind = context.get("type") if isinstance(context, dict) else None
        return isinstance(kind, str) and kind.startswith("dev.cdevents.") and isinstance(body.get("subject"), dict)

    def parse(self, message: Message) -> Parsed:
        body = as_object(decode(message.body), "the body")
        context = as_object(body.get("context"), "context")
        kind = text_at(context, "type", "context.type")
        found = _TYPE.fullmatch(kind)
        if found is None:
            raise NotUnderstood(
                Reason.WRONG_TYPE if kind else Reason.MISSING_FIELD,
                f"context.type must be dev.cdevents.SUBJECT.PREDICATE.VERSION, got {kind[:80] or 'none'}",
            )
        subject, predicate = found[1], found[2]
        parsed = Parsed(Outcome.IGNORED)
        event = _Event(context, body, parsed)
        if (subject, predicate) in _ALERTS:
            attempt(parsed, 0, partial(_alert, message, event, *_ALERTS[subject, predicate], parsed))
        elif (subject, predicate) in _HAPPENED:
            attempt(parsed, 0, partial(_happened, message, event, _HAPPENED[subject, predicate], parsed))
        elif subject in _RUNS:
            attempt(parsed, 0, partial(_run, message, event, subject, predicate, parsed))
        else:
            return finish(parsed, f"{subject}.{predicate} changes no running system")
        return finish(parsed)


class _Event:
    """The parts of an event that all kinds share."""

    def __init__(self, context: dict[str, Any], body: dict[str, Any], parsed: Parsed) -> None:
        subject = as_object(body.get("subject"), "subject")
        self.id = text_at(context, "id", "context.id")
        self.source = text_at(context, "source", "context.source")
        self.when: Millis | None = time_or_none(time_of(context.get("timestamp"), "context.timestamp"), parsed)
        self.subject = text_at(subject, "id", "subject.id")
        self.subject_source = text_at(subject, "source", "subject.source") or self.source
        self.content = as_object(subject.get("content") or {}, "subject.content")
        custom = body.get("customData")
        self.custom = custom if isinstance(custom, dict) else {}
        if not self.subject:
            raise NotUnderstood(Reason.MISSING_IDENTITY, "subject.id must have a value")

    @property
    def identity(self) -> dict[str, str]:
        return {"source": self.subject_source, "subject": self.subject}

    def reference(self, field: str) -> str:
        """The id of a thing that the content names."""
        return text_at(as_object(self.content.get(field) or {}, field), "id", f"{field}.id")


def _alert(message: Message, event: _Event, kind: Kind, status: Status, parsed: Parsed) -> None:
    content = event.content
    custom = texts_at({"customData": _flat(event.custom)}, "customData", loose=True)
    word = text_at(content, "priority") or custom.get("severity") or custom.get("priority")
    text = text_at(content, "summary") or text_at(content, "description")
    service, environment = event.reference("service"), event.reference("environment")
    labels = {**custom, "environment": environment, "group": text_at(content, "group"), "subject": event.subject}
    add_alert(
        message,
        parsed,
        0,
        identity=event.identity,
        name=event.subject if status is Status.RESOLVED else text or event.subject,
        status=status,
        severity=severity_of(word, message.config, SEVERITIES, parsed),
        labels=labels,
        kind=kind,
        observed_at=event.when,
        service=service or None,
        summary=text,
        links=[("ticket", text_at(content, "uri") or text_at(content, "ticketURI"))],
        starts_at=event.when if status is Status.FIRING else None,
        ends_at=event.when,
    )


def _flat(custom: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in custom.items() if isinstance(value, str | bool | int | float)}


def _happened(message: Message, event: _Event, what: str, parsed: Parsed) -> None:
    of_service = not what.startswith("environment")
    environment = event.reference("environment") if of_service else event.subject
    add_change(
        message,
        parsed,
        0,
        identity={"source": event.source, "event": event.id},
        what=what,
        name=f"{what} of {event.subject}" if of_service else f"{what}: {event.subject}",
        outcome=ChangeOutcome.SUCCEEDED,
        when=event.when,
        service=event.subject if of_service else None,
        where=environment,
        revision=text_at(event.content, "artifactId"),
        link=text_at(event.content, "uri") or text_at(event.content, "url"),
        labels={"environment": environment, "source": event.subject_source},
    )


def _run(message: Message, event: _Event, subject: str, predicate: str, parsed: Parsed) -> None:
    outcome = ChangeOutcome.STARTED
    if predicate == "finished":
        outcome = _OUTCOMES.get(text_at(event.content, "outcome"), ChangeOutcome.UNKNOWN)
    name = text_at(event.content, "pipelineName") or text_at(event.content, "taskName") or event.subject
    add_change(
        message,
        parsed,
        0,
        identity=event.identity,
        what=_RUNS[subject],
        name=name,
        outcome=outcome,
        when=event.when,
        link=text_at(event.content, "uri") or text_at(event.content, "url"),
        summary=text_at(event.content, "errors"),
        labels={"source": event.subject_source},
    )
