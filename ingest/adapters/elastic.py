"""Elastic: webhook connectors of Kibana's rules, documents of its alert index, and Watcher's webhooks.

All are templates that their owner writes; the recommended ones stand in docs/sources.md. A Kibana alert is the same
by rule and instance (`alertId`; the space too), a document of the alert index by `kibana.alert.uuid`, else rule and
instance; a watch by its id and not by `ctx.id` or `_id`, which are new with every execution. `active` fires,
`recovered` resolves; `actionGroup` and `eventType` stand in for a missing `status`, any action group but
`recovered` fires. `untracked` (the rule was switched off) is no recovery and ignored. A Watcher's message fires
unless its template says OK or RECOVERY, INFO and ACKNOWLEDGEMENT say neither; the whole `ctx` of a watch is read
too and fires. The only time that all have is arrival, so it is `observed_at`; a document has `@timestamp`, a whole
`ctx` its `execution_time`. Source: "Webhook connector" and "Rule action variables" of Kibana, "Watcher webhook
action" and "Watch execution context" of Elasticsearch.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar, Final

from ingest.adapters.base import About, Adapter, Message, NotUnderstood, Outcome, Parsed, Reason, severity_of
from ingest.adapters.groups import valid_for
from ingest.adapters.making import add_alert, attempt, finish
from ingest.adapters.reading import as_object, decode, kind_of, scalar, text_at, time_of, time_or_none
from ingest.adapters.words import SEVERITIES
from kernel.model.alert import Status

_FIRING: Final = frozenset(("active", "firing", "alert_fired", "open", "fired"))
_RESOLVED: Final = frozenset(("recovered", "resolved", "alert_recovered", "closed"))
_NEITHER: Final = frozenset(("untracked", "delayed", "acknowledged", "acknowledgement", "info"))
_OVER: Final = frozenset(("ok", "recovery", "recovered", "resolved"))
_STATES: Final = ("status", "actionGroup", "eventType")
_WATCHER: Final = "Elastic Watcher"
_DOCUMENT: Final = ("kibana.alert.rule.name", "kibana.alert.uuid", "kibana.alert.rule.uuid")

_CONNECT = """
A connector of type *Webhook*, POST to `http://stormfold:8080/v1/sources/elastic` with the token as header, and as
the body of the rule's actions *for each alert*, once for the action group of the condition and once for
*Recovered*:

```json
{
  "eventType": "alert_fired",
  "ruleId": "{{rule.id}}",
  "alertId": "{{alert.id}}",
  "ruleName": "{{rule.name}}",
  "spaceId": "{{rule.spaceId}}",
  "tags": "{{rule.tags}}",
  "status": "active",
  "severity": "high",
  "url": "{{rule.url}}",
  "context": {"message": "{{context.message}}"}
}
```

with `"status": "recovered"` in the second. A watch posts the same by its webhook action, with
`"ruleId": "{{ctx.watch_id}}"`; `{{ctx.id}}` is new with every execution and tells nothing apart.
"""


class Elastic(Adapter):
    """Same alert: rule and instance; a watch. Source: Kibana's connectors, Elasticsearch's Watcher."""

    name: ClassVar[str] = "elastic"
    title: ClassVar[str] = "Elastic (Kibana rules, Watcher)"
    shape: ClassVar[tuple[str, ...]] = ("ruleId", "ruleName", "alertId", "spaceId", "status", "eventType")
    about: ClassVar[About] = About(
        identity="rule and alert instance; `kibana.alert.uuid` of a document; the watch's name",
        firing="`active`; a watch that executes",
        resolved="`recovered`",
        observed="arrival; of a document `@timestamp`",
        severity="`severity`, `kibana.alert.severity`, `message_type`",
        proof="`token`, `header`",
        connect=_CONNECT,
    )

    def recognises(self, body: Any, headers: Mapping[str, str]) -> bool:
        """Fields of Kibana's rules or documents, or Watcher by name."""
        del headers
        if not isinstance(body, dict):
            return False
        if body.get("monitoring_tool") == _WATCHER or any(name in body for name in _DOCUMENT):
            return True
        if "watch_id" in body and ("execution_time" in body or "trigger" in body):
            return True
        return "ruleName" in body and ("spaceId" in body or "ruleId" in body) and any(name in body for name in _STATES)

    def parse(self, message: Message) -> Parsed:
        body = as_object(decode(message.body), "the body")
        parsed, silent = Parsed(Outcome.IGNORED), list[str]()
        if any(name in body for name in _DOCUMENT):
            attempt(parsed, 0, partial(_document, message, body, parsed, silent))
        elif "entity_display_name" in body or "watch_id" in body or body.get("monitoring_tool") == _WATCHER:
            attempt(parsed, 0, partial(_watch, message, body, parsed, silent))
        elif "ruleId" in body or "ruleName" in body:
            attempt(parsed, 0, partial(_rule, message, body, parsed, silent))
        else:
            raise NotUnderstood(
                Reason.MISSING_FIELD,
                "none of ruleId (Kibana), kibana.alert.uuid (documents), watch_id or monitoring_tool (Watcher) is "
                "present",
            )
        return finish(parsed, "; ".join(silent))


def _status(word: str, silent: list[str]) -> Status | None:
    """None, and a sentence in `silent`, where the word is neither."""
    lower = word.lower()
    if lower in _FIRING:
        return Status.FIRING
    if lower in _RESOLVED:
        return Status.RESOLVED
    if lower in _NEITHER:
        silent.append(f"{lower} is neither active nor recovered, what is open stays open")
        return None
    raise NotUnderstood(
        Reason.WRONG_TYPE if word else Reason.MISSING_FIELD,
        f"status must be active or recovered, got {word[:40] or 'none'}",
    )


