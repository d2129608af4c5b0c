"""Dynatrace: the custom integration of problem notifications, and Davis problems and events sent by a workflow.

A problem is the same by its internal id: `PID`, else `id` or `problemId` of ProblemDetailsJSON, else the `pid` of
its address; without any, `ProblemID`, the id that is shown and may be used again. OPEN fires, RESOLVED resolves;
MERGED says that another problem took it in, so it is over as well. Templates have no times but those of
ProblemDetailsJSON, so `observed_at` is arrival. What a workflow sends is the same by
`event.id`, which of a Davis problem is its `PID`: ACTIVE fires, CLOSED resolves, its times are its own, and an event
of the category INFO is ignored. Variables that Dynatrace left unfilled
(`{PID}`) are absent. Source: "Webhook integration" and "Davis events" of Dynatrace's documentation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar, Final

from ingest.adapters.base import About, Adapter, Message, NotUnderstood, Outcome, Parsed, Reason, severity_of
from ingest.adapters.groups import valid_for
from ingest.adapters.making import add_alert, attempt, finish
from ingest.adapters.reading import as_object, decode, scalar, text_at, time_of, time_or_none
from ingest.adapters.words import SEVERITIES
from kernel.clock import Millis
from kernel.model.alert import Severity, Status

_STATES: Final = {
    "OPEN": Status.FIRING,
    "ACTIVE": Status.FIRING,
    "RESOLVED": Status.RESOLVED,
    "CLOSED": Status.RESOLVED,
    "MERGED": Status.RESOLVED,
}
_SEVERITIES: Final = {
    **SEVERITIES,
    "availability": Severity.CRITICAL,
    "monitoring_unavailable": Severity.HIGH,
    "error": Severity.HIGH,
    "performance": Severity.MEDIUM,
    "slowdown": Severity.MEDIUM,
    "resource_contention": Severity.MEDIUM,
    "resource": Severity.MEDIUM,
    "custom_alert": Severity.MEDIUM,
    "info": Severity.INFO,
}
_PROBLEM: Final = "DAVIS_PROBLEM"
_KEPT: Final = (
    "display_id",
    "host.name",
    "k8s.cluster.name",
    "dt.source_entity",
    "dt.davis.impact_level",
    "event.type",
    "event.category",
)
_UNFILLED: Final = re.compile(r"\{[A-Za-z]+\}")
_ADDRESS: Final = re.compile(r"[;?&]pid=([^&;]+)")

_CONNECT = """
*Settings, Integration, Problem notifications, Custom integration*, webhook URL
`https://stormfold.example.org/v1/sources/dynatrace`, the header `Authorization` with `Bearer TOKEN`, *Call webhook if
problem is closed* on, and this payload:

```json
{
  "PID": "{PID}",
  "ProblemID": "{ProblemID}",
  "ProblemTitle": "{ProblemTitle}",
  "ProblemURL": "{ProblemURL}",
  "ProblemSeverity": "{ProblemSeverity}",
  "ProblemImpact": "{ProblemImpact}",
  "ProblemDetailsText": "{ProblemDetailsText}",
  "ImpactedEntity": "{ImpactedEntity}",
  "State": "{State}",
  "Tags": "{Tags}"
}
```
"""


class Dynatrace(Adapter):
    """Same problem: its internal id. Source: Dynatrace's webhook integration."""

    name: ClassVar[str] = "dynatrace"
    title: ClassVar[str] = "Dynatrace (problem notifications, Davis events)"
    shape: ClassVar[tuple[str, ...]] = ("PID", "ProblemID", "State", "ProblemTitle", "ProblemSeverity", "ProblemURL")
    about: ClassVar[About] = About(
        identity="`PID`, else the id in ProblemDetailsJSON or the problem's address, else `ProblemID`; `event.id`",
        firing="`State` `OPEN`; `event.status` `ACTIVE`",
        resolved="`RESOLVED`, `MERGED`; `CLOSED`",
        observed="arrival; of a Davis event its time",
        severity="AVAILABILITY `critical`, ERROR `high`, PERFORMANCE, RESOURCE_CONTENTION, CUSTOM_ALERT `medium`",
        proof="`token`",
        connect=_CONNECT,
    )

    def recognises(self, body: Any, headers: Mapping[str, str]) -> bool:
        """A problem with its state, or a Davis event."""
        del headers
        if not isinstance(body, dict):
            return False
        if body.get("event.kind") in ("DAVIS_EVENT", _PROBLEM):
            return True
        return ("ProblemID" in body or "PID" in body) and ("State" in body or "ProblemTitle" in body)

    def parse(self, message: Message) -> Parsed:
        body = as_object(decode(message.body), "the body")
        parsed = Parsed(Outcome.IGNORED)
        if "event.kind" in body:
            if text_at(body, "event.category") == "INFO":
                return finish(parsed, "a Davis event of the category INFO is no problem")
            attempt(parsed, 0, partial(_davis, message, body, parsed))
            return finish(parsed)
        if "problemId" in body and "displayId" in body:
            raise NotUnderstood(
                Reason.WRONG_TYPE,
                "this is a problem as the Problems API lists it, no notification; send the payload of docs/sources.md",
            )
        if "State" not in body and "ProblemTitle" not in body:
            raise NotUnderstood(Reason.MISSING_FIELD, "State and ProblemTitle are missing; see docs/sources.md")
        attempt(parsed, 0, partial(_problem, message, body, parsed))
        return finish(parsed)


