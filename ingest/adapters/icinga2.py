"""Icinga 2: notification commands, the API's event streams, and Icinga Notifications.

Four forms are read: what a notification command posts (the one in the documentation writes the runtime macros as
`ICINGA_HOST_NAME` and so on; names that are usual for Nagios are read too); a line of an event stream (`CheckResult`,
`StateChange`, `Notification`; acknowledgements, comments, downtimes, flapping and changed objects say nothing of a
state and are ignored); what a source posts to `/process-event` of Icinga Notifications; and what Icinga Notifications
asks of a channel (`SendNotification`).

Identity: host and service (`checks.py`); for Icinga Notifications all tags of the object, which are those two where
Icinga DB is the source, and its environment where it tells that. States: OK and UP resolve; others fire once they are
hard; Icinga Notifications has severities, of which `ok` resolves. A host's check result has the number of its plugin,
0 and 1 being up; a host's state change has the host's own, 0 up and 1 down. A downtime or an acknowledgement changes
who is told, not what is wrong: such an alert fires with the label `in_downtime`, for rules to know it. Times:
`observed_at` is the event's (`icinga.timet`, `timestamp`, `event.time`), for firing as for resolved; `/process-event`
has none, so it is arrival there. Where the sender repeats, `repeat_interval` of the source gives `valid_for`. Source:
"Icinga 2 API", "Monitoring Basics" (runtime macros) and "State types" of Icinga 2's documentation, "HTTP API" and
"Channels" of Icinga Notifications'.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar, Final

from ingest.adapters.base import About, Adapter, Message, NotUnderstood, Outcome, Parsed, Reason, clamp, severity_of
from ingest.adapters.checks import (
    SERVICE_STATES,
    SEVERITIES,
    identity_of,
    macros_of,
    name_of,
    read_notification,
    status_of,
)
from ingest.adapters.groups import valid_for
from ingest.adapters.icinga2_notifications import (
    is_channel_call,
    is_process_event,
    read_channel_call,
    read_process_event,
)
from ingest.adapters.making import add_alert, attempt, finish
from ingest.adapters.reading import as_object, decode, text_at, time_of, time_or_none
from kernel.model.alert import Status

_SILENT: Final = (
    "AcknowledgementSet", "AcknowledgementCleared", "CommentAdded", "CommentRemoved", "DowntimeAdded",
    "DowntimeRemoved", "DowntimeStarted", "DowntimeTriggered", "Flapping", "ObjectCreated", "ObjectDeleted",
    "ObjectModified",
)  # fmt: skip
_STATES: Final = ("CheckResult", "StateChange", "Notification")
_SUBJECTS: Final = ("host", "object_name", "comment", "downtime")
"""Fields that say what an event of a stream is about; one of them tells it from others of so general a type."""

_CONNECT: Final = r"""
A notification command that posts Icinga's own macros, with `jq` and `curl` beside it:

```sh
#!/bin/sh
# /etc/icinga2/scripts/stormfold
jq -n '$ENV | with_entries(select(.key | startswith("ICINGA_")))' |
  curl -fsS -m 10 -H 'Content-Type: application/json' -H "Authorization: Bearer $(cat /etc/icinga2/stormfold.token)" \
    --data-binary @- http://stormfold:8080/v1/sources/icinga2
```

```text
template NotificationCommand "stormfold" {
  command = [ ConfigDir + "/scripts/stormfold" ]
  env = {
    ICINGA_HOST_NAME = "$host.name$"
    ICINGA_HOST_STATE = "$host.state$"
    ICINGA_NOTIFICATION_TYPE = "$notification.type$"
    ICINGA_TIMET = "$icinga.timet$"
  }
}
object NotificationCommand "stormfold-host" {
  import "stormfold"
  env += {
    ICINGA_HOST_STATE_TYPE = "$host.state_type$"
    ICINGA_HOST_OUTPUT = "$host.output$"
    ICINGA_HOST_LAST_STATE_CHANGE = "$host.last_state_change$"
  }
}
object NotificationCommand "stormfold-service" {
  import "stormfold"
  env += {
    ICINGA_SERVICE_NAME = "$service.name$"
    ICINGA_SERVICE_STATE = "$service.state$"
    ICINGA_SERVICE_STATE_TYPE = "$service.state_type$"
    ICINGA_SERVICE_OUTPUT = "$service.output$"
    ICINGA_SERVICE_LAST_STATE_CHANGE = "$service.last_state_change$"
  }
}
object User "stormfold" { }
apply Notification "stormfold" to Host {
  command = "stormfold-host"
  users = [ "stormfold" ]
  types = [ Problem, Recovery ]
  interval = 30m
  assign where true
}
apply Notification "stormfold" to Service {
  command = "stormfold-service"
  users = [ "stormfold" ]
  types = [ Problem, Recovery ]
  interval = 30m
  assign where true
}
```

Write the `interval` into the source's `repeat_interval`. Without notifications, an event stream of the API can be
posted line by line:

