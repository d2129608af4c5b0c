"""CloudWatch alarms: through SNS (over HTTP, or wrapped as a Lambda sees it), EventBridge, a Lambda action, or bare.

Identity: the alarm's ARN. Where a message has none it is put together from account, name and the region's code in
the SNS topic's ARN (a topic and its alarms share a region), so that an alarm is one alert whichever way it comes;
the bare message, which has neither, is told by account, region as written, and name. State: ALARM fires, OK
resolves, INSUFFICIENT_DATA is neither and ignored (an alarm that should fire without data says so by treating
missing data as breaching). `observed_at` is the time of the state's change, which every form carries for firing as
for resolved. CloudWatch sends once a change, so there is no `valid_for`. It knows no severity: `SEVERITY=...` or
`PRIORITY=...` in the alarm's description is taken, else the default stands and is counted; `SERVICE=`, `TEAM=` and
`ENV=` there become labels.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, ClassVar, Final

from msgspec import Struct

from ingest.adapters import aws_services
from ingest.adapters.base import About, Adapter, Handshake, Message, NotUnderstood, Outcome, Parsed, Reason, severity_of
from ingest.adapters.making import add_alert, attempt, finish
from ingest.adapters.reading import as_list, as_object, decode, scalar, text_at, texts_at, time_of, time_or_none
from ingest.adapters.sns import HANDSHAKES, HEADER, Notice, handshake, handshake_reason, notices
from ingest.adapters.words import SEVERITIES
from kernel.model.alert import Status

_STATES: Final = {"ALARM": Status.FIRING, "OK": Status.RESOLVED}
_NO_DATA: Final = "INSUFFICIENT_DATA"
_PACKED: Final = re.compile(r"\b(SEVERITY|PRIORITY|TEAM|SERVICE|ENV|RUNBOOK)\s*=\s*([^\s|,;]+)")
_ALARM_CHANGE: Final = "CloudWatch Alarm State Change"
_MAP_IT: Final = "events of other AWS services are read by a mapping of their own (docs/mappings.md)"


_CONNECT: Final = """
Subscribe the source to the SNS topic of the alarms, for the actions of `ALARM` and of `OK`. With the proof below the
door confirms the subscription by itself, and takes nothing that Amazon has not signed:

```yaml
sources:
  cloudwatch:
    proof: {type: sns, topics: ["arn:aws:sns:eu-central-1:123456789012:alarms"]}
```

```sh
aws sns subscribe --protocol https --topic-arn arn:aws:sns:eu-central-1:123456789012:alarms \\
  --notification-endpoint https://stormfold.example.org/v1/sources/cloudwatch
```

