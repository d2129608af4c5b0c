"""What AWS services other than CloudWatch say of trouble, through EventBridge or an SNS topic of alarms.

| service | same alert | fires | resolves | severity |
|---|---|---|---|---|
| GuardDuty finding | `detail.id` | always: a finding is archived, never taken back | | numbers 1 to 10 |
| Health event of the category `issue` | `detail.eventArn` | `statusCode` open, or none | `closed` | `high` |
| Elastic Beanstalk, a text | application, environment | health Warning, Degraded, Severe | Ok, Info | by the health |

Source: the GuardDuty, AWS Health and Elastic Beanstalk user guides.
"""

from __future__ import annotations

import re
from typing import Any, Final

from ingest.adapters.base import Message, NotUnderstood, Parsed, Reason
from ingest.adapters.making import add_alert
from ingest.adapters.reading import as_list, as_object, text_at, texts_at, time_of, time_or_none
from kernel.model.alert import Severity, Status

_GUARD_DUTY: Final = "GuardDuty Finding"
_HEALTH: Final = "AWS Health Event"
_TRANSITION: Final = re.compile(r"Environment health has transitioned from (\w+) to (\w+)\.?\s*(.*)")
_FIELD: Final = re.compile(r"^(Environment|Application|Environment URL): (.+)$", re.MULTILINE)
_BEANSTALK: Final = {
    "Ok": (Status.RESOLVED, Severity.MEDIUM),
    "Info": (Status.RESOLVED, Severity.MEDIUM),
    "Warning": (Status.FIRING, Severity.MEDIUM),
    "Degraded": (Status.FIRING, Severity.HIGH),
    "Severe": (Status.FIRING, Severity.CRITICAL),
}
# The bands of GuardDuty's own console: low below 4, medium below 7, high below 9, critical from there.
_BANDS: Final = ((9.0, Severity.CRITICAL), (7.0, Severity.HIGH), (4.0, Severity.MEDIUM), (0.0, Severity.LOW))


def reads_event(kind: str) -> bool:
    """Whether an event of EventBridge with this `detail-type` is read here."""
    return kind in (_GUARD_DUTY, _HEALTH)


def event(message: Message, body: dict[str, Any], index: int, parsed: Parsed, silent: list[str]) -> None:
    """An event that `reads_event` takes."""
    detail = as_object(body.get("detail"), "detail")
    if body["detail-type"] == _GUARD_DUTY:
        _finding(message, body, detail, index, parsed)
    else:
        _health(message, body, detail, index, parsed, silent)


def _finding(message: Message, body: dict[str, Any], detail: dict[str, Any], index: int, parsed: Parsed) -> None:
    number = detail.get("severity")
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise NotUnderstood(Reason.WRONG_TYPE, "detail.severity of a finding must be a number from 1 to 10")
    seen = as_object(detail.get("service") or {}, "detail.service")
    add_alert(
        message,
        parsed,
        index,
        identity={"finding": text_at(detail, "id", "detail.id")},
        name=text_at(detail, "title", "detail.title"),
        status=Status.FIRING,
        severity=next((severity for least, severity in _BANDS if number >= least), Severity.LOW),
        labels={
            "type": text_at(detail, "type", "detail.type"),
            "account": text_at(detail, "accountId") or text_at(body, "account"),
            "region": text_at(body, "region"),
        },
        description=text_at(detail, "description"),
        starts_at=time_or_none(time_of(seen.get("eventFirstSeen"), "eventFirstSeen"), parsed),
    )


def _health(
    message: Message, body: dict[str, Any], detail: dict[str, Any], index: int, parsed: Parsed, silent: list[str]
) -> None:
    category = text_at(detail, "eventTypeCategory")
    if category != "issue":
        silent.append(f"an AWS Health event of the category {category[:40] or 'unknown'} is no issue")
        return
    texts = as_list(detail.get("eventDescription") or [], "eventDescription")
    told = as_object(texts[0], "eventDescription") if texts else {}
    entities = [as_object(entity, "affectedEntities") for entity in as_list(detail.get("affectedEntities") or [], "x")]
    closed = text_at(detail, "statusCode") == "closed"
    code = text_at(detail, "eventTypeCode", "detail.eventTypeCode")
    when = time_or_none(time_of(body.get("time"), "time"), parsed)
    add_alert(
        message,
        parsed,
        index,
        identity={"event": text_at(detail, "eventArn", "detail.eventArn")},
        name=code,
        status=Status.RESOLVED if closed else Status.FIRING,
        severity=Severity.HIGH,
        labels={
            **(texts_at(entities[0], "tags", loose=True) if entities else {}),
            "account": text_at(body, "account"),
            "region": text_at(body, "region"),
            "aws_service": text_at(detail, "service"),
            "entity": text_at(entities[0], "entityValue") if entities else "",
        },
        observed_at=when,
        summary=text_at(told, "latestDescription"),
        starts_at=None if closed else when,
        ends_at=when,
    )


def text(message: Message, said: str, sent: Any, index: int, parsed: Parsed) -> bool:
    """A notice of Elastic Beanstalk; False where the text is of nobody known."""
    found, fields = _TRANSITION.search(said), dict(_FIELD.findall(said))
    if found is None or found[2] not in _BEANSTALK:
        return False
    status, severity = _BEANSTALK[found[2]]
    if status is Status.RESOLVED and found[1] in _BEANSTALK:
        severity = _BEANSTALK[found[1]][1]
    when = time_or_none(time_of(sent, "Timestamp"), parsed)
    environment, application = fields.get("Environment", ""), fields.get("Application", "")
    add_alert(
        message,
        parsed,
        index,
        identity={"application": application, "environment": environment},
        name=f"Elastic Beanstalk environment {environment} is not healthy",
        status=status,
        severity=severity,
        labels={"application": application, "environment": environment, "health": found[2]},
        observed_at=when,
        service=application or None,
        summary=found[0].strip(),
        links=[("environment", fields.get("Environment URL", ""))],
        starts_at=when if status is Status.FIRING else None,
        ends_at=when,
    )
    return True
