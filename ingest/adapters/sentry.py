"""Sentry: webhooks of its integration platform, and of the older WebHooks plugin.

Identity: the issue, which Sentry itself groups events by: `data.issue.id` of issue webhooks, `issue_id` of an event (of
older ones the number in `issue_url`), `id` of the plugin. Of a metric alert the rule and its projects: what Sentry
calls its `id` there is one episode, and the rule may open the next one.

An issue alert (`event_alert`, the plugin, an `error`) fires; issue webhooks `created` and `unresolved` fire, `resolved`
resolves; metric alerts `critical` and `warning` fire, `resolved` resolves. An issue that is archived (`ignored` in
older versions) is neither firing nor over, and like assignments, comments and installations it changes nothing here.

`observed_at` is arrival: events carry the clock of whatever program failed, and issue webhooks no time of their own. An
issue alert stands for twice the source's `repeat_interval` and 10 minutes, where it has one, since Sentry resolves an
issue only when a person or a rule of its own does; without one it stands until then.
The service is the tag `service` of an event, else the project.
Source: "Webhooks" of the integration platform in Sentry's documentation; the plugin's own payload.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, Final

from ingest.adapters.base import About, Adapter, Message, NotUnderstood, Outcome, Parsed, Reason, clamp, severity_of
from ingest.adapters.groups import valid_for
from ingest.adapters.making import add_alert, attempt, finish
from ingest.adapters.reading import as_object, decode, kind_of, scalar, text_at, time_of, time_or_none
from ingest.adapters.words import SEVERITIES
from kernel.clock import Millis
from kernel.model.alert import Severity, Status

RESOURCE: Final = "sentry-hook-resource"
_ISSUE_ACTIONS: Final = {"created": Status.FIRING, "unresolved": Status.FIRING, "resolved": Status.RESOLVED}
_ISSUE_STATES: Final = {"unresolved": Status.FIRING, "resolved": Status.RESOLVED}
_METRIC_ACTIONS: Final = {"critical": Status.FIRING, "warning": Status.FIRING, "resolved": Status.RESOLVED}
_EVENTS: Final = ("event", "error")
_ARCHIVED: Final = ("ignored", "archived")
_ISSUE_IN_URL: Final = re.compile(r"/issues/([0-9]{1,20})(?:/|\?|$)")
_PROJECT_IN_URL: Final = re.compile(r"/projects/[^/]{1,100}/([^/]{1,100})/")
# Of these every value is another one: nobody's rule groups by them, and the first names a person.
_SINGULAR: Final = frozenset(("user", "url"))
_MAX_TAGS: Final = 100

_CONNECT: Final = """
*Settings, Developer Settings, Create New Integration, Internal Integration*: the address
`http://stormfold:8080/v1/sources/sentry` as *Webhook URL*, *Alert Rule Action* on, *Issue & Event* read, and the
webhook *issue*. Save, and give the integration's *Client Secret* to the source:

```yaml
sources:
  sentry:
    proof: {type: sentry, secrets: [{env: SENTRY_CLIENT_SECRET}]}
```

Then have the alerts call it: *Alerts, a rule, Perform these actions: Send a notification via an integration*, and the
integration's name; of a metric alert the same as an action of each threshold, which covers its recovery. In a rule that
is kept as code:

```json
{"id": "sentry.rules.actions.notify_event_sentry_app.NotifyEventSentryAppAction",
  "sentryAppInstallationUuid": "UUID OF THE INSTALLATION", "settings": []}
```

Without the webhook *issue* nobody tells stormfold that an issue was resolved.
"""


class Sentry(Adapter):
    """Same alert: the issue's id; of a metric alert its rule and projects. Source: Sentry's webhooks."""

    name: ClassVar[str] = "sentry"
    title: ClassVar[str] = "Sentry (issue alerts, issues, metric alerts, WebHooks plugin)"
    shape: ClassVar[tuple[str, ...]] = ("action", "data", "installation", "actor")
    headers: ClassVar[tuple[str, ...]] = (RESOURCE,)
    about: ClassVar[About] = About(
        identity="the issue's id; metric alert: its rule's id and projects",
        firing="an alert's event; issue `created`, `unresolved`; metric alert `critical`, `warning`",
        resolved="issue `resolved`, metric alert `resolved`",
        observed="arrival",
        severity="level fatal critical, error high, warning medium, info, debug; metric alert critical, warning medium",
        proof="`sentry`; the plugin signs nothing",
        connect=_CONNECT,
    )

    def recognises(self, body: Any, headers: Mapping[str, str]) -> bool:
        """Its own header, an action of an installation, or the plugin's event of a project."""
        if RESOURCE in headers:
            return True
        if not isinstance(body, dict):
            return False
        installation = body.get("installation")
        if isinstance(installation, dict) and "uuid" in installation:
            return isinstance(body.get("action"), str) and isinstance(body.get("data"), dict)
        return _is_plugin(body)

    def parse(self, message: Message) -> Parsed:
        body = as_object(decode(message.body), "the body")
        parsed, notes = Parsed(Outcome.IGNORED), list[str]()
        if _is_plugin(body):
            attempt(parsed, 0, partial(_plugin, message, body, parsed))
        elif "action" in body:
            attempt(parsed, 0, partial(_hook, message, body, parsed, notes))
        else:
            raise NotUnderstood(
                Reason.MISSING_FIELD,
                "neither action and data (a webhook of the integration platform) nor project, culprit and event (the "
                "WebHooks plugin)",
            )
        return finish(parsed, "; ".join(notes))


