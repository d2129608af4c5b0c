"""Grafana: contact points of unified alerting (8 and later), legacy notification channels (up to 7), OnCall's webhooks.

Unified: as Alertmanager (identity the labels, `valid_for` from the configured repeat interval, arrival as
`observed_at`). Legacy: one message for a rule; identity is `orgId` and `ruleId` (else `ruleName`); `alerting` and
`no_data` fire, `ok` resolves, `pending`, `paused` and `unknown` say neither and are ignored: a paused rule has not
recovered. Legacy bodies carry no time, so `observed_at` is arrival; labels are the rule's tags and those that all
of `evalMatches` share. OnCall's formatted webhook: identity `alert_uid`; `ok` resolves, `alerting` and any other state
fire, as OnCall itself reads them; no time and no severity.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar, Final

from ingest.adapters.base import About, Adapter, Message, NotUnderstood, Outcome, Parsed, Reason, severity_of
from ingest.adapters.groups import looks_like_group, parse_group, valid_for
from ingest.adapters.making import add_alert, attempt, finish
from ingest.adapters.reading import as_list, as_object, decode, scalar, text_at, texts_at
from ingest.adapters.words import SEVERITIES
from kernel.model.alert import Status

_LEGACY_STATES: Final = {"alerting": Status.FIRING, "no_data": Status.FIRING, "ok": Status.RESOLVED}
_LEGACY_SILENT: Final = ("pending", "paused", "unknown")
_UNIFIED_MARKS: Final = ("orgId", "title", "state", "message")
_UNIFIED_ALERT_MARKS: Final = ("silenceURL", "valueString", "dashboardURL", "panelURL")


_CONNECT: Final = """
A contact point of type *Webhook*, method POST, the token as *Bearer* credentials or the HMAC of newer versions:

```yaml
apiVersion: 1
contactPoints:
  - name: stormfold
    receivers:
      - uid: stormfold
        type: webhook
        settings:
          url: http://stormfold:8080/v1/sources/grafana
          authorization_scheme: Bearer
          authorization_credentials: TOKEN
```

Versions up to 7: a notification channel of type *webhook*, with *Send reminders* off or its interval in
`repeat_interval`. A rule that is paused has not recovered: `paused`, `pending` and `unknown` are ignored. OnCall: an
outgoing webhook whose data is its formatted payload.
"""


class Grafana(Adapter):
    """Same alert: labels (unified), `orgId` and `ruleId` (legacy). Source: Grafana's webhook notifier, both kinds."""

    name: ClassVar[str] = "grafana"
    title: ClassVar[str] = "Grafana (webhook contact point, or legacy notification channel)"
    shape: ClassVar[tuple[str, ...]] = ("title", "state", "message", "orgId", "alerts", "ruleId", "ruleName")

    about: ClassVar[About] = About(
        identity="unified: as `alertmanager`. Legacy: `orgId` and `ruleId`, else `ruleName`. OnCall: `alert_uid`",
        firing="unified: as `alertmanager`. Legacy: `alerting`, `no_data`. OnCall: `alerting`",
        resolved="as `alertmanager`; `ok`",
        observed="arrival",
        severity="label (legacy: tag) `severity`, else `priority`",
        proof="`grafana`: `X-Grafana-Alerting-Signature`; `token`",
        connect=_CONNECT,
    )

    def recognises(self, body: Any, headers: Mapping[str, str]) -> bool:
        """A group with Grafana's own fields, a legacy rule, or an alert of OnCall."""
        del headers
        if not isinstance(body, dict):
            return False
        if "ruleId" in body and ("ruleName" in body or "evalMatches" in body):
            return True
        if isinstance(body.get("alert_uid"), str) and isinstance(body.get("state"), str):
            return True
        if not looks_like_group(body):
            return False
        first = body["alerts"][0] if body["alerts"] else {}
        own = sum(mark in body for mark in _UNIFIED_MARKS)
        return own >= 2 or any(mark in first for mark in _UNIFIED_ALERT_MARKS)

    def parse(self, message: Message) -> Parsed:
        body = as_object(decode(message.body), "the body")
        if "alerts" in body:
            return parse_group(message, body, "Grafana")
        if "ruleId" in body or "ruleName" in body:
            return _legacy(message, body)
        if "ruleGroup" in body and "condition" in body:
            raise NotUnderstood(
                Reason.MISSING_FIELD,
                "this is the definition of an alert rule, not a notification: it has no status, no alerts",
            )
        if "alert_uid" in body:
            parsed = Parsed(Outcome.IGNORED)
            attempt(parsed, 0, partial(_on_call, message, body, parsed))
            return finish(parsed)
        raise NotUnderstood(
            Reason.MISSING_FIELD, "none of alerts (unified), ruleId and state (legacy), alert_uid (OnCall) is present"
        )


