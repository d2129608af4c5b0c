"""Argo CD notifications: a sync is a change, an application's health is an alert.

Argo CD sends what its template says. Two forms are read: the whole application (`{"app": ..., "url": ...}`, the
recommended template), and the commit status that Argo CD's documentation gives as its example. From an application:
its sync is a change, identity namespace, name and revision, outcome the phase of the operation; its health is an
alert, identity namespace and name: Degraded and Missing fire, Healthy resolves, and Progressing, Suspended and
Unknown say neither. The operation's times are the sync's, and health has none, so `observed_at` of the alert is
arrival. A commit status names no revision, so all syncs of one application through it are one change, whose newest
state stands. Source: Argo CD's operator manual, "Notifications", and the fields of its Application resource.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar, Final

from ingest.adapters.base import About, Adapter, Message, NotUnderstood, Outcome, Parsed, Reason, severity_of
from ingest.adapters.making import add_alert, add_change, attempt, finish
from ingest.adapters.reading import as_object, decode, text_at, texts_at, time_of, time_or_none
from ingest.adapters.words import SEVERITIES
from kernel.model.alert import Status
from kernel.model.change import ChangeOutcome

_PHASES: Final = {
    "Running": ChangeOutcome.STARTED,
    "Terminating": ChangeOutcome.STARTED,
    "Succeeded": ChangeOutcome.SUCCEEDED,
    "Failed": ChangeOutcome.FAILED,
    "Error": ChangeOutcome.FAILED,
}
_COMMIT_STATES: Final = {
    "pending": ChangeOutcome.STARTED,
    "success": ChangeOutcome.SUCCEEDED,
    "failure": ChangeOutcome.FAILED,
    "error": ChangeOutcome.FAILED,
}
_HEALTH: Final = {"Degraded": Status.FIRING, "Missing": Status.FIRING, "Healthy": Status.RESOLVED}
_CONTEXT: Final = "continuous-delivery/"

_CONNECT = """
In `argocd-notifications-cm`, with the token in `argocd-notifications-secret`:

```yaml
service.webhook.stormfold: |
  url: http://stormfold:8080/v1/sources/argocd
  headers:
    - {name: Authorization, value: Bearer $stormfold-token}
    - {name: Content-Type, value: application/json}
template.stormfold: |
  webhook:
    stormfold:
      method: POST
      body: '{"app": {{toJson .app}}, "url": "{{.context.argocdUrl}}/applications/{{.app.metadata.name}}"}'
trigger.stormfold: |
  - when: app.status.operationState.phase in ['Running', 'Succeeded', 'Failed', 'Error']
    oncePer: app.status.operationState.phase + app.status.sync.revision
    send: [stormfold]
  - when: app.status.health.status in ['Degraded', 'Missing', 'Healthy']
    send: [stormfold]
```
"""


class ArgoCD(Adapter):
    """Same change: application and revision; same alert: application. Source: Argo CD's notifications."""

    name: ClassVar[str] = "argocd"
    title: ClassVar[str] = "Argo CD (notifications)"
    shape: ClassVar[tuple[str, ...]] = ("app", "context", "state", "target_url")
    about: ClassVar[About] = About(
        identity="change: application and revision. Alert: application",
        firing="changes: every phase of a sync. Alert: health `Degraded`, `Missing`",
        resolved="health `Healthy`",
        observed="changes: times of the operation. Alert: arrival",
        severity="label `severity` of the application",
        proof="`token`",
        connect=_CONNECT,
    )

    def recognises(self, body: Any, headers: Mapping[str, str]) -> bool:
        """An application with spec and status, or a commit status in Argo CD's context."""
        del headers
        if not isinstance(body, dict):
            return False
        app = body.get("app")
        if isinstance(app, dict) and isinstance(app.get("status"), dict) and isinstance(app.get("spec"), dict):
            return True
        context = body.get("context")
        return isinstance(context, str) and context.startswith(_CONTEXT) and isinstance(body.get("state"), str)

    def parse(self, message: Message) -> Parsed:
        body = as_object(decode(message.body), "the body")
        parsed = Parsed(Outcome.IGNORED)
        if "app" in body:
            app = as_object(body["app"], "app")
            attempt(parsed, 0, partial(_sync, message, app, text_at(body, "url"), parsed))
            attempt(parsed, 1, partial(_health, message, app, parsed))
            return finish(parsed, "" if parsed.total else "the application has neither an operation nor a health")
        if "context" in body and "state" in body:
            attempt(parsed, 0, partial(_commit_status, message, body, parsed))
            return finish(parsed, "a commit status names no revision; the template of docs/sources.md tells more")
        raise NotUnderstood(
            Reason.MISSING_FIELD, "app is missing; send the whole application as the template of docs/sources.md does"
        )