@dataclass(slots=True)
class _Told:
    """What a webhook tells, whichever it is; words as they were sent."""

    identity: dict[str, str]
    name: str
    status: Status
    level: str
    project: str
    summary: str = ""
    description: str = ""
    starts: Any = None
    ends: Any = None
    labels: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    links: list[tuple[str, str]] = field(default_factory=list)
    repeats: bool = False


def _is_plugin(body: dict[str, Any]) -> bool:
    return "action" not in body and "culprit" in body and "project" in body and isinstance(body.get("event"), dict)


def _hook(message: Message, body: dict[str, Any], parsed: Parsed, notes: list[str]) -> None:
    action, data = text_at(body, "action"), as_object(body.get("data"), "data")
    event = next((data[kind] for kind in _EVENTS if isinstance(data.get(kind), dict)), None)
    if "issue" in data:
        issue = as_object(data["issue"], "data.issue")
        status = _ISSUE_STATES.get(_said(issue, "status")) if action == "triggered" else _ISSUE_ACTIONS.get(action)
        archived = action in _ARCHIVED or (action == "triggered" and _said(issue, "status") in _ARCHIVED)
        if archived:
            notes.append("the issue was archived, which says neither that it fires nor that it is over")
        elif status is None:
            notes.append(f"issue {action[:40]}: this neither opens nor resolves an issue")
        else:
            _alert(message, _issue(issue, action, status), parsed)
    elif event is not None:
        _alert(message, _event(event, data), parsed)
    elif "metric_alert" in data:
        _alert(message, _metric(as_object(data["metric_alert"], "data.metric_alert"), data, action), parsed)
    else:
        what = message.headers.get(RESOURCE, "") or ", ".join(sorted(data))
        notes.append(f"{what[:80] or 'nothing'} {action[:40]}: this neither opens nor resolves an issue")


# --- the four forms


def _issue(issue: dict[str, Any], action: str, status: Status) -> _Told:
    project = issue.get("project")
    return _Told(
        identity={"issue": _id(issue, "id")},
        name=_said(issue, "title"),
        status=status,
        level=_word(issue, "level"),
        project=_said(project, "slug", "name"),
        description=_said(issue.get("metadata"), "value"),
        # Of an issue that came back nobody says when; it was first seen long before.
        starts=None if action == "unresolved" else issue.get("firstSeen"),
        labels={
            "short_id": _said(issue, "shortId"),
            "culprit": _said(issue, "culprit"),
            "platform": _said(issue, "platform"),
            "logger": _said(issue, "logger"),
        },
        links=[("issue", _said(issue, "web_url", "permalink"))],
    )


def _event(event: dict[str, Any], data: dict[str, Any]) -> _Told:
    urls = [_said(event, name) for name in ("issue_url", "web_url")]
    found = next((found[1] for url in urls if (found := _ISSUE_IN_URL.search(url))), "")
    in_url = _PROJECT_IN_URL.search(_said(event, "url"))
    told = _of_event(event)
    told.identity = {"issue": _id(event, "issue_id") or found}
    told.project = in_url[1] if in_url else _said(event, "project_slug", "project_name", "project")
    told.labels["rule"] = _said(data, "triggered_rule") or _said(data.get("issue_alert"), "title")
    told.links = [("event", _said(event, "web_url"))]
    return told


def _plugin(message: Message, body: dict[str, Any], parsed: Parsed) -> None:
    event = as_object(body["event"], "event")
    told = _of_event({**event, "level": body.get("level") or event.get("level")})
    rules = body.get("triggering_rules")
    told.identity = {"issue": _id(body, "id")}
    told.name = told.name or _said(body, "message")
    told.description = _said(body, "message") if _said(body, "message") != told.name else ""
    told.project = _said(body, "project_slug", "project", "project_name")
    told.labels["culprit"] = _said(body, "culprit")
    told.labels["rule"] = ", ".join(rule for rule in rules if isinstance(rule, str)) if isinstance(rules, list) else ""
    told.links = [("issue", _said(body, "url"))]
    _alert(message, told, parsed)


def _of_event(event: dict[str, Any]) -> _Told:
    title = _said(event, "title") or _said(event.get("metadata"), "title", "value")
    said = _said(event, "message") or _said(event.get("logentry"), "formatted")
    tags = _tags(event.get("tags"))
    return _Told(
        identity={},
        name=title or said,
        status=Status.FIRING,
        level=_word(event, "level") or tags.get("level", ""),
        project="",
        description=said if said != title else "",
        starts=event.get("datetime") or event.get("timestamp") or event.get("received"),
        labels={
            "culprit": _said(event, "culprit"),
            "platform": _said(event, "platform"),
            "logger": _said(event, "logger"),
            "environment": _said(event, "environment"),
            "release": _said(event, "release"),
        },
        tags=tags,
        repeats=True,
    )