def _on_call(message: Message, body: dict[str, Any], parsed: Parsed) -> None:
    state = text_at(body, "state")
    if not state:
        raise NotUnderstood(Reason.MISSING_FIELD, "state is missing; expected alerting or ok")
    add_alert(
        message,
        parsed,
        0,
        identity={"alert_uid": text_at(body, "alert_uid")},
        name=text_at(body, "title"),
        status=Status.RESOLVED if state == "ok" else Status.FIRING,
        severity=severity_of("", message.config, SEVERITIES, parsed),
        labels={"state": state},
        description=text_at(body, "message"),
        links=[("upstream", text_at(body, "link_to_upstream_details")), ("image", text_at(body, "image_url"))],
        valid_for=valid_for(message.config),
    )


def _legacy(message: Message, body: dict[str, Any]) -> Parsed:
    parsed = Parsed(Outcome.IGNORED)
    state = text_at(body, "state")
    if state in _LEGACY_SILENT:
        return finish(parsed, f"the rule is {state}, which is neither an alert nor a recovery")
    if not state:
        raise NotUnderstood(Reason.MISSING_FIELD, "state is missing; expected alerting, ok, no_data, pending or paused")
    if state not in _LEGACY_STATES:
        raise NotUnderstood(
            Reason.WRONG_TYPE, f"state must be alerting, ok, no_data, pending or paused, got {state[:40]}"
        )
    attempt(parsed, 0, partial(_legacy_alert, message, body, _LEGACY_STATES[state], parsed))
    return finish(parsed)


def _legacy_alert(message: Message, body: dict[str, Any], status: Status, parsed: Parsed) -> None:
    name = text_at(body, "ruleName")
    labels = {**_shared_tags(body), **texts_at(body, "tags", loose=True)}
    rule = _number(body, "ruleId")
    identity = {"orgId": _number(body, "orgId"), "ruleId": rule} if rule else {"ruleName": name}
    add_alert(
        message,
        parsed,
        0,
        identity=identity,
        name=name or text_at(body, "title"),
        status=status,
        severity=severity_of(labels.get("severity"), message.config, SEVERITIES, parsed),
        labels={**labels, "alertname": name},
        summary=text_at(body, "title"),
        description=text_at(body, "message"),
        links=[("rule", text_at(body, "ruleUrl")), ("image", text_at(body, "imageUrl"))],
        valid_for=valid_for(message.config),
    )


def _number(body: dict[str, Any], field: str) -> str:
    value = body.get(field)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise NotUnderstood(Reason.WRONG_TYPE, f"{field} must be a whole number")
    return value if isinstance(value, str) else scalar(value)


def _shared_tags(body: dict[str, Any]) -> dict[str, str]:
    matches = as_list(body.get("evalMatches") or [], "evalMatches")
    shared: dict[str, str] | None = None
    for match in matches:
        found = as_object(match, "evalMatches")
        tags = texts_at(found, "tags", loose=True) if found.get("tags") else {}
        shared = tags if shared is None else {k: v for k, v in shared.items() if tags.get(k) == v}
    return shared or {}