def _object(value: dict[str, Any], *path: str) -> dict[str, Any]:
    for field in path:
        value = as_object(value.get(field) or {}, field)
    return value


def _application(app: dict[str, Any]) -> tuple[dict[str, str], str]:
    metadata = _object(app, "metadata")
    name = text_at(metadata, "name", "app.metadata.name")
    if not name:
        raise NotUnderstood(Reason.MISSING_IDENTITY, "app.metadata.name must have a value")
    return {"namespace": text_at(metadata, "namespace"), "application": name}, name


def _labels(app: dict[str, Any], identity: Mapping[str, str]) -> dict[str, str]:
    spec, destination = _object(app, "spec"), _object(app, "spec", "destination")
    return {
        **texts_at(_object(app, "metadata"), "labels", loose=True),
        "application": identity["application"],
        "project": text_at(spec, "project"),
        "cluster": text_at(destination, "name") or text_at(destination, "server"),
        "namespace": text_at(destination, "namespace"),
    }


def _sync(message: Message, app: dict[str, Any], link: str, parsed: Parsed) -> None:
    operation = _object(app, "status", "operationState")
    phase = text_at(operation, "phase", "operationState.phase")
    if not phase:
        return
    if phase not in _PHASES:
        raise NotUnderstood(
            Reason.WRONG_TYPE, f"operationState.phase must be one of {', '.join(_PHASES)}, got {phase[:40]}"
        )
    identity, name = _application(app)
    revision = text_at(_object(operation, "syncResult"), "revision") or text_at(
        _object(app, "status", "sync"), "revision"
    )
    labels = _labels(app, identity)
    ended = operation.get("finishedAt") or operation.get("startedAt")
    add_change(
        message,
        parsed,
        0,
        identity={**identity, "revision": revision},
        what="sync",
        name=f"sync {name}",
        outcome=_PHASES[phase],
        when=time_or_none(time_of(ended, "finishedAt"), parsed),
        service=labels.get("service") or name,
        where=labels["namespace"] or labels["cluster"],
        who=text_at(_object(operation, "operation", "initiatedBy"), "username") or None,
        revision=revision,
        link=link,
        summary=text_at(operation, "message"),
        labels=labels,
    )


def _health(message: Message, app: dict[str, Any], parsed: Parsed) -> None:
    health = _object(app, "status", "health")
    state = text_at(health, "status", "health.status")
    status = _HEALTH.get(state)
    if status is None:
        return
    identity, name = _application(app)
    labels = _labels(app, identity)
    add_alert(
        message,
        parsed,
        1,
        identity=identity,
        name=f"{name} is unhealthy",
        status=status,
        severity=severity_of(labels.get("severity"), message.config, SEVERITIES, parsed),
        labels=labels,
        service=labels.get("service") or name,
        summary=f"{state}: {said}" if (said := text_at(health, "message")) else state,
    )


def _commit_status(message: Message, body: dict[str, Any], parsed: Parsed) -> None:
    context, state = text_at(body, "context"), text_at(body, "state")
    if state not in _COMMIT_STATES:
        raise NotUnderstood(
            Reason.WRONG_TYPE, f"state must be one of {', '.join(_COMMIT_STATES)}, got {state[:40] or 'none'}"
        )
    name = context.removeprefix(_CONTEXT)
    add_change(
        message,
        parsed,
        0,
        identity={"context": context, "target": text_at(body, "target_url")},
        what="sync",
        name=f"sync {name}",
        outcome=_COMMIT_STATES[state],
        service=name,
        link=text_at(body, "target_url"),
        summary=text_at(body, "description"),
    )
