"""Nagios Core and XI: JSON that a notification command posts.

Nagios sends no JSON of its own: a command of the administrator's writes it. Read are the macros by their own names
(`HOSTNAME`, as Nagios exports them also `NAGIOS_HOSTNAME`), which the command in the documentation sends, and by the
names that are usual in such commands (`host_name`, `service_description` or `service_desc`, `state`, `plugin_output`
or `output`). A macro that Nagios did not fill in (`$SERVICEDESC$`) is absent.

Identity: host and service (`checks.py`); a host's own notification has no service. `PROBLEM` fires, `RECOVERY`
resolves; acknowledgements, flapping, downtimes and custom notifications say neither and are ignored: they change who
is told, not what is wrong. Without a type the state decides: OK and UP resolve, others fire where they are HARD. A
SOFT problem is not one yet. Times: `observed_at` is the notification's (`TIMET`), for firing as for resolved; a
problem began when the state last changed (`LASTSERVICESTATECHANGE`), where the command sends that. Nagios repeats a
problem at its `notification_interval`: written into the source as `repeat_interval` it gives `valid_for`, else there is
none. Source: "Standard Macros in Nagios", "Notifications" and "State Types" of the Nagios Core documentation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar, Final

from ingest.adapters.base import About, Adapter, Message, Outcome, Parsed, clamp, severity_of
from ingest.adapters.checks import SEVERITIES, identity_of, name_of, status_of
from ingest.adapters.groups import valid_for
from ingest.adapters.making import add_alert, attempt, finish
from ingest.adapters.reading import as_object, decode, scalar, time_of, time_or_none
from kernel.clock import Millis
from kernel.model.alert import Status

_UNFILLED: Final = re.compile(r"\$[A-Z0-9_]*\$?")
_HOST: Final = ("hostname", "host")
_SERVICE: Final = ("servicedesc", "servicedescription", "servicename", "service")
_NOTIFICATION: Final = ("notificationtype",)
_SERVICE_STATE: Final = ("servicestate", "state")
_HOST_STATE: Final = ("hoststate", "state")
_SERVICE_OUTPUT: Final = ("serviceoutput", "pluginoutput", "output")
_HOST_OUTPUT: Final = ("hostoutput", "pluginoutput", "output")
_LABELS: Final = (
    ("host_address", ("hostaddress",)),
    ("hostgroup", ("hostgroupname",)),
    ("servicegroup", ("servicegroupname",)),
    ("host_state", ("hoststate",)),
    ("contact", ("contactname",)),
)

_CONNECT: Final = r"""
A notification command that posts Nagios' own macros, for hosts as for services; `enable_environment_macros=1` in
`nagios.cfg`, `jq` and `curl` beside it:

```sh
#!/bin/sh
# /usr/local/lib/nagios/notify-stormfold
jq -n '$ENV | with_entries(select(.key | test(
    "^NAGIOS_(HOST|SERVICE|LAST(HOST|SERVICE)STATE|NOTIFICATION|TIMET|LONG(HOST|SERVICE)OUTPUT)")))' |
  curl -fsS -m 10 -H 'Content-Type: application/json' -H "Authorization: Bearer $(cat /etc/nagios/stormfold.token)" \
    --data-binary @- http://stormfold:8080/v1/sources/nagios
```

```text
define command {
  command_name  notify-stormfold
  command_line  /usr/local/lib/nagios/notify-stormfold
}
define contact {
  contact_name                   stormfold
  host_notification_commands     notify-stormfold
  service_notification_commands  notify-stormfold
  host_notification_options      d,u,r
  service_notification_options   w,u,c,r
  host_notification_period       24x7
  service_notification_period    24x7
}
```

Write the `notification_interval` into the source's `repeat_interval`, so that a problem whose recovery was lost goes
stale.
"""


class Nagios(Adapter):
    """Same alert: host and service. Source: the Nagios Core documentation, "Standard Macros in Nagios"."""

    name: ClassVar[str] = "nagios"
    title: ClassVar[str] = "Nagios Core and XI (notification command)"
    shape: ClassVar[tuple[str, ...]] = (
        "host_name", "service_description", "notification_type", "NAGIOS_HOSTNAME", "NAGIOS_NOTIFICATIONTYPE",
    )  # fmt: skip
    about: ClassVar[About] = About(
        identity="host, and the service's description",
        firing="`PROBLEM`; without a type a HARD state that is not OK or UP",
        resolved="`RECOVERY`; without a type OK or UP",
        observed="`TIMET` (`timestamp`), else arrival",
        severity="the state: CRITICAL and DOWN critical, UNKNOWN and UNREACHABLE high, WARNING medium",
        proof="`token`",
        connect=_CONNECT,
    )

    def recognises(self, body: Any, headers: Mapping[str, str]) -> bool:
        """A host and the type of a notification, in names of macros or in those of the usual commands."""
        del headers
        if not isinstance(body, dict):
            return False
        if isinstance(body.get("NAGIOS_HOSTNAME"), str):
            return True
        return isinstance(body.get("host_name"), str) and isinstance(body.get("notification_type"), str)

    def parse(self, message: Message) -> Parsed:
        body = as_object(decode(message.body), "the body")
        parsed, silent = Parsed(Outcome.IGNORED), list[str]()
        attempt(parsed, 0, partial(_one, message, _macros(body), parsed, silent))
        return finish(parsed, "; ".join(silent))


def _macros(body: dict[str, Any]) -> dict[str, str]:
    """The texts of a body by the names of their macros in small letters; those that were not filled in left out."""
    found: dict[str, str] = {}
    for key, value in body.items():
        text = scalar(value) if isinstance(value, bool | int | float) else value
        if isinstance(text, str) and text.strip() and not _UNFILLED.fullmatch(text.strip()):
            found[key.removeprefix("NAGIOS_").replace("_", "").lower()] = text.strip()
    return found


def _first(macros: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((macros[name] for name in names if name in macros), "")


def _one(message: Message, macros: dict[str, str], parsed: Parsed, silent: list[str]) -> None:
    host, service = _first(macros, _HOST), _first(macros, _SERVICE)
    identity = identity_of(host, service)
    state = _first(macros, _SERVICE_STATE if service else _HOST_STATE)
    kind = "service" if service else "host"
    hard = _first(macros, (f"{kind}statetype", "statetype")).upper() != "SOFT"
    status = status_of(_first(macros, _NOTIFICATION), state, hard=hard)
    if not isinstance(status, Status):
        silent.append(f"{name_of(host, service)[:200]}: {status}")
        return
    when = _time(macros, ("timet", "timestamp"), message, parsed)
    changed = _time(macros, (f"last{kind}statechange", "laststatechange"), message, parsed)
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
            **{label: _first(macros, names) for label, names in _LABELS},
        },
        observed_at=when,
        summary=_first(macros, _SERVICE_OUTPUT if service else _HOST_OUTPUT),
        description=_first(macros, (f"long{kind}output", "longpluginoutput")),
        links=[
            ("runbook", _first(macros, (f"{kind}notesurl", "notesurl"))),
            ("link", _first(macros, (f"{kind}actionurl", "actionurl"))),
        ],
        starts_at=changed if status is Status.FIRING else None,
        ends_at=changed or when,
        valid_for=valid_for(message.config),
    )


def _time(macros: Mapping[str, str], names: tuple[str, ...], message: Message, parsed: Parsed) -> Millis | None:
    text = _first(macros, names)
    # A service that never changed its state has 0 there.
    found = time_or_none(time_of(text, names[0], digits=True), parsed) if text else None
    return found if found is None else clamp(found, message.arrival, parsed)
