"""Opsgenie, and Jira Service Management's operations, which send the same: webhooks, and bodies of the alert API.

Identity: `alias`, the client's own key, which stays when an alert is closed and created again; where none is given it
is `alertId`, as Opsgenie itself takes it. `Create` and `UpdatePriority` fire, `Close` and `Delete` resolve,
`Acknowledge`, `UnAcknowledge` and whatever carries a note are answers, every other action changes nothing here.
`observed_at` is `updatedAt` (nanoseconds, while `createdAt` has milliseconds), which every webhook about an alert's
state has; arrival for bodies of the alert API, which have no time. `valid_for` only for those, where the source has a
repeat interval; webhooks come once a change.

An alert whose alias is a key of stormfold's own is never a new alert; what a person does to it is an answer.

The body that creates an alert by the alert API is read as it is. What the alert API says in its address (which alert,
what to do) the drop-in door writes into the form of the webhook, with what the client sent beside it:

    {"action": "Close" | "Acknowledge" | "UnAcknowledge" | "AddNote", "alert": {"alias": "..."},
     "user": "...", "source": "...", "note": "...", "requestId": "..."}

All beside action and alias are texts and may be absent (`note` not from `AddNote`); `requestId` names the answer. A
`source` that is no object tells a client of the API from a person. An `Update...` is read as the webhook's is.
Source: "Alert action data" and "Alert API" of Opsgenie's and Jira Service Management's documentation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar, Final

from ingest.adapters.base import About, Adapter, Message, NotUnderstood, Outcome, Parsed, Reason, clamp, severity_of
from ingest.adapters.groups import valid_for
from ingest.adapters.making import add_alert, add_answer, attempt, finish
from ingest.adapters.reading import as_object, decode, kind_of, scalar, text_at, time_of, time_or_none
from ingest.adapters.words import SEVERITIES, annotation_links
from kernel.clock import Millis
from kernel.model.alert import Severity, Status
from kernel.model.naming import digest, own_key
from kernel.model.signals import Verb

_STATES: Final = {
    "create": Status.FIRING,
    "created": Status.FIRING,
    "updatepriority": Status.FIRING,
    "close": Status.RESOLVED,
    "closed": Status.RESOLVED,
    "delete": Status.RESOLVED,
    "deleted": Status.RESOLVED,
}
_VERBS: Final = {
    "acknowledge": Verb.ACKNOWLEDGE,
    "acknowledged": Verb.ACKNOWLEDGE,
    "unacknowledge": Verb.UNACKNOWLEDGE,
    "unacknowledged": Verb.UNACKNOWLEDGE,
}
# A deleted alert is gone from Opsgenie, but nobody said that the incident is over.
_OWN_VERBS: Final = {**_VERBS, "close": Verb.RESOLVE, "closed": Verb.RESOLVE}
_PRIORITY: Final = re.compile(r"[Pp]?([1-5])")
_NO_PERSONS: Final = frozenset({"", "api", "integration", "system", "automation", "policy"})
_SYSTEM: Final = "system"

_CONNECT: Final = """
**Webhooks** bring the alerts of Opsgenie or Jira Service Management, and what people answer there: *Integrations, Add
integration, Webhook*, with *Add alert description* and *Add alert details*. They are not signed: add a secret in a
header of its own, and give it to the source (`proof: {type: header, header: X-Stormfold-Secret, secrets: [...]}`).

**What pages Opsgenie pages stormfold** by another address and a key of the source
(`proof: {type: routing-key, secrets: [...]}`, in a source of its own with `adapter: opsgenie`). In Alertmanager:

```yaml
global:
  opsgenie_api_url: http://stormfold:8080/
```

The webhook by Opsgenie's integration API, `POST https://api.opsgenie.com/v2/integrations`:

```json
{"name": "stormfold", "type": "Webhook", "url": "http://stormfold:8080/v1/sources/opsgenie",
  "addAlertDescription": true, "addAlertDetails": true, "headers": {"X-Stormfold-Secret": "SECRET"}}
```
"""


class Opsgenie(Adapter):
    """Same alert: its alias, else its id. Source: Opsgenie's alert action data and alert API."""

    name: ClassVar[str] = "opsgenie"
    title: ClassVar[str] = "Opsgenie, Jira Service Management (webhook, bodies of the alert API)"
    shape: ClassVar[tuple[str, ...]] = ("action", "alert", "integrationId", "integrationName", "source")
    answers: ClassVar[bool] = True
    about: ClassVar[About] = About(
        identity="`alias`, else `alertId`; a create by the API without an alias is an alert of its own",
        firing="`Create`, `UpdatePriority`. Answers: `Acknowledge`, `UnAcknowledge`, `AddNote` and other notes",
        resolved="`Close`, `Delete`",
        observed="webhooks `updatedAt`, alert API arrival",
        severity="priority P1 critical, P2 high, P3 medium, P4 low, P5 info",
        proof="webhooks `header`; alert API `routing-key`",
        connect=_CONNECT,
    )

    def recognises(self, body: Any, headers: Mapping[str, str]) -> bool:
        """An action and an alert with Opsgenie's ids."""
        del headers
        if not isinstance(body, dict) or not isinstance(body.get("action"), str):
            return False
        alert = body.get("alert")
        if not isinstance(alert, dict) or not isinstance(alert.get("alertId"), str):
            return False
        return "tinyId" in alert or "integrationId" in body or "integrationName" in body

    def parse(self, message: Message) -> Parsed:
        body = as_object(decode(message.body), "the body")
        parsed, notes = Parsed(Outcome.IGNORED), list[str]()
        if "action" in body or "alert" in body:
            action = text_at(body, "action")
            if not action:
                raise NotUnderstood(Reason.MISSING_FIELD, "action is missing, which says what happened to the alert")
            alert = as_object(body.get("alert"), "alert")
            attempt(parsed, 0, partial(_webhook, message, body, alert, action, parsed, notes))
        else:
            _refuse_others(body)
            attempt(parsed, 0, partial(_create, message, body, parsed, notes))
        return finish(parsed, "; ".join(notes))


def _refuse_others(body: dict[str, Any]) -> None:
    """Raise for what the REST API answers or asks: only a body that creates an alert is left."""
    if "id" in body and ("tinyId" in body or "status" in body):
        what = "an incident" if "impactedServices" in body or "impactStartDate" in body else "an alert"
        raise NotUnderstood(
            Reason.WRONG_TYPE,
            f"this is {what} as Opsgenie's REST API lists it, not what its webhook sends: no action says what happened",
        )
    if "message" not in body and any(field in body for field in ("alias", "note", "user", "source")):
        raise NotUnderstood(
            Reason.MISSING_FIELD,
            "this is the body of a request to Opsgenie's alert API whose address says what is asked (close, "
            "acknowledge, notes); send it to the drop-in address /v2/alerts/ALIAS/close?identifierType=alias",
        )
    if "message" not in body:
        raise NotUnderstood(Reason.MISSING_FIELD, "neither action and alert (webhook) nor message (alert API)")


def _create(message: Message, body: dict[str, Any], parsed: Parsed, notes: list[str]) -> None:
    """The body that creates an alert by the alert API."""
    alias = text_at(body, "alias")
    if own_key(alias) is not None:
        notes.append("create: the alias is stormfold's own key, so it is no new alert")
        return
    if not text_at(body, "message").strip():
        raise NotUnderstood(Reason.MISSING_FIELD, "message must say what the alert is")
    if not alias:
        notes.append("the request has no alias: it is an alert of its own, which no later request closes")
    identity = {"alias": alias} if alias else {"request": _place(message)}
    _alert(message, body, identity, Status.FIRING, parsed, repeats=True)


def _webhook(
    message: Message, body: dict[str, Any], alert: dict[str, Any], action: str, parsed: Parsed, notes: list[str]
) -> None:
    word, shown = action.lower(), action[:60]
    alias = text_at(alert, "alias", "alert.alias") or text_at(alert, "alertId", "alert.alertId")
    who, note = _who(body, alert), _said(body, "note") or _said(alert, "note")
    own = own_key(alias) is not None
    verb = (_OWN_VERBS if own else _VERBS).get(word) or (Verb.NOTE if note and word not in _STATES else None)
    if own and verb is None:
        notes.append(f"{shown}: the alias is stormfold's own key, so it is no new alert")
    elif own and not _is_person(body, alert):
        notes.append(f"{shown}: no person did this to stormfold's own incident, so it is no answer")
    elif verb is not None:
        add_answer(
            message,
            parsed,
            verb,
            name=_said(body, "requestId")[:200] or _answer_name(message, alert, word, note),
            by=who,
            key=alias if own else "",
            identity={"alias": alias},
            labels={**_labels(alert), "alias": alias},
            note=note,
        )
        notes.append(f"{verb} by {who[:80] or 'Opsgenie'} of {alias[:120]}")
    elif word in _STATES:
        if _STATES[word] is Status.RESOLVED and note:
            alert = {**alert, "description": f"closed by {who}: {note}" if who else f"closed: {note}"}
        _alert(message, alert, {"alias": alias}, _STATES[word], parsed, repeats="updatedAt" not in alert)
    else:
        notes.append(f"{shown}: this action neither fires nor resolves an alert, nor is it an answer")