```sh
curl -sS -N -u stormfold:PASSWORD -H 'Accept: application/json' -X POST https://icinga:5665/v1/events \
    -d '{"queue": "stormfold", "types": ["StateChange"]}' |
  while read -r line; do
    printf %s "$line" | curl -fsS --retry 5 -H 'Content-Type: application/json' -H "Authorization: Bearer TOKEN" \
      --data-binary @- http://stormfold:8080/v1/sources/icinga2
  done
```
"""


class Icinga2(Adapter):
    """Same alert: host and service. Source: the documentation of Icinga 2 and of Icinga Notifications."""

    name: ClassVar[str] = "icinga2"
    title: ClassVar[str] = "Icinga 2 (notification command, event stream, Icinga Notifications)"
    shape: ClassVar[tuple[str, ...]] = ("ICINGA_HOST_NAME", "host", "check_result", "tags", "relations")
    about: ClassVar[About] = About(
        identity="host and service; with Icinga Notifications all tags of the object",
        firing="`PROBLEM`; a hard state that is not OK or UP; a severity that is not `ok`",
        resolved="`RECOVERY`; OK, UP; severity `ok`",
        observed="time of the event, else arrival",
        severity="the state: CRITICAL and DOWN critical, UNKNOWN and UNREACHABLE high, WARNING medium; Icinga "
        "Notifications: `severity`",
        proof="`token`",
        connect=_CONNECT,
    )

    def recognises(self, body: Any, headers: Mapping[str, str]) -> bool:
        """Icinga's macros, an event of its streams by type and time, or Icinga Notifications' two forms."""
        del headers
        if not isinstance(body, dict):
            return False
        return (
            isinstance(body.get("ICINGA_HOST_NAME"), str)
            or _is_event(body)
            or is_process_event(body)
            or is_channel_call(body)
        )

    def parse(self, message: Message) -> Parsed:
        body = as_object(decode(message.body), "the body")
        parsed, silent = Parsed(Outcome.IGNORED), list[str]()
        if is_channel_call(body):
            make = partial(read_channel_call, message, body, parsed, silent)
        elif _is_event(body):
            make = partial(_event, message, body, parsed, silent)
        elif "tags" in body:
            make = partial(read_process_event, message, body, parsed, silent)
        else:
            make = partial(read_notification, message, macros_of(body), parsed, silent)
        attempt(parsed, 0, make)
        return finish(parsed, "; ".join(silent))


def _is_event(body: Mapping[str, Any]) -> bool:
    known = body.get("type") in (*_STATES, *_SILENT)
    if not known or not isinstance(body.get("timestamp"), int | float):
        return False
    return "tags" not in body and any(field in body for field in _SUBJECTS)


def _event(message: Message, body: dict[str, Any], parsed: Parsed, silent: list[str]) -> None:
    kind = text_at(body, "type")
    if kind in _SILENT:
        silent.append(f"an event of type {kind} says nothing of a state; what is open stays open")
        return
    host, service = text_at(body, "host"), text_at(body, "service")
    identity = identity_of(host, service)
    result = as_object(body.get("check_result") or {}, "check_result")
    after = as_object(result.get("vars_after") or {}, "check_result.vars_after")
    before = as_object(result.get("vars_before") or {}, "check_result.vars_before")
    own = body if kind == "StateChange" else {"state": after.get("state", result.get("state")), **after}
    number = _number(own, "state", 3)
    state = SERVICE_STATES[number]
    if not service:
        state = "UP" if number == 0 or (kind != "StateChange" and number == 1) else "DOWN"
    hard = kind == "Notification" or _number(own, "state_type", 1) == 1
    status = status_of(text_at(body, "notification_type"), state, hard=hard)
    if not isinstance(status, Status):
        silent.append(f"{name_of(host, service)[:200]}: {status}")
        return
    when = time_or_none(time_of(body.get("timestamp"), "timestamp"), parsed)
    when = None if when is None else clamp(when, message.arrival, parsed)
    changed = kind == "StateChange" or any(
        name in before and before[name] != after.get(name) for name in ("state", "state_type")
    )
    depth = body.get("downtime_depth")
    add_alert(
        message,
        parsed,
        0,
        identity=identity,
        name=name_of(host, service),
        status=status,
        severity=severity_of(state, message.config, SEVERITIES, parsed),
        labels={
            "alertname": name_of(host, service),
            "host": host,
            "check": service,
            "state": state,
            "in_downtime": "true" if isinstance(depth, int | float) and depth > 0 else "",
        },
        observed_at=when,
        summary=text_at(result, "output", "check_result.output"),
        description=text_at(body, "text"),
        starts_at=when if changed and status is Status.FIRING else None,
        ends_at=when if changed else None,
        valid_for=valid_for(message.config),
    )


def _number(body: Mapping[str, Any], field: str, most: int) -> int:
    """A small number, which Icinga writes as `2.0`; where `state_type` is missing the state counts as hard."""
    value = body.get(field, 1 if field == "state_type" else None)
    if isinstance(value, bool) or not isinstance(value, int | float) or value not in range(most + 1):
        raise NotUnderstood(
            Reason.MISSING_FIELD if value is None else Reason.WRONG_TYPE, f"{field} must be a number from 0 to {most}"
        )
    return int(value)
