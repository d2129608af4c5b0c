"""Kubernetes: its Events as event exporters forward them, and Deployments as watchers do.

Read are Events of core/v1 and of events.k8s.io/v1, bare or with what kubernetes-event-exporter adds (cluster, labels
and owners of the object), as eventrouter wraps them (`{"verb", "event"}`), as a watch does (`{"type", "object"}`), and
lists of them. Alerts of kube-prometheus are not among them: they come by `prometheus` and `alertmanager`.

Identity of an alert: cluster, object (kind, namespace, name, part) and reason; not the uid, since a StatefulSet's pod
keeps its name, nor the message, which counts and quotes. Names of pods change at every rollout, so where the exporter
tells the owner that controls the object, and that is a ReplicaSet, DaemonSet, Job or the like, the owner takes the
object's place; a ReplicaSet that carries the pod's `pod-template-hash` stands for its Deployment. A Warning fires. A
Normal event that takes one back resolves it (`Scheduled`, `NodeReady` and so on: `_TAKES_BACK`); those alerts are told
by the object itself. A node that is not ready or under pressure fires although Kubernetes calls its events Normal;
other Normal events are ignored. Nothing else says that a Warning is over, so it stands for as long as the API server
keeps an Event (an hour, `--event-ttl`), or for the source's `repeat_interval`. `observed_at` is the Event's last time,
which it carries whichever way it comes.

Changes: a Deployment that scales a replica set or rolls back, an autoscaler that rescales, a node that is cordoned or
released: one change for each Event and count. A Deployment itself is a change of what its revision says, with the
outcome of its condition `Progressing`. Source: the API reference of Event v1 core and v1 events.k8s.io and of
Deployment, the documentation of "Node status" and "Deployments", and the exporter's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, ClassVar, Final

from ingest.adapters.base import (
    About,
    Adapter,
    Message,
    NotUnderstood,
    Outcome,
    Parsed,
    Reason,
    clamp,
    severity_of,
)
from ingest.adapters.groups import valid_for
from ingest.adapters.kubernetes_events import Event, looks_like_event, read_event
from ingest.adapters.kubernetes_rollouts import add_event_change, is_deployment, rollout, tells_change
from ingest.adapters.making import add_alert, attempt, finish
from ingest.adapters.reading import as_list, as_object, decode, text_at
from kernel.clock import Millis
from kernel.model.alert import Severity, Status

_EVENT_TTL_MS: Final = 3_600_000
"""How long the API server keeps an Event that is not seen again (`--event-ttl`)."""

_TAKES_BACK: Final = {
    ("Pod", "Scheduled"): "FailedScheduling",
    ("PersistentVolumeClaim", "ProvisioningSucceeded"): "ProvisioningFailed",
    ("Service", "EnsuredLoadBalancer"): "SyncLoadBalancerFailed",
    ("Node", "NodeReady"): "NodeNotReady",
    ("Node", "NodeHasNoDiskPressure"): "NodeHasDiskPressure",
    ("Node", "NodeHasSufficientMemory"): "NodeHasInsufficientMemory",
    ("Node", "NodeHasSufficientPID"): "NodeHasInsufficientPID",
}
"""Kind and reason of a Normal event, and the reason of the trouble that it ends."""

_OF_OBJECT: Final = {(kind, trouble) for (kind, _), trouble in _TAKES_BACK.items()}
_NODE_TROUBLE: Final = {trouble for kind, trouble in _OF_OBJECT if kind == "Node"}
_SEVERITIES: Final = {"warning": Severity.MEDIUM}

_CONNECT: Final = """
kubernetes-event-exporter, with Normal events left in (they tell of rollouts and of what is over):

```yaml
clusterName: shop-production
route:
  routes:
    - match: [{receiver: stormfold}]
receivers:
  - name: stormfold
    webhook:
      endpoint: http://stormfold:8080/v1/sources/kubernetes
      headers:
        Authorization: Bearer TOKEN
        Content-Type: application/json
```

