"""The two forms of Icinga Notifications: what its sources post to it, and what it asks of its channels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ingest.adapters.base import Message, NotUnderstood, Parsed, Reason, clamp, severity_of
from ingest.adapters.checks import name_of
from ingest.adapters.groups import valid_for
from ingest.adapters.making import add_alert
from ingest.adapters.reading import as_list, as_object, text_at, texts_at, time_of, time_or_none
from ingest.adapters.words import SEVERITIES
from kernel.model.alert import Status

_WORDS: Final = ("ok", "debug", "info", "notice", "warning", "err", "crit", "alert", "emerg")
_METHODS: Final = ("GetInfo", "SetConfig", "SendNotification")


def is_process_event(body: Mapping[str, Any]) -> bool:
    """A name, tags, and either the relations or a host among the tags with a severity in one of their words."""
    tags = body.get("tags")
    if not isinstance(tags, dict) or not isinstance(body.get("name"), str):
        return False
    told = body.get("severity") in _WORDS and isinstance(body.get("message"), str)
    return isinstance(body.get("relations"), dict) or (told and isinstance(tags.get("host"), str))


def is_channel_call(body: Mapping[str, Any]) -> bool:
    """A call that a channel gets; other methods of JSON-RPC are somebody else's."""
    return body.get("jsonrpc") == "2.0" and body.get("method") in _METHODS


def read_process_event(message: Message, body: dict[str, Any], parsed: Parsed, silent: list[str]) -> None:
    """Append the alert of an event that a source posts, or to `silent` why it is none."""
    relations = as_object(body.get("relations") or {}, "relations")
    _read(message, parsed, silent, body, body, body, labels=dict(_labels(relations)))


def read_channel_call(message: Message, body: dict[str, Any], parsed: Parsed, silent: list[str]) -> None:
    """Append the alert of a notification that a channel is to send, or to `silent` why there is none."""
    method = text_at(body, "method")
    if method != "SendNotification":
        silent.append(f"Icinga Notifications calls {method[:80]} of a channel; that is no notification")
        return
    params = as_object(body.get("params") or {}, "params")
    about, incident, event = (as_object(params.get(key) or {}, key) for key in ("object", "incident", "event"))
    _read(message, parsed, silent, about, incident, event, labels={})


def _read(
    message: Message,
    parsed: Parsed,
    silent: list[str],
    about: dict[str, Any],
    incident: dict[str, Any],
    event: dict[str, Any],
    *,
    labels: Mapping[str, str],
) -> None:
    kind, word = text_at(event, "type"), text_at(incident, "severity")
    if kind not in ("", "state"):
        silent.append(f"an event of type {kind[:80]} says nothing of a state; what is open stays open")
        return
    if not word:
        raise NotUnderstood(Reason.MISSING_FIELD, f"severity is missing; it is one of {', '.join(_WORDS)}")
    tags = texts_at(about, "tags")
    host, service = tags.get("host", ""), tags.get("service", "")
    name = name_of(host, service) if host else text_at(about, "name")
    status = Status.RESOLVED if word == "ok" else Status.FIRING
    when = time_or_none(time_of(event.get("time"), "event.time"), parsed)
    when = None if when is None else clamp(when, message.arrival, parsed)
    told = {key: value for key, value in tags.items() if key != "service"}
    add_alert(
        message,
        parsed,
        0,
        identity=tags,
        name=name,
        status=status,
        severity=severity_of(word, message.config, SEVERITIES, parsed),
        labels={**labels, **told, "alertname": name, "check": service},
        observed_at=when,
        summary=text_at(event, "summary") or text_at(event, "message"),
        description=text_at(event, "message"),
        links=[("object", text_at(about, "url")), ("incident", text_at(incident, "url"))],
        ends_at=when,
        valid_for=valid_for(message.config),
    )


def _labels(relations: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Custom variables of the host, then of the service, where they are plain; the names of the groups."""
    host = as_object(relations.get("host") or {}, "relations.host")
    services = as_list(relations.get("services") or [], "relations.services")
    for entry in (host, *(as_object(service, "relations.services") for service in services[:1])):
        for name, value in as_object(entry.get("vars") or {}, "vars").items():
            if isinstance(value, str):
                yield name, value
    for field, label in (("hostgroups", "hostgroup"), ("servicegroups", "servicegroup")):
        groups = as_list(relations.get(field) or [], field)
        names = [text_at(as_object(group, field), "name", f"{field}.name") for group in groups[:20]]
        yield label, ",".join(name for name in names if name)
