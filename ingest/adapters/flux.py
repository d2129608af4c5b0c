"""Flux: events of its controllers (notification-controller, generic provider) and of Flagger's canaries.

An event is about one object (kind, namespace, name). `error` fires an alert of that object, and success of a
reconciliation, installation, upgrade or rollback resolves it: Flux sends no resolution of its own. Where the event
names a revision it is a change as well: identity the object and the revision, failed or succeeded; `Progressing`
starts it. Other `info` events and `trace` are ignored. A Flagger event is a change of what `canary`: identity
namespace, name and checksum (newer versions send it), outcome by phase. What Flagger posts to a webhook of an
analysis is a question, not an event, and is ignored. Times are those of the event, in every one of them, so they
are `observed_at`. Source: "Events" of the notification-controller, "Webhooks" and "Monitoring" of Flagger's
documentation.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar, Final

from ingest.adapters.base import About, Adapter, Message, NotUnderstood, Outcome, Parsed, Reason
from ingest.adapters.making import add_alert, add_change, attempt, finish
from ingest.adapters.reading import as_object, decode, text_at, texts_at, time_of, time_or_none
from kernel.model.alert import Severity, Status
from kernel.model.change import ChangeOutcome

_SEVERITIES: Final = ("info", "error", "trace")
_DONE: Final = (
    "ReconciliationSucceeded",
    "InstallSucceeded",
    "UpgradeSucceeded",
    "RollbackSucceeded",
    "TestSucceeded",
    "UninstallSucceeded",
)
_PHASES: Final = {
    "Initializing": ChangeOutcome.STARTED,
    "Initialized": ChangeOutcome.STARTED,
    "Waiting": ChangeOutcome.STARTED,
    "Progressing": ChangeOutcome.STARTED,
    "WaitingPromotion": ChangeOutcome.STARTED,
    "Promoting": ChangeOutcome.STARTED,
    "Finalising": ChangeOutcome.STARTED,
    "Succeeded": ChangeOutcome.SUCCEEDED,
    "Failed": ChangeOutcome.FAILED,
    "Terminating": ChangeOutcome.CANCELLED,
    "Terminated": ChangeOutcome.CANCELLED,
}

_CONNECT = """
```yaml
apiVersion: notification.toolkit.fluxcd.io/v1beta3
kind: Provider
metadata: {name: stormfold, namespace: flux-system}
spec:
  type: generic
  address: http://stormfold:8080/v1/sources/flux
  secretRef: {name: stormfold-token}   # key `headers`: "Authorization: Bearer ..."
---
apiVersion: notification.toolkit.fluxcd.io/v1beta3
kind: Alert
metadata: {name: stormfold, namespace: flux-system}
spec:
  providerRef: {name: stormfold}
  eventSeverity: info                  # `error` alone would never tell of recovery
  eventSources: [{kind: Kustomization, name: '*'}, {kind: HelmRelease, name: '*'}]
```
"""


class Flux(Adapter):
    """Same alert: the object. Same change: the object and its revision. Source: Flux' and Flagger's documentation."""

    name: ClassVar[str] = "flux"
    title: ClassVar[str] = "Flux (notification-controller) and Flagger"
    shape: ClassVar[tuple[str, ...]] = ("involvedObject", "reportingController", "severity", "reason", "message")
    about: ClassVar[About] = About(
        identity="alert: kind, namespace and name of the object. Change: the object and the revision",
        firing="severity `error`. Changes: events with a revision, Flagger's events",
        resolved="`ReconciliationSucceeded` and the like",
        observed="`timestamp` of the event",
        severity="`high` (Flux knows errors only)",
        proof="`token`, or `hmac` where the provider's type is `generic-hmac` (header `X-Signature`)",
        connect=_CONNECT,
    )

    def recognises(self, body: Any, headers: Mapping[str, str]) -> bool:
        """An involved object and the controller that reports it, or a canary's phase with its event."""
        del headers
        if not isinstance(body, dict):
            return False
        if isinstance(body.get("involvedObject"), dict):
            return isinstance(body.get("reportingController"), str) and body.get("severity") in _SEVERITIES
        return _is_canary(body) and body.get("phase") in _PHASES

    def parse(self, message: Message) -> Parsed:
        body = as_object(decode(message.body), "the body")
        parsed = Parsed(Outcome.IGNORED)
        if "involvedObject" in body:
            return _event(message, body, parsed)
        if _is_canary(body):
            metadata = texts_at(body, "metadata", loose=True)
            if "eventMessage" not in metadata:
                return finish(parsed, "Flagger asks a webhook of an analysis for its leave; that is not an event")
            attempt(parsed, 0, partial(_canary, message, body, metadata, parsed))
            return finish(parsed)
        raise NotUnderstood(
            Reason.MISSING_FIELD, "neither involvedObject (Flux) nor name, namespace and phase (Flagger) is present"
        )