def _metric(alert: dict[str, Any], data: dict[str, Any], action: str) -> _Told:
    status = _METRIC_ACTIONS.get(action)
    if status is None:
        raise NotUnderstood(
            Reason.WRONG_TYPE if action else Reason.MISSING_FIELD,
            f"the action of a metric alert must be critical, warning or resolved, got {action[:40] or 'none'}",
        )
    found = alert.get("alert_rule")
    rule = found if isinstance(found, dict) else {}
    listed = alert.get("projects") or rule.get("projects")
    projects = sorted({name for name in listed if isinstance(name, str)}) if isinstance(listed, list) else []
    rule_id = _id(rule, "id")
    episode = {"metric_alert_episode": _id(alert, "id")}
    return _Told(
        identity={"metric_alert": rule_id, "projects": ",".join(projects)} if rule_id else episode,
        name=_said(rule, "name") or _said(alert, "title") or _said(data, "description_title"),
        status=status,
        level="" if status is Status.RESOLVED else action,
        project=projects[0] if len(projects) == 1 else "",
        summary=_said(data, "description_title"),
        description=_said(data, "description_text"),
        starts=alert.get("date_started") or alert.get("date_detected"),
        ends=alert.get("date_closed"),
        labels={
            "projects": ",".join(projects),
            "environment": _said(rule, "environment"),
            "dataset": _said(rule, "dataset"),
            "query": _said(rule, "query"),
            "aggregate": _said(rule, "aggregate"),
        },
        links=[("alert", _said(data, "web_url"))],
    )


# --- all of them


def _alert(message: Message, told: _Told, parsed: Parsed) -> None:
    if not any(told.identity.values()):
        raise NotUnderstood(
            Reason.MISSING_IDENTITY, "the id of the issue or of the metric alert is missing, by which to know it again"
        )
    starts, ends = _time(message, told.starts, "the start", parsed), _time(message, told.ends, "date_closed", parsed)
    name = told.name or " ".join(value for value in told.identity.values() if value)
    service = told.tags.get("service") or told.project
    own = {**told.labels, "alertname": name, "project": told.project, "level": told.level, "service": service}
    add_alert(
        message,
        parsed,
        0,
        identity=told.identity,
        name=name,
        status=told.status,
        severity=_severity(message, told, parsed),
        labels={**told.tags, **{key: value for key, value in own.items() if value}},
        service=service or None,
        summary=told.summary,
        description=told.description,
        links=told.links,
        starts_at=starts,
        ends_at=ends,
        valid_for=valid_for(message.config) if told.repeats else None,
    )


def _severity(message: Message, told: _Told, parsed: Parsed) -> Severity:
    if not told.level and told.status is Status.RESOLVED:
        return Severity.MEDIUM  # of what is over nothing was left out
    return severity_of(told.level, message.config, SEVERITIES, parsed)


def _time(message: Message, value: Any, what: str, parsed: Parsed) -> Millis | None:
    found = time_or_none(time_of(value, what), parsed)
    return found if found is None else clamp(found, message.arrival, parsed)


def _tags(value: Any) -> dict[str, str]:
    """Tags as pairs, as objects with `key` and `value`, or as one object; what is none of these has none."""
    pairs: Iterable[Any] = value.items() if isinstance(value, dict) else value if isinstance(value, list) else ()
    tags: dict[str, str] = {}
    for pair in list(pairs)[:_MAX_TAGS]:
        key, told = (pair.get("key"), pair.get("value")) if isinstance(pair, dict) else _pair(pair)
        if isinstance(key, str) and isinstance(told, str):
            tags[key.removeprefix("sentry:")] = told
    return {key: told for key, told in tags.items() if key not in _SINGULAR}


def _pair(found: Any) -> tuple[Any, Any]:
    return (found[0], found[1]) if isinstance(found, list | tuple) and len(found) == 2 else (None, None)


def _id(found: dict[str, Any], key: str) -> str:
    """A text or whole number; empty where it is absent, refused where it is anything else."""
    value = found.get(key)
    if isinstance(value, int) and not isinstance(value, bool):
        return scalar(value)
    if value is not None and not isinstance(value, str):
        raise NotUnderstood(Reason.WRONG_TYPE, f"{key} must be text or a whole number, got {kind_of(value)}")
    return value or ""


def _word(found: dict[str, Any], key: str) -> str:
    value = found.get(key)
    return value if isinstance(value, str) else "" if value is None else kind_of(value)


def _said(found: Any, *keys: str) -> str:
    """The first text at these keys of what may be an object: what is only shown costs no alert where it is odd."""
    values = (found.get(key) for key in keys) if isinstance(found, dict) else ()
    return next((value for value in values if isinstance(value, str) and value), "")
