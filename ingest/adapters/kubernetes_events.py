"""One Event of Kubernetes, of either API group, as its fields say; `kubernetes.py` has the rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec import Struct

from ingest.adapters.base import Parsed
from ingest.adapters.reading import as_list, as_object, scalar, text_at, texts_at, time_of, time_or_none
from kernel.clock import Millis

_OWNERS: Final = ("ReplicaSet", "ReplicationController", "Deployment", "DaemonSet", "Job", "CronJob")
_NAMES: Final = ("app.kubernetes.io/name", "app_kubernetes_io/name", "app", "k8s-app")
_HASH: Final = "pod-template-hash"


class Event(Struct, frozen=True):
    """An Event of either API group.

    `about` and `owner` are kind, namespace and name of the object and of what controls it; `part` is a part of the
    object (`spec.containers{web}`); times are milliseconds; `uid` and `count` are those of the Event itself.
    """

    about: tuple[str, str, str]
    owner: tuple[str, str, str] | None
    part: str
    type: str
    reason: str
    note: str
    cluster: str
    labels: dict[str, str]
    service: str | None
    first: Millis | None
    last: Millis | None
    uid: str
    count: str


def looks_like_event(body: Mapping[str, Any]) -> bool:
    """An object and a reason; Flux's events, which say `severity`, are not Kubernetes' own."""
    about = body.get("involvedObject", body.get("regarding"))
    if not isinstance(about, dict) or not isinstance(about.get("kind"), str):
        return False
    return isinstance(body.get("reason"), str) and "severity" not in body


def read_event(body: dict[str, Any], parsed: Parsed) -> Event:
    """The Event of a body that looks like one. Raises NotUnderstood where a field is of the wrong type."""
    field = "involvedObject" if "involvedObject" in body else "regarding"
    about = as_object(body[field], field)
    kind, namespace, name = (text_at(about, key, f"{field}.{key}") for key in ("kind", "namespace", "name"))
    own = texts_at(about, "labels", loose=True)
    source = as_object(body.get("source") or body.get("deprecatedSource") or {}, "source")
    component = _first(text_at(source, "component"), body, "reportingComponent", "reportingController")
    reason, cluster = text_at(body, "reason"), text_at(body, "clusterName")
    owner = _owner(about, namespace, own)
    part = text_at(about, "fieldPath")
    labels = {
        **own,
        "cluster": cluster,
        "namespace": namespace,
        "kind": kind,
        kind.lower() or "object": name,
        "container": _container(part),
        "node": name if kind == "Node" else text_at(source, "host", "source.host"),
        "workload": f"{owner[0]}/{owner[2]}" if owner else "",
        "component": component,
        "reason": reason,
    }
    return Event(
        about=(kind, namespace, name),
        owner=owner,
        part=part,
        type=text_at(body, "type"),
        reason=reason,
        note=text_at(body, "message") or text_at(body, "note"),
        cluster=cluster,
        labels=labels,
        service=service_of(own),
        first=_time(body, ("firstTimestamp", "deprecatedFirstTimestamp", "eventTime"), parsed),
        last=_last(body, parsed),
        uid=text_at(as_object(body.get("metadata") or {}, "metadata"), "uid", "metadata.uid"),
        count=_count(body),
    )


def service_of(labels: Mapping[str, str]) -> str | None:
    """The service by the recommended label `app.kubernetes.io/name`, or by the older `app` and `k8s-app`."""
    return next((labels[key] for key in _NAMES if labels.get(key)), None)


def _count(body: dict[str, Any]) -> str:
    series = as_object(body.get("series") or {}, "series")
    for value in (series.get("count"), body.get("count"), body.get("deprecatedCount")):
        if isinstance(value, int) and not isinstance(value, bool):
            return scalar(value)
    return ""


def _first(found: str, body: Mapping[str, Any], *fields: str) -> str:
    return found or next((text for text in (text_at(body, field) for field in fields) if text), "")


def _container(part: str) -> str:
    _, _, rest = part.partition("{")
    return rest.rstrip("}") if part.startswith("spec.") else ""


def _owner(about: dict[str, Any], namespace: str, labels: Mapping[str, str]) -> tuple[str, str, str] | None:
    for entry in as_list(about.get("ownerReferences") or [], "ownerReferences"):
        owner = as_object(entry, "ownerReferences")
        kind, name = text_at(owner, "kind", "ownerReferences.kind"), text_at(owner, "name", "ownerReferences.name")
        if owner.get("controller") is not True or kind not in _OWNERS or not name:
            continue
        suffix = "-" + labels[_HASH] if labels.get(_HASH) else ""
        if kind == "ReplicaSet" and suffix and name.endswith(suffix) and name != suffix:
            return "Deployment", namespace, name.removesuffix(suffix)
        return kind, namespace, name
    return None


def _last(body: dict[str, Any], parsed: Parsed) -> Millis | None:
    series = as_object(body.get("series") or {}, "series")
    found = _time(series, ("lastObservedTime",), parsed)
    if found is not None:
        return found
    found = _time(body, ("lastTimestamp", "deprecatedLastTimestamp", "eventTime"), parsed)
    return found or _time(as_object(body.get("metadata") or {}, "metadata"), ("creationTimestamp",), parsed)


def _time(body: Mapping[str, Any], fields: Iterable[str], parsed: Parsed) -> Millis | None:
    for field in fields:
        found = time_or_none(time_of(body.get(field), field), parsed)
        if found is not None:
            return found
    return None