def _place(message: Message) -> str:
    """A name for what has none: where it stands on Kafka, which is the same whenever it is read."""
    return ".".join(str(part) for part in message.origin)


def _answer_name(message: Message, alert: dict[str, Any], word: str, note: str) -> str:
    """The same when a webhook is delivered again: the alert, what was done, and the nanosecond of it."""
    when = alert.get("updatedAt")
    if isinstance(when, bool) or not isinstance(when, int | str) or not when:
        return _place(message)
    moment = when if isinstance(when, str) else scalar(when)
    return digest(["opsgenie", _said(alert, "alertId"), word, moment, note]).hex()


def _who(body: dict[str, Any], alert: dict[str, Any]) -> str:
    return _said(body, "user") or _said(alert, "userFullName") or _said(alert, "username") or _said(alert, "userId")


def _is_person(body: dict[str, Any], alert: dict[str, Any]) -> bool:
    """A user of Opsgenie by a way that people take: the web, an app, chat, the telephone."""
    source = body.get("source")
    way = _said(source, "type").strip().lower() if isinstance(source, dict) else ""
    user = _said(alert, "userId") if "userId" in alert else _said(alert, "username")
    return way not in _NO_PERSONS and bool(user) and _said(alert, "username").strip().lower() != _SYSTEM


def _said(found: dict[str, Any], key: str) -> str:
    """A text, empty where it is anything else: what is only shown costs no alert where it is odd."""
    value = found.get(key)
    return value if isinstance(value, str) else ""


def _alert(
    message: Message,
    alert: dict[str, Any],
    identity: dict[str, str],
    status: Status,
    parsed: Parsed,
    *,
    repeats: bool,
) -> None:
    labels = {**_labels(alert), "alias": identity.get("alias", "")}
    when = _time(alert, "updatedAt", parsed)
    starts = _time(alert, "createdAt", parsed)
    add_alert(
        message,
        parsed,
        0,
        identity=identity,
        name=_said(alert, "message").strip() or next(iter(identity.values())),
        status=status,
        severity=_severity(message, alert, status, parsed),
        labels=labels,
        observed_at=when,
        description=_said(alert, "description"),
        links=[("source", _said(alert, "source")), *annotation_links(labels)],
        starts_at=starts if starts is None else clamp(starts, message.arrival, parsed),
        ends_at=when if when is None else clamp(when, message.arrival, parsed),
        valid_for=valid_for(message.config) if repeats else None,
    )


def _time(alert: dict[str, Any], field: str, parsed: Parsed) -> Millis | None:
    return time_or_none(time_of(alert.get(field), f"alert.{field}", digits=True), parsed)


def _severity(message: Message, alert: dict[str, Any], status: Status, parsed: Parsed) -> Severity:
    """Priority as `P3`, as a number or as its text; an odd one is an unknown word, not a lost alert."""
    value = alert.get("priority")
    if value is None or value == "":
        # Of a close nothing was left out: many have no priority by the vendor's own documentation.
        return Severity.MEDIUM if status is Status.RESOLVED else severity_of(None, message.config, {}, parsed)
    word = value if isinstance(value, str) else kind_of(value)
    if isinstance(value, int) and not isinstance(value, bool):
        word = scalar(value)
    found = _PRIORITY.fullmatch(word.strip())
    return severity_of(f"P{found[1]}" if found else word, message.config, SEVERITIES, parsed)


def _labels(alert: dict[str, Any]) -> dict[str, str]:
    """Tags of the form key:value, details, and the alert's own fields, the later over the earlier."""
    tags = alert.get("tags")
    texts = [tag for tag in tags if isinstance(tag, str) and tag] if isinstance(tags, list) else []
    labels: dict[str, str] = {}
    for tag in texts:
        key, colon, value = tag.partition(":")
        if colon and key.strip() and value.strip():
            labels.setdefault(key.strip(), value.strip())
    details = alert.get("details")
    for key, value in details.items() if isinstance(details, dict) else ():
        if isinstance(value, str):
            labels[key] = value
        elif isinstance(value, bool | int | float):
            labels[key] = scalar(value)
    own = {"tags": ",".join(texts), **{field: _said(alert, field) for field in ("entity", "source")}}
    return {**labels, **{key: value for key, value in own.items() if value}}