Events of EventBridge (`CloudWatch Alarm State Change`), Lambda's alarm action, SNS records as a Lambda sees them and
bare alarm messages are read too. `INSUFFICIENT_DATA` is neither an alert nor a recovery: an alarm that should fire
without data says so by *treat missing data as bad*. CloudWatch has no severity; write it, and more, into the alarm's
description: `SEVERITY=high | SERVICE=orders | TEAM=shop | RUNBOOK=https://...`.
"""


class CloudWatch(Adapter):
    """Same alarm: its ARN. Source: the CloudWatch, SNS and EventBridge user guides."""

    name: ClassVar[str] = "cloudwatch"
    title: ClassVar[str] = "Amazon CloudWatch (SNS, EventBridge, Lambda action)"
    shape: ClassVar[tuple[str, ...]] = ("Type", "TopicArn", "Message", "MessageId", "AlarmName", "NewStateValue")

    headers: ClassVar[tuple[str, ...]] = (HEADER,)
    greets: ClassVar[bool] = True
    about: ClassVar[About] = About(
        identity="the alarm's ARN, put together from account, region and name where the message has none",
        firing="`ALARM`; GuardDuty findings, AWS Health issues, Elastic Beanstalk not healthy",
        resolved="`OK`; the issue closed, the environment healthy",
        observed="time of the state's change, else arrival",
        severity="`SEVERITY=` or `PRIORITY=` in the alarm's description",
        proof="`sns`: Amazon's signature and the topics; `token` for EventBridge's API destinations",
        connect=_CONNECT,
    )

    def handshake(self, body: bytes, headers: Mapping[str, str]) -> Handshake | None:
        """SNS opens or ends a subscription."""
        del headers
        return handshake(body)

    def recognises(self, body: Any, headers: Mapping[str, str]) -> bool:
        """SNS by its header or its envelope, EventBridge by its envelope, an alarm by its name and state."""
        if not isinstance(body, dict):
            return False
        if "x-amz-sns-message-type" in headers or ("TopicArn" in body and "Type" in body):
            return True
        source = body.get("source")
        partner = isinstance(source, str) and source.startswith("aws.partner/")
        if not partner and (("detail-type" in body and "detail" in body) or "alarmData" in body):
            return True
        records = body.get("Records")
        wrapped = isinstance(records, list) and bool(records) and isinstance(records[0], dict) and "Sns" in records[0]
        return wrapped or ("AlarmName" in body and "NewStateValue" in body)

    def parse(self, message: Message) -> Parsed:
        body = as_object(decode(message.body), "the body")
        if body.get("Type") in HANDSHAKES:
            return finish(Parsed(Outcome.HANDSHAKE), handshake_reason(body))
        parsed, silent = Parsed(Outcome.IGNORED), list[str]()
        for index, notice in enumerate(notices(body)):
            attempt(parsed, index, partial(_one, message, notice, index, parsed, silent))
        return finish(parsed, "; ".join(silent[:5]) or ("" if parsed.total else "there is no record in the body"))


class _Alarm(Struct, frozen=True):
    """A change of an alarm's state, whichever way it came."""

    name: str
    state: str
    reason: str
    arn: str
    account: str
    region: str
    changed: Any
    description: str
    old: str
    labels: dict[str, str]


def _one(message: Message, notice: Notice, index: int, parsed: Parsed, silent: list[str]) -> None:
    content = notice.content
    if content is None:
        if not aws_services.text(message, notice.text, notice.sent, index, parsed):
            raise NotUnderstood(
                Reason.NOT_DETECTED,
                f"the SNS message (subject: {notice.subject[:120] or 'none'}) is text, not an alarm; if it says that "
                "something is wrong, map it as a source of its own (docs/mappings.md)",
            )
        return
    if aws_services.reads_event(text_at(content, "detail-type")):
        aws_services.event(message, content, index, parsed, silent)
        return
    alarm = _alarm_of(content, notice.topic)
    if alarm.state == _NO_DATA:
        silent.append(f"{alarm.name[:200]}: INSUFFICIENT_DATA is neither ALARM nor OK, what is open stays open")
        return
    status = _STATES.get(alarm.state)
    if status is None:
        raise NotUnderstood(
            Reason.WRONG_TYPE if alarm.state else Reason.MISSING_FIELD,
            f"the alarm's state must be ALARM, OK or INSUFFICIENT_DATA, got {alarm.state[:40] or 'none'}",
        )
    when = time_or_none(time_of(alarm.changed, "the time of the state's change"), parsed)
    packed = {key.lower(): value for key, value in _PACKED.findall(alarm.description)}
    labels = {**alarm.labels, **packed, "alertname": alarm.name, "account": alarm.account, "region": alarm.region}
    changed = alarm.old != alarm.state
    add_alert(
        message,
        parsed,
        index,
        identity=_identity(alarm),
        name=alarm.name,
        status=status,
        severity=severity_of(packed.get("severity") or packed.get("priority"), message.config, SEVERITIES, parsed),
        labels=labels,
        observed_at=when,
        service=packed.get("service") or alarm.labels.get("ServiceName"),
        summary=alarm.reason,
        description=alarm.description,
        links=[("runbook", packed.get("runbook", ""))],
        starts_at=when if status is Status.FIRING and changed else None,
        ends_at=when,
    )


def _identity(alarm: _Alarm) -> dict[str, str]:
    if alarm.arn:
        return {"arn": alarm.arn}
    if not alarm.name:
        return {}
    return {"account": alarm.account, "region": alarm.region, "name": alarm.name}


