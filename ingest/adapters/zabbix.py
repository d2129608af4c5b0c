"""Zabbix: JSON that a media type of type webhook posts.

Zabbix sends what the media type's script makes of its parameters, so fields are read by the macros that they hold,
under the names that are usual for them (`event_id`, `eventid` and `EVENT.ID` are one). The media type in the
documentation sends all that is used; the parameters of a new media type (`Subject`, `Message`) are read by Zabbix'
default message templates. A macro that Zabbix could not fill in (`{EVENT.ID}`, `*UNKNOWN*`) is absent.

Identity: the id of the problem's event, which recovery and update messages carry as well, and which tells apart the
problems of a trigger that generates several; it is looked for in the link too. Without it trigger id and host, then the
trigger's name and host. A source whose `identity` is `[trigger_id, host]` joins the episodes of one trigger.
State: `{EVENT.VALUE}` 1 or PROBLEM fires, 0, OK or RESOLVED resolves. An update (`{EVENT.UPDATE.STATUS}` 1) says
neither and is ignored, except that a changed severity of a problem fires with it. Events of discovery and
autoregistration are no problems. Times: `observed_at` is the Unix time of the event, of its recovery or of its update,
whichever the message is of, else arrival; Zabbix' dates and times of day name no time zone and are not read. A step of
an escalation that repeats a problem carries the problem's time, so there is no `valid_for`. Source: "Webhook" of media
types, "Macros supported by location" and "Trigger severity" of Zabbix' documentation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar, Final

from ingest.adapters.base import About, Adapter, Message, NotUnderstood, Outcome, Parsed, Reason, clamp, severity_of
from ingest.adapters.making import add_alert, attempt, finish
from ingest.adapters.reading import as_object, decode, time_of, time_or_none
from ingest.adapters.zabbix_fields import Fields, default_texts
from kernel.clock import Millis
from kernel.model.alert import Severity, Status

_SEVERITIES: Final = {
    "disaster": Severity.CRITICAL,
    "high": Severity.HIGH,
    "average": Severity.MEDIUM,
    "warning": Severity.LOW,
    "information": Severity.INFO,
    "5": Severity.CRITICAL,
    "4": Severity.HIGH,
    "3": Severity.MEDIUM,
    "2": Severity.LOW,
    "1": Severity.INFO,
}
_NOT_CLASSIFIED: Final = ("not classified", "not_classified", "0")
_STATUSES: Final = {
    "1": Status.FIRING,
    "problem": Status.FIRING,
    "0": Status.RESOLVED,
    "ok": Status.RESOLVED,
    "resolved": Status.RESOLVED,
}
_NO_PROBLEM: Final = {"1": "discovery", "2": "autoregistration"}
_IN_LINK: Final = re.compile(r"[?&](eventid|triggerid)=(\d{1,20})\b", re.ASCII)

_CONNECT: Final = """
Import the media type (*Alerts, Media types*), put the token into its parameter, give it to a user as media, and send
problem, recovery and update operations of an action to that user:

```yaml
zabbix_export:
  version: '6.0'
  date: '2026-01-01T00:00:00Z'
  media_types:
    - name: stormfold
      type: WEBHOOK
      parameters:
        - {name: url, value: 'http://stormfold:8080/v1/sources/zabbix'}
        - {name: token, value: TOKEN}
        - {name: event_id, value: '{EVENT.ID}'}
        - {name: event_source, value: '{EVENT.SOURCE}'}
        - {name: event_value, value: '{EVENT.VALUE}'}
        - {name: event_name, value: '{EVENT.NAME}'}
        - {name: event_severity, value: '{EVENT.SEVERITY}'}
        - {name: event_timestamp, value: '{EVENT.TIMESTAMP}'}
        - {name: event_recovery_timestamp, value: '{EVENT.RECOVERY.TIMESTAMP}'}
        - {name: event_update_status, value: '{EVENT.UPDATE.STATUS}'}
        - {name: event_update_action, value: '{EVENT.UPDATE.ACTION}'}
        - {name: event_update_timestamp, value: '{EVENT.UPDATE.TIMESTAMP}'}
        - {name: event_opdata, value: '{EVENT.OPDATA}'}
        - {name: event_tags, value: '{EVENT.TAGSJSON}'}
        - {name: trigger_id, value: '{TRIGGER.ID}'}
        - {name: trigger_description, value: '{TRIGGER.DESCRIPTION}'}
        - {name: trigger_url, value: '{TRIGGER.URL}'}
        - {name: host, value: '{HOST.HOST}'}
        - {name: host_ip, value: '{HOST.IP}'}
        - {name: host_groups, value: '{TRIGGER.HOSTGROUP.NAME}'}
      script: |
        var fields = JSON.parse(value), request = new HttpRequest();
        request.addHeader('Content-Type: application/json');
        request.addHeader('Authorization: Bearer ' + fields.token);
        var url = fields.url;
        delete fields.url; delete fields.token; delete fields.HTTPProxy;
        var answer = request.post(url, JSON.stringify(fields));
        if (request.getStatus() < 200 || request.getStatus() > 299) {
          throw 'stormfold answered ' + request.getStatus() + ': ' + answer;
        }
        return 'OK';
      message_templates:
        - {event_source: TRIGGERS, operation_mode: PROBLEM, subject: 'Problem: {EVENT.NAME}', message: '{EVENT.ID}'}
        - {event_source: TRIGGERS, operation_mode: RECOVERY, subject: 'Resolved: {EVENT.NAME}', message: '{EVENT.ID}'}
        - {event_source: TRIGGERS, operation_mode: UPDATE, subject: 'Updated: {EVENT.NAME}', message: '{EVENT.ID}'}
```