Leave `layout` out. `severities` of the source may name reasons: `severities: {OOMKilling: critical, Unhealthy: low}`.
"""


class Kubernetes(Adapter):
    """Same alert: object, or the owner that controls it, and reason. Source: Kubernetes' API reference."""

    name: ClassVar[str] = "kubernetes"
    title: ClassVar[str] = "Kubernetes (Events, Deployments)"
    shape: ClassVar[tuple[str, ...]] = ("involvedObject", "regarding", "reason", "message", "note", "firstTimestamp")
    about: ClassVar[About] = About(
        identity="cluster, object or the owner that controls it, and reason. Change: the Event and its count, or "
        "the Deployment and its revision",
        firing="`Warning`; a node not ready or under pressure. Changes: scaling, rollbacks, rescaling, cordons, "
        "Deployments",
        resolved="the Normal event that takes it back (`Scheduled`, `NodeReady`, ...), else stale after an hour",
        observed="the Event's last time",
        severity="`severities` of the source by reason, else medium",
        proof="`token`",
        connect=_CONNECT,
    )

    def recognises(self, body: Any, headers: Mapping[str, str]) -> bool:
        """An Event or a Deployment, wrapped or not, or a list of Events."""
        del headers
        first = body[0] if isinstance(body, list) and body else body
        if not isinstance(first, dict):
            return False
        items = first.get("items")
        if isinstance(items, list) and items and isinstance(items[0], dict):
            first = items[0]
        inner = first.get("event", first.get("object", first))
        return isinstance(inner, dict) and (looks_like_event(inner) or is_deployment(inner))

    def parse(self, message: Message) -> Parsed:
        parsed, silent = Parsed(Outcome.IGNORED), list[str]()
        for index, entry in enumerate(_entries(decode(message.body))):
            attempt(parsed, index, partial(_one, message, entry, index, parsed, silent))
        return finish(parsed, "; ".join(silent[:5]) or ("" if parsed.total else "there is no event in the body"))


def _entries(body: Any) -> Iterator[Any]:
    if isinstance(body, list):
        yield from body
        return
    found = as_object(body, "the body")
    if "items" in found:
        yield from as_list(found["items"], "items")
    else:
        yield found


def _one(message: Message, entry: Any, index: int, parsed: Parsed, silent: list[str]) -> None:
    found = as_object(entry, "an event")
    verb = text_at(found, "verb")
    if "event" in found:
        found = as_object(found["event"], "event")
    elif "object" in found:
        verb, found = text_at(found, "type"), as_object(found["object"], "object")
    if verb.upper() in ("DELETED", "BOOKMARK", "ERROR"):
        silent.append(f"the watch says {verb[:20]}: nothing happened to what it is about")
    elif looks_like_event(found):
        _event(message, found, index, parsed, silent)
    elif is_deployment(found):
        rollout(message, found, index, parsed)
    elif text_at(found, "kind") and isinstance(found.get("metadata"), dict):
        silent.append(f"an object of kind {text_at(found, 'kind')[:80]} is neither an Event nor a Deployment")
    else:
        raise NotUnderstood(
            Reason.MISSING_FIELD,
            "involvedObject (or regarding) and reason are missing; an Event names an object and a reason",
        )


def _event(message: Message, body: dict[str, Any], index: int, parsed: Parsed, silent: list[str]) -> None:
    """Append the alert or the change that the Event is, or to `silent` why it is neither."""
    event = read_event(body, parsed)
    kind = event.about[0]
    if tells_change(event):
        add_event_change(message, event, index, parsed)
        return
    if event.type == "Warning" or (event.type == "Normal" and kind == "Node" and event.reason in _NODE_TROUBLE):
        _alert(message, event, event.reason, Status.FIRING, index, parsed)
        return
    over = _TAKES_BACK.get((kind, event.reason))
    if event.type == "Normal" and over is not None:
        _alert(message, event, over, Status.RESOLVED, index, parsed)
        return
    if not event.type:
        raise NotUnderstood(Reason.MISSING_FIELD, "type is missing; an Event is Normal or Warning")
    silent.append(
        f"{event.type[:40]} event {event.reason[:80]} of {kind[:80]} {event.about[2][:200]} tells of no trouble"
    )


def _alert(message: Message, event: Event, reason: str, status: Status, index: int, parsed: Parsed) -> None:
    kind, name = event.about[0], event.about[2]
    own = (kind, reason) in _OF_OBJECT
    told = event.about if own or event.owner is None else event.owner
    chosen = message.config.severities
    word = next((word for word in (event.reason, reason) if word in chosen), "Warning")
    first = event.first if status is Status.FIRING else None
    add_alert(
        message,
        parsed,
        index,
        # Whatever is known of the object, an Event that names none has nothing that tells it from another.
        identity={
            "cluster": event.cluster,
            "kind": told[0],
            "namespace": told[1],
            "name": told[2],
            "part": "" if own else event.part,
            "reason": reason,
        }
        if name
        else {},
        name=reason,
        status=status,
        severity=severity_of(word, message.config, _SEVERITIES, parsed),
        labels={**event.labels, "alertname": reason, "reason": reason},
        observed_at=event.last,
        service=event.service,
        summary=event.note,
        starts_at=None if first is None else clamp(first, message.arrival, parsed),
        ends_at=None if event.last is None else clamp(event.last, message.arrival, parsed),
        valid_for=_stands(message, kind, reason),
    )


def _stands(message: Message, kind: str, reason: str) -> Millis | None:
    if kind == "Node" and reason in _NODE_TROUBLE:
        return None  # told once, when it begins; its end is told as well
    return valid_for(message.config) or _EVENT_TTL_MS
