"""The one place where alerts, changes and answers are made of what an adapter has read.

Inside a body an adapter turns NotUnderstood into the refusal of one alert (`attempt`), so that the neighbours of a
bad alert live.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from ingest.adapters.base import (
    Default,
    Message,
    NotUnderstood,
    Outcome,
    Parsed,
    Reason,
    Refusal,
    clamp,
    printable,
)
from ingest.adapters.reading import (
    DESCRIPTION_BYTES,
    NAME_BYTES,
    SUMMARY_BYTES,
    clean_labels,
    clean_links,
    clean_text,
)
from kernel.clock import Millis
from kernel.model.alert import Alert, Kind, Severity, Status
from kernel.model.change import Change, ChangeOutcome
from kernel.model.naming import fingerprint, own_key
from kernel.model.signals import CommandBody, Verb

_WHO_BYTES: Final = 800


def add_alert(
    message: Message,
    parsed: Parsed,
    index: int,
    *,
    identity: Mapping[str, str],
    name: str,
    status: Status,
    severity: Severity,
    labels: Mapping[str, str],
    observed_at: Millis | None = None,
    kind: Kind = Kind.PROBLEM,
    service: str | None = None,
    summary: str = "",
    description: str = "",
    links: Iterable[tuple[str, str]] = (),
    starts_at: Millis | None = None,
    ends_at: Millis | None = None,
    valid_for: Millis | None = None,
) -> None:
    """Make the alert and append it to `parsed`.

    Identity is taken over the values as they were sent, before anything is cut or cleaned; a source's own
    `identity` setting (names of labels) takes the place of the vendor's. Parts without a value tell nothing apart
    and are left out. Raises NotUnderstood (`missing_identity`) where no part is left.
    """
    chosen = message.config.identity
    parts = {key: labels.get(key, "") for key in chosen} if chosen else identity
    parts = {key: value for key, value in parts.items() if value}
    if not parts:
        wanted = f"any of the labels {', '.join(chosen)}" if chosen else "labels or an id"
        raise NotUnderstood(
            Reason.MISSING_IDENTITY, f"nothing tells this alert from another: {wanted} must have a value"
        )
    shown = clean_labels(labels, parsed)
    parsed.alerts.append(
        Alert(
            source=message.source,
            fingerprint=fingerprint(message.tenant, message.source, parts),
            name=clean_text(name, NAME_BYTES, parsed) or "unnamed",
            status=status,
            severity=severity,
            observed_at=clamp(observed_at, message.arrival, parsed),
            received_at=message.arrival,
            origin=message.origin_of(index),
            tenant=message.tenant,
            kind=kind,
            service=clean_text(service, NAME_BYTES, parsed) if service else shown.get("service"),
            summary=clean_text(summary, SUMMARY_BYTES, parsed),
            description=clean_text(description, DESCRIPTION_BYTES, parsed, lines=True),
            labels=shown,
            links=clean_links(links, parsed),
            starts_at=starts_at,
            ends_at=ends_at if status is Status.RESOLVED else None,
            valid_for=valid_for if status is Status.FIRING else None,
        )
    )


def add_change(
    message: Message,
    parsed: Parsed,
    index: int,
    *,
    identity: Mapping[str, str],
    what: str,
    name: str,
    outcome: ChangeOutcome,
    when: Millis | None = None,
    service: str | None = None,
    where: str | None = None,
    who: str | None = None,
    revision: str | None = None,
    link: str | None = None,
    summary: str = "",
    labels: Mapping[str, str] | None = None,
) -> None:
    """Make the change and append it to `parsed`; identity as of `add_alert`, but the adapter's own always.

    Raises NotUnderstood (`missing_identity`) where no part of the identity has a value.
    """
    parts = {key: value for key, value in identity.items() if value}
    if not parts:
        raise NotUnderstood(
            Reason.MISSING_IDENTITY,
            f"nothing tells this change from another: {' or '.join(identity)} must have a value",
        )

    def short(text: str | None) -> str | None:
        return clean_text(text, NAME_BYTES, parsed) or None if text else None

    links = clean_links([("change", link)] if link else [], parsed)
    parsed.changes.append(
        Change(
            source=message.source,
            fingerprint=fingerprint(message.tenant, message.source, parts),
            what=what,
            name=clean_text(name, NAME_BYTES, parsed) or "unnamed",
            outcome=outcome,
            when=clamp(when, message.arrival, parsed),
            received_at=message.arrival,
            origin=message.origin_of(index),
            tenant=message.tenant,
            service=short(service),
            where=short(where),
            who=short(who),
            revision=short(revision),
            link=links[0].href if links else None,
            summary=clean_text(summary, SUMMARY_BYTES, parsed),
            labels=clean_labels(labels or {}, parsed),
        )
    )


def add_answer(
    message: Message,
    parsed: Parsed,
    verb: Verb,
    *,
    name: str,
    by: str,
    key: str = "",
    identity: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    note: str = "",
) -> None:
    """Make a person's answer and append it to `parsed`.

    Where `key` is one that stormfold gave the vendor, the answer is to that incident and episode; else to the incident
    of this source's own alert with that `identity`, as the adapter identifies alerts, or with these `labels` where
    the source has an `identity` setting. `name` is the answer's own, the same when it is delivered again.
    Raises NotUnderstood (`missing_identity`) where nothing says what is meant.
    """
    by = clean_text(by, _WHO_BYTES, parsed) or message.source
    note = clean_text(note, SUMMARY_BYTES, parsed, lines=True)
    own = own_key(key)
    if own is not None:
        incident, episode = own
        command = CommandBody(name, verb, incident, by, note, episode=episode, tenant=message.tenant)
    else:
        chosen = message.config.identity
        given = {part: (labels or {}).get(part, "") for part in chosen} if chosen else identity or {}
        parts = {part: value for part, value in given.items() if value}
        if not parts:
            raise NotUnderstood(Reason.MISSING_IDENTITY, "nothing tells which alert this answers")
        alert = fingerprint(message.tenant, message.source, parts)
        command = CommandBody(name, verb, "", by, note, alert=alert, tenant=message.tenant)
    parsed.commands.append(command)


def attempt(parsed: Parsed, index: int, make: Callable[[], None]) -> None:
    """Run what makes one alert; where it cannot be taken, its refusal stands in its place and it took no defaults."""
    before = dict(parsed.defaults)
    try:
        make()
    except NotUnderstood as error:
        parsed.defaults = before
        parsed.refusals.append(Refusal(index, error.reason, error.detail))


_WORDING: Final = {
    Default.SEVERITY_MISSING: "severity missing, medium taken",
    Default.SEVERITY_UNKNOWN: "severity unknown, high taken; map it under `severities` of the source",
    Default.TIME_CLAMPED: "time far in the future, clamped",
    Default.TIME_UNREADABLE: "time unreadable, taken as absent",
    Default.CONTROL_CHARACTERS: "control characters replaced by spaces",
    Default.TRUNCATED: "text too long, cut",
}
_NAMED_REFUSALS = 5


def finish(parsed: Parsed, note: str = "") -> Parsed:
    """Set outcome and reason from what was found: refusals, documented defaults, and the adapter's own note.

    The outcome that the adapter gave stands where nothing was found.
    """
    parts = [note] if note else []
    named = [f"alert {r.index}: {r.reason}: {r.detail}" for r in parsed.refusals[:_NAMED_REFUSALS]]
    parts += named
    if len(parsed.refusals) > len(named):
        parts.append(f"and {len(parsed.refusals) - len(named)} more refused")
    parts += [f"{_WORDING[default]} ({n})" for default, n in sorted(parsed.defaults.items())]
    if parsed.alerts:
        reports = all(alert.kind is Kind.REPORT for alert in parsed.alerts)
        parsed.outcome = Outcome.REPORT if reports else Outcome.ALERTS
    elif parsed.changes:
        parsed.outcome = Outcome.CHANGES
    elif parsed.commands:
        parsed.outcome = Outcome.COMMANDS
    elif parsed.heartbeats:
        parsed.outcome = Outcome.HEARTBEAT
    elif parsed.refusals:
        parsed.outcome = Outcome.QUARANTINED
    parsed.reason = printable("; ".join(parts))
    return parsed