def _is_canary(body: dict[str, Any]) -> bool:
    return all(isinstance(body.get(field), str) for field in ("name", "namespace", "phase")) and isinstance(
        body.get("metadata"), dict
    )


def _event(message: Message, body: dict[str, Any], parsed: Parsed) -> Parsed:
    severity, reason = text_at(body, "severity"), text_at(body, "reason")
    if severity not in _SEVERITIES:
        raise NotUnderstood(Reason.WRONG_TYPE, f"severity must be info, error or trace, got {severity[:40] or 'none'}")
    failed, done = severity == "error", severity == "info" and reason in _DONE
    if failed or done:
        attempt(parsed, 0, partial(_alert, message, body, Status.FIRING if failed else Status.RESOLVED, parsed))
    elif severity != "info" or reason != "Progressing":
        return finish(parsed, f"{severity} {reason[:60]} says neither that something fails nor that it works again")
    outcome = ChangeOutcome.FAILED if failed else ChangeOutcome.SUCCEEDED if done else ChangeOutcome.STARTED
    attempt(parsed, 1, partial(_change, message, body, outcome, parsed))
    return finish(parsed, "" if parsed.total else "the event names no revision, so nothing changed")


def _object(body: dict[str, Any]) -> dict[str, str]:
    involved = as_object(body["involvedObject"], "involvedObject")
    found = {field: text_at(involved, field, f"involvedObject.{field}") for field in ("kind", "namespace", "name")}
    if not found["name"]:
        raise NotUnderstood(Reason.MISSING_IDENTITY, "involvedObject.name must have a value")
    return found


def _revision(body: dict[str, Any]) -> str:
    metadata = texts_at(body, "metadata", loose=True)
    found = (value for key, value in metadata.items() if key == "revision" or key.endswith("/revision"))
    return next(found, "")


def _alert(message: Message, body: dict[str, Any], status: Status, parsed: Parsed) -> None:
    found = _object(body)
    when = time_or_none(time_of(body.get("timestamp"), "timestamp"), parsed)
    add_alert(
        message,
        parsed,
        0,
        identity=found,
        name=f"{found['kind']} {found['name']} fails".strip(),
        status=status,
        severity=message.config.severities.get("error", Severity.HIGH),
        labels={**found, "reason": text_at(body, "reason"), "controller": text_at(body, "reportingController")},
        observed_at=when,
        service=found["name"],
        summary=text_at(body, "message"),
        starts_at=when if status is Status.FIRING else None,
        ends_at=when,
    )


def _change(message: Message, body: dict[str, Any], outcome: ChangeOutcome, parsed: Parsed) -> None:
    found, revision = _object(body), _revision(body)
    if not revision:
        return
    add_change(
        message,
        parsed,
        1,
        identity={**found, "revision": revision},
        what="reconciliation",
        name=f"{found['kind']} {found['name']}".strip(),
        outcome=outcome,
        when=time_or_none(time_of(body.get("timestamp"), "timestamp"), parsed),
        service=found["name"],
        where=found["namespace"],
        revision=revision,
        summary=text_at(body, "message"),
        labels=found,
    )


def _canary(message: Message, body: dict[str, Any], metadata: dict[str, str], parsed: Parsed) -> None:
    phase, name, namespace = text_at(body, "phase"), text_at(body, "name"), text_at(body, "namespace")
    if phase not in _PHASES:
        raise NotUnderstood(Reason.WRONG_TYPE, f"phase must be one of {', '.join(_PHASES)}, got {phase[:40]}")
    checksum = text_at(body, "checksum")
    add_change(
        message,
        parsed,
        0,
        identity={"namespace": namespace, "canary": name, "checksum": checksum},
        what="canary",
        name=f"canary {name}",
        outcome=_PHASES[phase],
        when=time_or_none(time_of(metadata.get("timestamp"), "metadata.timestamp", digits=True), parsed),
        service=name,
        where=namespace,
        revision=checksum or None,
        summary=metadata["eventMessage"],
        labels={"canary": name, "namespace": namespace, "phase": phase},
    )