def _state(body: dict[str, Any]) -> str:
    """The word of state of a rule's action."""
    word, group = text_at(body, "status"), text_at(body, "actionGroup")
    if word or not group:
        return word or text_at(body, "eventType")
    return group if group.lower() in _RESOLVED else "active"


def _tags(value: Any) -> dict[str, str]:
    """`team:infra` as a label, in a list or apart by commas; a tag without a value is `true`."""
    if value is not None and not isinstance(value, str | list):
        raise NotUnderstood(Reason.WRONG_TYPE, f"tags must be a list, or text apart by commas, got {kind_of(value)}")
    words = value.split(",") if isinstance(value, str) else [word for word in value or [] if isinstance(word, str)]
    found: dict[str, str] = {}
    for word in words[:100]:
        name, colon, rest = word.strip().partition(":")
        if name:
            found[name] = rest.strip() if colon else "true"
    return found


def _rule(message: Message, body: dict[str, Any], parsed: Parsed, silent: list[str]) -> None:
    status = _status(_state(body), silent)
    if status is None:
        return
    tags = _tags(body.get("tags"))
    context = body.get("context")
    said = context if isinstance(context, dict) else {}
    rule, name = text_at(body, "ruleId"), text_at(body, "ruleName")
    if not rule:
        raise NotUnderstood(
            Reason.MISSING_IDENTITY, 'ruleId is missing: names of rules may repeat; write "ruleId": "{{rule.id}}"'
        )
    add_alert(
        message,
        parsed,
        0,
        identity={"space": text_at(body, "spaceId"), "rule": rule, "alert": text_at(body, "alertId")},
        name=name or rule,
        status=status,
        severity=severity_of(text_at(body, "severity"), message.config, SEVERITIES, parsed),
        labels={**tags, "space": text_at(body, "spaceId"), "alert": text_at(body, "alertId")},
        service=tags.get("service"),
        summary=text_at(said, "message", "context.message") or text_at(said, "reason", "context.reason"),
        links=[("rule", text_at(body, "url"))],
        valid_for=valid_for(message.config),
    )


def _at(body: dict[str, Any], *path: str) -> str:
    """A text under dotted names, whether written flat or nested."""
    value: Any = body.get(".".join(path))
    if value is None:
        value = body
        for part in path:
            value = value.get(part) if isinstance(value, dict) else None
    return value if isinstance(value, str) else scalar(value) if isinstance(value, int | float | bool) else ""


def _document(message: Message, body: dict[str, Any], parsed: Parsed, silent: list[str]) -> None:
    status = _status(_at(body, "kibana", "alert", "status") or "active", silent)
    if status is None:
        return
    uuid, rule = _at(body, "kibana", "alert", "uuid"), _at(body, "kibana", "alert", "rule", "uuid")
    name, host = _at(body, "kibana", "alert", "rule", "name"), _at(body, "host", "name")
    instance = _at(body, "kibana", "alert", "instance", "id")
    when = time_or_none(time_of(body.get("@timestamp"), "@timestamp"), parsed)
    start = time_or_none(time_of(_at(body, "kibana", "alert", "start") or None, "kibana.alert.start"), parsed)
    # A detection has no instance; without its own id the rule and where it struck tell it from others.
    known = {"rule": rule or name, "instance": instance or host, "user": _at(body, "user", "name")}
    add_alert(
        message,
        parsed,
        0,
        identity={"uuid": uuid} if uuid else known,
        name=name or rule,
        status=status,
        severity=severity_of(_at(body, "kibana", "alert", "severity"), message.config, SEVERITIES, parsed),
        labels={
            "host": host,
            "user": _at(body, "user", "name"),
            "process": _at(body, "process", "name"),
            "rule": name,
            "event_kind": _at(body, "event", "kind"),
        },
        observed_at=when,
        service=_at(body, "service", "name") or None,
        summary=_at(body, "kibana", "alert", "reason"),
        links=[("alert", _at(body, "kibana", "alert", "url"))],
        starts_at=start or when,
        ends_at=when,
    )


def _watch(message: Message, body: dict[str, Any], parsed: Parsed, silent: list[str]) -> None:
    word, name = text_at(body, "message_type"), text_at(body, "entity_display_name")
    status = Status.RESOLVED if word.lower() in _OVER else Status.FIRING
    if word.lower() in _NEITHER and _status(word, silent) is None:
        return
    watch, when = name or text_at(body, "watch_id"), body.get("execution_time")
    metadata = body.get("metadata")
    told = metadata if isinstance(metadata, dict) else {}
    payload = body.get("elastic_watcher_payload")
    flat = payload if isinstance(payload, dict) else {}
    over = status is Status.RESOLVED
    add_alert(
        message,
        parsed,
        0,
        identity={"watch": watch},
        name=watch,
        status=status,
        severity=severity_of(
            "" if over else word or text_at(told, "severity", "metadata.severity"), message.config, SEVERITIES, parsed
        ),
        labels={field: value for field, value in (*told.items(), *flat.items()) if isinstance(value, str)},
        observed_at=time_or_none(time_of(when, "execution_time"), parsed),
        service=text_at(told, "service", "metadata.service") or None,
        summary=text_at(body, "state_message"),
        valid_for=valid_for(message.config),
    )
