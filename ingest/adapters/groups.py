"""The body that Alertmanager's webhook and Grafana's unified alerting share: a group with a list of alerts.

Identity is the label set, not the sender's `fingerprint`: that is a hash of the same labels where a real
Alertmanager computed it, but old versions and many re-implementations leave it out or write what they like, and an
alert must not become another one because its sender was upgraded. Two alerts of one body with equal labels and
different fingerprints are therefore one alert: by the senders' own data model no two alerts have one label set.
Without labels the fingerprint stands in, then the group's key; without any of them the alert is refused.
`commonLabels` are labels of every alert by definition: they complete what is shown, and severity; of identity they
give only a missing `alertname`, since they change with the company an alert keeps.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, Final

from ingest.adapters.base import Message, NotUnderstood, Outcome, Parsed, Reason, clamp, severity_of
from ingest.adapters.making import add_alert, attempt, finish
from ingest.adapters.reading import as_list, as_object, kind_of, moment, text_at, texts_at, time_or_none
from ingest.adapters.words import SEVERITIES, annotation_links, label_name
from kernel.clock import Millis
from kernel.config.schema import SourceConfig
from kernel.model.alert import Status

_UNFILLED: Final = re.compile(r"\$\{?[A-Z][A-Z0-9_]+\}?")
_GRACE_MS: Final = 10 * 60_000
_LINKS: Final = (
    ("generatorURL", "source"),
    ("panelURL", "panel"),
    ("dashboardURL", "dashboard"),
    ("silenceURL", "silence"),
    ("imageURL", "image"),
)


def valid_for(config: SourceConfig) -> Millis | None:
    """How long a firing observation stands: twice the configured repeat interval and 10 min, else None."""
    return None if config.repeat_interval is None else 2 * int(config.repeat_interval) + _GRACE_MS


def looks_like_group(body: Any) -> bool:
    """An object with a list of `alerts` that have labels, and a status in words."""
    if not isinstance(body, dict) or not isinstance(body.get("alerts"), list):
        return False
    alerts = body["alerts"]
    if not isinstance(body.get("status"), str):
        return False
    return all(isinstance(alert, dict) and "labels" in alert for alert in alerts[:3])


def is_api_group(body: Any) -> bool:
    """A group as Alertmanager's API v2 lists it: the receiver is an object there."""
    return isinstance(body, dict) and isinstance(body.get("receiver"), dict) and isinstance(body.get("alerts"), list)


def parse_group(message: Message, body: Any, sender: str) -> Parsed:
    """All alerts of a group; `sender` names the vendor in sentences."""
    group = as_object(body, "the body")
    if is_api_group(group):
        raise NotUnderstood(
            Reason.WRONG_TYPE,
            "this is an alert group of Alertmanager's API v2 (what one gets by asking it), not its webhook; a later "
            "version that reads an Alertmanager by asking should understand it",
        )
    if "alerts" not in group:
        raise NotUnderstood(Reason.MISSING_FIELD, f"alerts is missing; {sender} sends an object with a list of alerts")
    alerts = as_list(group["alerts"], "alerts")
    left_off = group.get("truncatedAlerts")
    note = ""
    if isinstance(left_off, int) and left_off > 0:
        note = f"the sender left {min(left_off, 10**9)} further alerts off (truncatedAlerts); raise its max_alerts"
    if not alerts:
        if note:
            raise NotUnderstood(Reason.MISSING_FIELD, f"alerts is empty; {note}")
        return finish(Parsed(Outcome.IGNORED), "the list of alerts is empty")
    parsed = Parsed(Outcome.IGNORED)
    common = _Common(group)
    for index, alert in enumerate(alerts):
        attempt(parsed, index, partial(_build, message, common, alert, index, parsed))
    return finish(parsed, note)


class _Common:
    """What the group says of all its alerts."""

    def __init__(self, group: dict[str, Any]) -> None:
        self.status = group.get("status")
        self.labels = texts_at(group, "commonLabels", loose=True)
        self.name = texts_at(group, "groupLabels", loose=True).get("alertname") or self.labels.get("alertname", "")
        self.key = text_at(group, "groupKey")


def _build(message: Message, common: _Common, alert: Any, index: int, parsed: Parsed) -> None:
    found = as_object(alert, "an alert")
    own = texts_at(found, "labels", loose=True)
    unfilled = {name for name, value in own.items() if _UNFILLED.fullmatch(value)}
    if "alertname" in unfilled:
        raise NotUnderstood(
            Reason.MISSING_IDENTITY,
            f"labels.alertname is {own['alertname'][:40]}, a variable that the sender's template did not fill in",
        )
    own = {name: value for name, value in own.items() if value and name not in unfilled}
    annotations = texts_at(found, "annotations", loose=True)
    identity = _identity(own, found, common)
    if "alertname" not in own and common.name:
        own["alertname"] = common.name
    labels = {**common.labels, **own}
    status = _status(found.get("status"), common.status)
    starts = time_or_none(moment(text_at(found, "startsAt")), parsed)
    word = labels.get("severity") or labels.get("priority")
    add_alert(
        message,
        parsed,
        index,
        identity=identity,
        name=label_name(labels) if labels else common.key,
        status=status,
        severity=severity_of(word, message.config, SEVERITIES, parsed),
        labels=labels,
        summary=annotations.get("summary") or annotations.get("title", ""),
        description=annotations.get("description") or annotations.get("message", "") or text_at(found, "valueString"),
        links=[*annotation_links(annotations), *_links(found)],
        starts_at=starts if starts is None else clamp(starts, message.arrival, parsed),
        ends_at=_ends(found, status, message.arrival, parsed),
        valid_for=valid_for(message.config),
    )


def _identity(own: Mapping[str, str], alert: dict[str, Any], common: _Common) -> Mapping[str, str]:
    if own:
        return {**own, "alertname": own.get("alertname") or common.name}
    vendor = text_at(alert, "fingerprint")
    if vendor and not _UNFILLED.fullmatch(vendor):
        return {"fingerprint": vendor}
    return {"groupKey": common.key}


def _status(own: Any, group: Any) -> Status:
    for value in (own, group):
        if value is None or value == "":
            continue
        if value in ("firing", "resolved"):
            return Status(value)
        got = value[:40] if isinstance(value, str) else kind_of(value)
        raise NotUnderstood(Reason.WRONG_TYPE, f"status must be firing or resolved, got {got}")
    raise NotUnderstood(Reason.MISSING_FIELD, "status is missing, on the alert as on its group")


def _ends(alert: dict[str, Any], status: Status, arrival: Millis, parsed: Parsed) -> Millis | None:
    ends = moment(text_at(alert, "endsAt"))
    if status is Status.FIRING:
        return None
    known = time_or_none(ends, parsed)
    return known if known is None else clamp(known, arrival, parsed)


def _links(alert: dict[str, Any]) -> Iterable[tuple[str, str]]:
    return [(text, text_at(alert, field)) for field, text in _LINKS if alert.get(field)]