A tag `service` of the trigger or host is the alert's service.
"""


class Zabbix(Adapter):
    """Same alert: the problem's event id. Source: Zabbix' documentation of webhooks and macros."""

    name: ClassVar[str] = "zabbix"
    title: ClassVar[str] = "Zabbix (media type webhook)"
    shape: ClassVar[tuple[str, ...]] = ("event_id", "event_value", "trigger_id", "trigger", "severity", "hostname")
    about: ClassVar[About] = About(
        identity="`{EVENT.ID}` of the problem (looked for in the link too), else trigger id and host, else the "
        "trigger's name and host",
        firing="`{EVENT.VALUE}` 1 or PROBLEM; an update that changed the severity",
        resolved="0, OK, RESOLVED",
        observed="Unix time of the event, its recovery or update, else arrival",
        severity="Disaster critical, High, Average medium, Warning low, Information info; Not classified as if missing",
        proof="`token`",
        connect=_CONNECT,
    )

    def recognises(self, body: Any, headers: Mapping[str, str]) -> bool:
        """Event id and value, a trigger with Zabbix' words, or a message of the default templates."""
        del headers
        if not isinstance(body, dict):
            return False
        if isinstance(body.get("trigger"), str) and body.get("status") in ("PROBLEM", "OK", "RESOLVED"):
            return isinstance(body.get("severity"), str)
        names = {name for name in body if isinstance(body[name], str)}
        if {"event_id", "event_value"} <= names:
            return bool(names & {"trigger_id", "event_source", "event_nseverity", "event_severity"})
        message = body.get("Message", body.get("message"))
        return isinstance(message, str) and bool(default_texts(message).keys() & {"original problem id", "updated"})

    def parse(self, message: Message) -> Parsed:
        body = as_object(decode(message.body), "the body")
        parsed, silent = Parsed(Outcome.IGNORED), list[str]()
        attempt(parsed, 0, partial(_one, message, body, parsed, silent))
        return finish(parsed, "; ".join(silent))


def _one(message: Message, body: dict[str, Any], parsed: Parsed, silent: list[str]) -> None:
    fields = Fields(body)
    links = dict(_IN_LINK.findall(fields.link))
    event, trigger = fields.event_id or links.get("eventid", ""), fields.trigger_id or links.get("triggerid", "")
    if fields.source in _NO_PROBLEM:
        silent.append(f"an event of {_NO_PROBLEM[fields.source]} tells of no problem")
        return
    status = _status(fields)
    raised = fields.updated and status is Status.FIRING and "changed severity" in fields.action
    if fields.updated and not raised:
        silent.append(f"an update ({fields.action[:120] or 'without an action'}); what is open stays open")
        return
    word = fields.update_severity if raised and fields.update_severity else fields.severity
    began, ended, changed = (
        _time(text, what, message, parsed)
        for text, what in (
            (fields.began, "the event's timestamp"),
            (fields.ended, "the recovery's timestamp"),
            (fields.changed, "the update's timestamp"),
        )
    )
    name = fields.name or f"trigger {trigger or event}"
    add_alert(
        message,
        parsed,
        0,
        identity=_identity(event, trigger, fields),
        name=name,
        status=status,
        severity=severity_of(None if word.lower() in _NOT_CLASSIFIED else word, message.config, _SEVERITIES, parsed),
        labels={
            **fields.tags,
            "alertname": name,
            "host": fields.host,
            "host_ip": fields.address,
            "hostgroup": fields.groups,
            "item": fields.item,
            "event_id": event,
            "trigger_id": trigger,
        },
        observed_at=ended if status is Status.RESOLVED else changed if raised else began,
        service=fields.service,
        summary=fields.data or fields.item or fields.subject,
        description=fields.description or fields.message,
        links=[("problem", fields.link)],
        starts_at=began,
        ends_at=ended,
    )


def _identity(event: str, trigger: str, fields: Fields) -> dict[str, str]:
    if event:
        return {"event": event}
    if trigger:
        return {"trigger": trigger, "host": fields.host}
    if fields.name and fields.host:
        return {"name": fields.name, "host": fields.host}
    raise NotUnderstood(
        Reason.MISSING_IDENTITY,
        "nothing tells this problem from another; send {EVENT.ID} as event_id, as the media type of docs/sources.md",
    )


def _status(fields: Fields) -> Status:
    words = (fields.value, fields.status)
    for word in words:
        if word.lower() in _STATUSES:
            return _STATUSES[word.lower()]
    if any(words):
        got = " and ".join(word[:40] for word in words if word)
        raise NotUnderstood(Reason.WRONG_TYPE, f"the event's value must be 1 or 0, its status PROBLEM or OK, got {got}")
    raise NotUnderstood(Reason.MISSING_FIELD, "neither event_value ({EVENT.VALUE}) nor status is present")


def _time(text: str, what: str, message: Message, parsed: Parsed) -> Millis | None:
    found = time_or_none(time_of(text, what, digits=True), parsed) if text else None
    return found if found is None else clamp(found, message.arrival, parsed)