def _filled(body: dict[str, Any], field: str) -> str:
    """A text, empty where Dynatrace left its variable as it stood."""
    value = body.get(field)
    if isinstance(value, int) and not isinstance(value, bool):
        return scalar(value)
    text = text_at(body, field)
    return "" if _UNFILLED.fullmatch(text) else text


def _status(word: str, field: str) -> Status:
    found = _STATES.get(word.upper())
    if found is None:
        raise NotUnderstood(
            Reason.WRONG_TYPE if word else Reason.MISSING_FIELD,
            f"{field} must be one of {', '.join(_STATES)}, got {word[:40] or 'none'}",
        )
    return found


def _tags(text: str) -> dict[str, str]:
    """`env:production, team:payments` as labels; a tag without a value is `true`."""
    found: dict[str, str] = {}
    for tag in text.split(",")[:100]:
        name, colon, value = tag.strip().removeprefix("[Environment]").partition(":")
        if name:
            found[name] = value.strip() if colon else "true"
    return found


def _entity(body: dict[str, Any]) -> str:
    entities = body.get("ImpactedEntities")
    first = entities[0] if isinstance(entities, list) and entities and isinstance(entities[0], dict) else {}
    name = first.get("name") or first.get("Name")
    return name if isinstance(name, str) else _filled(body, "ImpactedEntityNames")


def _problem(message: Message, body: dict[str, Any], parsed: Parsed) -> None:
    details = body.get("ProblemDetailsJSON") or body.get("ProblemDetailsJSONv2")
    more = details if isinstance(details, dict) else {}
    address = _filled(body, "ProblemURL")
    found = _ADDRESS.search(address)
    own = _filled(body, "PID") or text_at(more, "problemId") or text_at(more, "id") or (found[1] if found else "")
    shown = _filled(body, "ProblemID")
    tags, entity = _tags(_filled(body, "Tags")), _entity(body)
    status = _status(_filled(body, "State"), "State")
    add_alert(
        message,
        parsed,
        0,
        identity={"problem": own} if own else {"ProblemID": shown},
        name=_filled(body, "ProblemTitle"),
        status=status,
        severity=severity_of(_filled(body, "ProblemSeverity"), message.config, _SEVERITIES, parsed),
        labels={
            **tags,
            "problem": shown,
            "impact": _filled(body, "ProblemImpact"),
            "entity": entity,
            "kind": _filled(body, "ProblemSeverity"),
        },
        service=tags.get("service") or entity or None,
        summary=_filled(body, "ImpactedEntity"),
        description=_filled(body, "ProblemDetailsText"),
        links=[("problem", address)],
        starts_at=time_or_none(time_of(more.get("startTime"), "startTime"), parsed),
        ends_at=_end(more, parsed),
        valid_for=valid_for(message.config),
    )


def _end(details: dict[str, Any], parsed: Parsed) -> Millis | None:
    """An open problem ends at -1."""
    ends = details.get("endTime")
    return None if ends == -1 else time_or_none(time_of(ends, "endTime"), parsed)


def _names(body: dict[str, Any], field: str) -> list[str]:
    """The texts of a list, or the one text that stands in its place."""
    found = body.get(field)
    return [name for name in (found if isinstance(found, list) else [found]) if isinstance(name, str)]


def _davis(message: Message, body: dict[str, Any], parsed: Parsed) -> None:
    status = _status(text_at(body, "event.status"), "event.status")
    start = time_or_none(time_of(body.get("event.start"), "event.start"), parsed)
    end = time_or_none(time_of(body.get("event.end"), "event.end"), parsed)
    problem, tags = body.get("event.kind") == _PROBLEM, _tags(",".join(_names(body, "entity_tags")))
    entity = text_at(body, "dt.source_entity.name") or text_at(body, "dt.entity.service.name")
    affected = _names(body, "affected_entity_names")
    entity = entity or text_at(body, "root_cause_entity_name") or (affected[0] if affected else "")
    add_alert(
        message,
        parsed,
        0,
        identity={"problem" if problem else "event": text_at(body, "event.id")},
        name=text_at(body, "event.name"),
        status=status,
        severity=severity_of(text_at(body, "event.category"), message.config, _SEVERITIES, parsed),
        labels={**tags, **{name.replace(".", "_"): text_at(body, name) for name in _KEPT}},
        observed_at=time_or_none(time_of(body.get("timestamp"), "timestamp"), parsed),
        service=tags.get("service") or entity or None,
        summary=text_at(body, "event.description"),
        starts_at=start,
        ends_at=end,
    )
