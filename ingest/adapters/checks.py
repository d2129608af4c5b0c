"""What Nagios and Icinga 2 share: hosts and their services that are checked, soft and hard states, notifications.

A problem is told by its host and, for a service's, by the service's name: neither system has an id for it. Words of
states are the severity. Icinga's own notifications rank a host that is down and a service that is critical alike
(`crit`), an unknown service above a warning (`err`, `warning`); the same ranks are taken here for both. What they call
a service is a check, and its name is the alert's; it is no service in the sense of stormfold's priorities.
"""

from __future__ import annotations

from typing import Final

from ingest.adapters.base import NotUnderstood, Reason
from kernel.model.alert import Severity, Status

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
