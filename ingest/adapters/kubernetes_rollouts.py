"""What Kubernetes changes: Events that tell of a change, and Deployments with how far their rollout has come."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from ingest.adapters.base import Message, NotUnderstood, Parsed, Reason
from ingest.adapters.kubernetes_events import Event, service_of
from ingest.adapters.making import add_change
from ingest.adapters.reading import as_list, as_object, scalar, text_at, texts_at, time_of, time_or_none
from kernel.model.change import ChangeOutcome

_TELLS: Final = {
    ("Deployment", "ScalingReplicaSet"): ("rollout", ChangeOutcome.STARTED),
    ("Deployment", "DeploymentRollback"): ("rollback", ChangeOutcome.STARTED),
    ("HorizontalPodAutoscaler", "SuccessfulRescale"): ("scaling", ChangeOutcome.SUCCEEDED),
    ("Node", "NodeNotSchedulable"): ("cordon", ChangeOutcome.SUCCEEDED),
    ("Node", "NodeSchedulable"): ("uncordon", ChangeOutcome.SUCCEEDED),
}
"""Kind and reason of an Event: what changed, and how far it has come. A step of a rollout does not tell its end."""

_REPLICA_SET: Final = re.compile(r"Scaled up replica set (\S+)")
"""Scaled down is, in a rollout, the replica set that goes: its revision is not the one that is rolled out."""
_REVISION: Final = "deployment.kubernetes.io/revision"
_DONE: Final = "NewReplicaSetAvailable"


def tells_change(event: Event) -> bool:
    """Whether this is an Event that tells of a change."""
    return (event.about[0], event.reason) in _TELLS


def add_event_change(message: Message, event: Event, index: int, parsed: Parsed) -> None:
    """Append the change that the Event tells of: one for each Event and count of it."""
    kind, namespace, name = event.about
    what, outcome = _TELLS[kind, event.reason]
    found = _REPLICA_SET.match(event.note)
    told = {"kind": kind, "namespace": namespace, "name": name, "reason": event.reason, "note": event.note}
    add_change(
        message,
        parsed,
        index,
        identity={"cluster": event.cluster, "event": event.uid, "count": event.count} if event.uid else told,
        what=what,
        name=f"{what} {name}",
        outcome=outcome,
        when=event.last,
        service=event.service or (name if kind == "Deployment" else None),
        where=namespace or event.cluster,
        revision=found[1].removeprefix(f"{name}-") if found else None,
        summary=event.note,
        labels=event.labels,
    )


def is_deployment(body: Mapping[str, Any]) -> bool:
    """A Deployment as the API serves it."""
    version = body.get("apiVersion")
    if body.get("kind") != "Deployment" or not isinstance(version, str) or not version.startswith("apps/"):
        return False
    return isinstance(body.get("metadata"), dict) and isinstance(body.get("spec"), dict)


def rollout(message: Message, body: dict[str, Any], index: int, parsed: Parsed) -> None:
    """Append the change that a Deployment's revision is. Raises NotUnderstood where it has no name."""
    metadata, status = as_object(body["metadata"], "metadata"), as_object(body.get("status") or {}, "status")
    name, namespace = text_at(metadata, "name", "metadata.name"), text_at(metadata, "namespace", "metadata.namespace")
    if not name:
        raise NotUnderstood(Reason.MISSING_IDENTITY, "metadata.name must have a value")
    own = texts_at(metadata, "labels", loose=True)
    generation = _number(metadata, "generation")
    revision = texts_at(metadata, "annotations", loose=True).get(_REVISION) or str(generation or "")
    progress = _progress(status)
    outcome = _outcome(progress)
    if outcome is ChangeOutcome.SUCCEEDED and _number(status, "observedGeneration") < generation:
        outcome = ChangeOutcome.STARTED  # the condition is still that of what was asked for before
    add_change(
        message,
        parsed,
        index,
        identity={"kind": "Deployment", "namespace": namespace, "name": name, "revision": revision},
        what="rollout",
        name=f"rollout {name}",
        outcome=outcome,
        when=time_or_none(time_of(progress.get("lastUpdateTime"), "lastUpdateTime"), parsed),
        service=service_of(own) or name,
        where=namespace,
        revision=revision,
        summary=text_at(progress, "message"),
        labels={**own, "namespace": namespace, "kind": "Deployment", "deployment": name},
    )


def _number(body: Mapping[str, Any], field: str) -> int:
    value = body.get(field)
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int):
        raise NotUnderstood(Reason.WRONG_TYPE, f"{field} must be a whole number")
    scalar(value)
    return value


def _progress(status: dict[str, Any]) -> dict[str, Any]:
    conditions = as_list(status.get("conditions") or [], "status.conditions")
    found = (as_object(entry, "a condition") for entry in conditions)
    return next((entry for entry in found if entry.get("type") == "Progressing"), {})


def _outcome(progress: dict[str, Any]) -> ChangeOutcome:
    if progress.get("status") == "False":
        return ChangeOutcome.FAILED
    return ChangeOutcome.SUCCEEDED if progress.get("reason") == _DONE else ChangeOutcome.STARTED