def _alarm_of(body: dict[str, Any], topic: str) -> _Alarm:
    if "alarmData" in body:
        return _from_change(as_object(body["alarmData"], "alarmData"), body, text_at(body, "alarmArn"), "accountId")
    if body.get("detail-type") == _ALARM_CHANGE:
        resources = as_list(body.get("resources") or [], "resources")
        arn = resources[0] if resources and isinstance(resources[0], str) else ""
        return _from_change(as_object(body.get("detail"), "detail"), body, arn, "account")
    if "detail-type" in body:
        kind = text_at(body, "detail-type")[:80]
        raise NotUnderstood(Reason.NOT_DETECTED, f"the EventBridge event {kind!r} is no alarm; {_MAP_IT}")
    if "AlarmName" in body:
        return _from_message(body, topic)
    if topic:
        fields = ", ".join(sorted(body)[:6])[:200] or "none"
        raise NotUnderstood(Reason.NOT_DETECTED, f"the SNS message is no alarm (its fields: {fields}); {_MAP_IT}")
    raise NotUnderstood(
        Reason.MISSING_FIELD,
        "none of Message (SNS), detail-type (EventBridge), alarmData (Lambda), AlarmName is present",
    )


def _from_message(alarm: dict[str, Any], topic: str) -> _Alarm:
    name, account = text_at(alarm, "AlarmName"), _account(alarm, "AWSAccountId")
    arn, region = text_at(alarm, "AlarmArn"), text_at(alarm, "Region")
    at = (arn or topic).split(":")
    if len(at) >= 6 and at[0] == "arn" and at[3]:
        region = at[3]
        arn = arn or (f"arn:{at[1]}:cloudwatch:{region}:{account}:alarm:{name}" if name and account else "")
    trigger = as_object(alarm.get("Trigger") or {}, "Trigger")
    return _Alarm(
        name=name,
        state=text_at(alarm, "NewStateValue"),
        reason=text_at(alarm, "NewStateReason"),
        arn=arn,
        account=account,
        region=region,
        changed=alarm.get("StateChangeTime"),
        description=text_at(alarm, "AlarmDescription"),
        old=text_at(alarm, "OldStateValue"),
        labels=_metric_labels(
            text_at(trigger, "Namespace"), text_at(trigger, "MetricName"), dict(_dimensions(trigger.get("Dimensions")))
        ),
    )


def _from_change(change: dict[str, Any], event: dict[str, Any], arn: str, account: str) -> _Alarm:
    state = as_object(change.get("state") or {}, "state")
    previous = as_object(change.get("previousState") or {}, "previousState")
    setup = as_object(change.get("configuration") or {}, "configuration")
    metrics = as_list(setup.get("metrics") or [], "configuration.metrics")
    stats = [as_object(as_object(m, "metrics").get("metricStat") or {}, "metricStat") for m in metrics]
    metric = next((as_object(stat["metric"], "metric") for stat in stats if stat.get("metric")), {})
    return _Alarm(
        name=text_at(change, "alarmName"),
        state=text_at(state, "value", "state.value"),
        reason=text_at(state, "reason", "state.reason"),
        arn=arn,
        account=_account(event, account),
        region=text_at(event, "region"),
        changed=state.get("timestamp") or event.get("time"),
        description=text_at(setup, "description"),
        old=text_at(previous, "value", "previousState.value"),
        labels=_metric_labels(
            text_at(metric, "namespace"), text_at(metric, "name"), texts_at(metric, "dimensions", loose=True)
        ),
    )


def _account(body: dict[str, Any], field: str) -> str:
    value = body.get(field)
    return scalar(value) if isinstance(value, int) and not isinstance(value, bool) else text_at(body, field)


def _dimensions(found: Any) -> Iterator[tuple[str, str]]:
    for entry in as_list(found or [], "Trigger.Dimensions"):
        pair = as_object(entry, "Trigger.Dimensions")
        yield text_at(pair, "name", "Trigger.Dimensions.name"), text_at(pair, "value", "Trigger.Dimensions.value")


def _metric_labels(namespace: str, metric: str, dimensions: dict[str, str]) -> dict[str, str]:
    labels = {**dimensions, "namespace": namespace, "metric": metric}
    instance = dimensions.get("InstanceId")
    if instance:
        labels["instance"] = instance
    return {name: value for name, value in labels.items() if name and value}
