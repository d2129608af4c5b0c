"""What Nagios and Icinga 2 share: hosts and their services that are checked, soft and hard states, notifications.

A problem is told by its host and, for a service's, by the service's name: neither system has an id for it. Words of
states are the severity. Icinga's own notifications rank a host that is down and a service that is critical alike
(`crit`), an unknown service above a warning (`err`, `warning`); the same ranks are taken here for both. What they call
a service is a check, and its name is the alert's; it is no service in the sense of stormfold's priorities.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from ingest.adapters.base import Message, NotUnderstood, Parsed, Reason, clamp, severity_of
from ingest.adapters.groups import valid_for
from ingest.adapters.making import add_alert
from ingest.adapters.reading import epoch, scalar, time_of, time_or_none
from kernel.clock import Millis
from kernel.model.alert import Severity, Status

_UNFILLED: Final = re.compile(r"\$[A-Za-z0-9_.]*\$?")
_PREFIX: Final = re.compile("^(?:NAGIOS|ICINGA)_")
_SECONDS: Final = re.compile(r"\d{1,12}(?:\.\d{1,12})?", re.ASCII)
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

SEVERITIES: Final = {
    "warning": Severity.MEDIUM,
    "critical": Severity.CRITICAL,
    "unknown": Severity.HIGH,
    "down": Severity.CRITICAL,
    "unreachable": Severity.HIGH,
    "ok": Severity.INFO,
    "up": Severity.INFO,
}
"""States of services and hosts, in lower case."""

_WELL: Final = ("ok", "up")
SERVICE_STATES: Final = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
"""By the number that a check exits with."""

_SILENT: Final = {
    "ACKNOWLEDGEMENT": "somebody acknowledged it",
    "FLAPPINGSTART": "it changes too often to be told of",
    "FLAPPINGSTOP": "it has settled; its state is told by a notification of its own",
    "FLAPPINGEND": "it has settled; its state is told by a notification of its own",
    "FLAPPINGDISABLED": "nobody watches its flapping any more",
    "DOWNTIMESTART": "its downtime began",
    "DOWNTIMEEND": "its downtime ended",
    "DOWNTIMECANCELLED": "its downtime was cancelled",
    "DOWNTIMEREMOVED": "its downtime was removed",
    "CUSTOM": "somebody wrote to the contacts",
}


def status_of(notification: str, state: str, *, hard: bool) -> Status | str:
    """What a notification and a state say together, or a sentence why they say neither firing nor resolved.

    `notification` is empty where the state itself was sent. Raises NotUnderstood for words that neither system has,
    and where the two contradict each other.
    """
    kind, word = notification.upper(), state.lower()
    # Icinga and older scripts write further words after the type, as in `ACKNOWLEDGEMENT (jane)`.
    if silent := _SILENT.get(kind.partition(" ")[0]):
        return f"{kind[:40]}: {silent}; what is open stays open"
    if word == "pending":
        return "its state is PENDING: it was not checked yet"
    well = word in _WELL
    if kind in ("RECOVERY", "PROBLEM"):
        if word and well != (kind == "RECOVERY"):
            raise NotUnderstood(Reason.WRONG_TYPE, f"the notification is {kind} and the state is {state[:40]}")
        well = kind == "RECOVERY"
    elif kind:
        raise NotUnderstood(
            Reason.WRONG_TYPE, f"the notification's type must be PROBLEM, RECOVERY or the like, got {kind[:40]}"
        )
    elif not word:
        raise NotUnderstood(Reason.MISSING_FIELD, "neither a notification's type nor a state is present")
    elif not well and word not in SEVERITIES:
        raise NotUnderstood(
            Reason.WRONG_TYPE, f"the state must be OK, WARNING, CRITICAL, UNKNOWN, UP or DOWN, got {state[:40]}"
        )
    if not well and not hard:
        return "the state is SOFT: it is checked again before anybody is told"
    return Status.RESOLVED if well else Status.FIRING


def identity_of(host: str, service: str) -> dict[str, str]:
    """Host and service. Raises NotUnderstood without a host, since services of two hosts share their names."""
    if not host:
        raise NotUnderstood(Reason.MISSING_IDENTITY, "the host's name is missing; a check is told by host and service")
    return {"host": host, "service": service}


def name_of(host: str, service: str) -> str:
    """The service's name, or that the host is meant itself."""
    return service or f"Host {host}"


def macros_of(body: dict[str, Any]) -> dict[str, str]:
    """The texts of a body by the names of their macros in small letters; those that were not filled in left out.

    `NAGIOS_SERVICEDESC`, `SERVICEDESC` and `service_desc` are one macro; Nagios writes one as `$NAME$`, Icinga 2 as
    `$object.name$`.
    """
    found: dict[str, str] = {}
    for key, value in body.items():
        text = scalar(value) if isinstance(value, bool | int | float) else value
        if isinstance(text, str) and text.strip() and not _UNFILLED.fullmatch(text.strip()):
            found[_PREFIX.sub("", key).replace("_", "").lower()] = text.strip()
    return found


def _first(macros: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((macros[name] for name in names if name in macros), "")


def read_notification(message: Message, macros: dict[str, str], parsed: Parsed, silent: list[str]) -> None:
    """Append the alert that a notification command's macros tell of, or to `silent` why they tell of none.

    Raises NotUnderstood where the host is missing or type and state make no sense.
    """
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
    changed = _time(macros, (f"last{kind}statechange", f"{kind}laststatechange", "laststatechange"), message, parsed)
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
    found = time_or_none(epoch(float(text)) if _SECONDS.fullmatch(text) else time_of(text, names[0]), parsed)
    return found if found is None else clamp(found, message.arrival, parsed)
