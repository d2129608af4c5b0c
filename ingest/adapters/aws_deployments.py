"""Deployments on AWS: CodeDeploy, CodePipeline, ECS and Auto Scaling, through EventBridge or SNS.

Changes only. CodeDeploy: identity account, region and `deploymentId`; CodePipeline: account, region, pipeline,
execution, and stage and action where the event is about one; ECS: the deployment's id and its service; Auto
Scaling: the activity. Through EventBridge `when` is the event's time, through SNS without it that of the notice.
What CodeDeploy writes to a topic when a trigger is set up is a text and is ignored. Source: the "Monitoring"
chapters of the CodeDeploy, CodePipeline, ECS and EC2 Auto Scaling user guides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar, Final

from ingest.adapters.base import About, Adapter, Handshake, Message, NotUnderstood, Outcome, Parsed, Reason
from ingest.adapters.making import add_change, attempt, finish
from ingest.adapters.reading import as_list, as_object, decode, text_at, time_of, time_or_none
from ingest.adapters.sns import HANDSHAKES, HEADER, Notice, handshake, handshake_reason, notices
from kernel.clock import Millis
from kernel.model.change import ChangeOutcome

_STATES: Final = {
    "START": ChangeOutcome.STARTED,
    "STARTED": ChangeOutcome.STARTED,
    "CREATED": ChangeOutcome.STARTED,
    "READY": ChangeOutcome.STARTED,
    "INPROGRESS": ChangeOutcome.STARTED,
    "RESUMED": ChangeOutcome.STARTED,
    "SUCCESS": ChangeOutcome.SUCCEEDED,
    "SUCCEEDED": ChangeOutcome.SUCCEEDED,
    "FAILURE": ChangeOutcome.FAILED,
    "FAILED": ChangeOutcome.FAILED,
    "STOP": ChangeOutcome.CANCELLED,
    "STOPPED": ChangeOutcome.CANCELLED,
    "CANCELED": ChangeOutcome.CANCELLED,
    "SUPERSEDED": ChangeOutcome.CANCELLED,
}
_ECS_EVENTS: Final = {
    "SERVICE_DEPLOYMENT_IN_PROGRESS": ChangeOutcome.STARTED,
    "SERVICE_DEPLOYMENT_COMPLETED": ChangeOutcome.SUCCEEDED,
    "SERVICE_DEPLOYMENT_FAILED": ChangeOutcome.FAILED,
}
_SCALING: Final = {
    "EC2 Instance Launch Successful": ("instance launch", ChangeOutcome.SUCCEEDED),
    "EC2 Instance Launch Unsuccessful": ("instance launch", ChangeOutcome.FAILED),
    "EC2 Instance Terminate Successful": ("instance termination", ChangeOutcome.SUCCEEDED),
    "EC2 Instance Terminate Unsuccessful": ("instance termination", ChangeOutcome.FAILED),
}
_SCALING_PREFIX: Final = "autoscaling:"
_SCALING_NOTICES: Final = {
    "autoscaling:EC2_INSTANCE_LAUNCH": "EC2 Instance Launch Successful",
    "autoscaling:EC2_INSTANCE_LAUNCH_ERROR": "EC2 Instance Launch Unsuccessful",
    "autoscaling:EC2_INSTANCE_TERMINATE": "EC2 Instance Terminate Successful",
    "autoscaling:EC2_INSTANCE_TERMINATE_ERROR": "EC2 Instance Terminate Unsuccessful",
}
_SOURCES: Final = ("aws.codedeploy", "aws.codepipeline", "aws.autoscaling")
_ACCOUNTS: Final = ("account", "accountId", "AccountId")
_ECS: Final = "ECS Deployment State Change"

_CONNECT = """
An EventBridge rule with an API destination (connection: API key, header `Authorization`, value `Bearer TOKEN`):

```sh
aws events put-rule --name stormfold-deployments --event-pattern '{
  "source": ["aws.codedeploy", "aws.codepipeline", "aws.ecs", "aws.autoscaling"],
  "detail-type": [{"prefix": "CodeDeploy Deployment"}, {"prefix": "CodePipeline"},
                  "ECS Deployment State Change", {"prefix": "EC2 Instance"}]}'
aws events create-api-destination --name stormfold --http-method POST --connection-arn "$CONNECTION" \\
  --invocation-endpoint https://stormfold.example.org/v1/sources/aws_deployments
```

Or a topic of SNS as in the row of `cloudwatch`, as the target of CodeDeploy's triggers.
"""


class AwsDeployments(Adapter):
    """Same change: the deployment, execution or activity. Source: the AWS user guides."""

    name: ClassVar[str] = "aws_deployments"
    title: ClassVar[str] = "AWS CodeDeploy, CodePipeline, ECS, Auto Scaling"
    shape: ClassVar[tuple[str, ...]] = ("detail-type", "detail", "source", "account", "region", "resources")
    headers: ClassVar[tuple[str, ...]] = (HEADER,)
    greets: ClassVar[bool] = True
    about: ClassVar[About] = About(
        identity="`deploymentId`; pipeline and execution (and stage, action); activity of a scaling group; each with "
        "account and region",
        firing="changes only",
        resolved="none",
        observed="`time` of the event, else that of the SNS notice",
        severity="none",
        proof="`token` (API destination), `sns` (topic)",
        connect=_CONNECT,
    )

    def recognises(self, body: Any, headers: Mapping[str, str]) -> bool:
        """An event of one of the services, whether bare or in an envelope of SNS."""
        del headers
        if not isinstance(body, dict):
            return False
        try:
            return any(_is_ours(notice.content) for notice in notices(body))
        except NotUnderstood:
            return False

    def handshake(self, body: bytes, headers: Mapping[str, str]) -> Handshake | None:
        """SNS opens or ends a subscription."""
        del headers
        return handshake(body)

    def parse(self, message: Message) -> Parsed:
        body = as_object(decode(message.body), "the body")
        if body.get("Type") in HANDSHAKES:
            return finish(Parsed(Outcome.HANDSHAKE), handshake_reason(body))
        parsed, silent = Parsed(Outcome.IGNORED), list[str]()
        for index, notice in enumerate(notices(body)):
            attempt(parsed, index, partial(_notice, message, notice, index, parsed, silent))
        return finish(parsed, "; ".join(silent[:5]) or ("" if parsed.total else "there is no record in the body"))


def _is_ours(content: dict[str, Any] | None) -> bool:
    if content is None:
        return False
    if content.get("source") in _SOURCES or content.get("detail-type") == _ECS:
        return "detail" in content
    if isinstance(event := content.get("Event"), str) and event.startswith(_SCALING_PREFIX):
        return "AutoScalingGroupName" in content
    return "deploymentId" in content and "applicationName" in content


def _notice(message: Message, notice: Notice, index: int, parsed: Parsed, silent: list[str]) -> None:
    content = notice.content
    if content is None:
        silent.append(f"the notice (subject: {notice.subject[:120] or 'none'}) is a text, no event of a deployment")
        return
    if "detail-type" in content:
        detail = as_object(content.get("detail"), "detail")
        kind, source = text_at(content, "detail-type"), text_at(content, "source")
        when = time_or_none(time_of(content.get("time"), "time"), parsed)
        make = _scaled if kind in _SCALING else _KINDS.get(_ECS if kind == _ECS else source)
        if make is None:
            raise NotUnderstood(Reason.NOT_DETECTED, f"the event {kind[:80]!r} is of no deployment")
        make(_Event(message, parsed, index, kind, content, detail, when))
        return
    if "deploymentId" in content:
        when = time_or_none(time_of(notice.sent, "Timestamp"), parsed)
        _code_deploy_notice(_Event(message, parsed, index, "", content, content, when))
        return
    if "AutoScalingGroupName" in content:
        known = _SCALING_NOTICES.get(text_at(content, "Event"))
        if known is None:
            silent.append(f"{text_at(content, 'Event')[:60] or 'this notice'} of Auto Scaling changes nothing")
            return
        when = time_or_none(time_of(content.get("Time") or notice.sent, "Time"), parsed)
        _scaled(_Event(message, parsed, index, known, content, content, when))
        return
    raise NotUnderstood(Reason.MISSING_FIELD, "neither detail-type (EventBridge) nor deploymentId (SNS) is present")


class _Event:
    """One event on its way to a change."""

    def __init__(
        self,
        message: Message,
        parsed: Parsed,
        index: int,
        kind: str,
        content: dict[str, Any],
        detail: dict[str, Any],
        when: Millis | None,
    ) -> None:
        self.kind = kind
        self.content = content
        self.detail = detail
        self.account = next((found for name in _ACCOUNTS if (found := text_at(content, name))), "")
        self.region = text_at(content, "region")
        self._message = message
        self._parsed = parsed
        self._index = index
        self._when = when

    def text(self, field: str) -> str:
        """A text of the detail."""
        return text_at(self.detail, field, f"detail.{field}")

    def add(self, own: Mapping[str, str], outcome: ChangeOutcome, **facts: str | None) -> None:
        """Make the change; `own` tells it from others of its account and region."""
        if not any(own.values()):
            raise NotUnderstood(Reason.MISSING_IDENTITY, f"{' or '.join(own)} must have a value")
        add_change(
            self._message,
            self._parsed,
            self._index,
            identity={"account": self.account, "region": self.region, **own},
            what=facts.get("what") or "deployment",
            name=facts.get("name") or next(iter(own.values())),
            outcome=outcome,
            when=self._when,
            service=facts.get("service"),
            where=facts.get("where") or self.region,
            revision=facts.get("revision"),
            summary=facts.get("summary") or "",
            labels={"account": self.account, "region": self.region, **own},
        )


def _outcome(word: str) -> ChangeOutcome:
    found = _STATES.get(word.upper())
    if found is None:
        raise NotUnderstood(
            Reason.WRONG_TYPE if word else Reason.MISSING_FIELD, f"the state {word[:40] or '(none)'} is not known"
        )
    return found


def _code_deploy(event: _Event) -> None:
    application, group = event.text("application"), event.text("deploymentGroup")
    event.add(
        {"deployment": event.text("deploymentId")},
        _outcome(event.text("state")),
        name=f"deploy {application} to {group}",
        service=application,
        where=group,
    )


def _code_deploy_notice(event: _Event) -> None:
    application, group = event.text("applicationName"), event.text("deploymentGroupName")
    event.add(
        {"deployment": event.text("deploymentId")},
        _outcome(event.text("status")),
        name=f"deploy {application} to {group}",
        service=application,
        where=group,
    )


def _code_pipeline(event: _Event) -> None:
    pipeline, stage, action = event.text("pipeline"), event.text("stage"), event.text("action")
    event.add(
        {"execution": event.text("execution-id"), "pipeline": pipeline, "stage": stage, "action": action},
        _outcome(event.text("state")),
        what="pipeline run",
        name=" ".join(part for part in (pipeline, stage, action) if part),
        service=pipeline,
        revision=event.text("execution-id"),
    )


def _ecs(event: _Event) -> None:
    word = event.text("eventName")
    if word not in _ECS_EVENTS:
        raise NotUnderstood(Reason.WRONG_TYPE, f"detail.eventName {word[:60] or '(none)'} is not known")
    resources = as_list(event.content.get("resources") or [], "resources")
    arn = resources[0] if resources and isinstance(resources[0], str) else ""
    parts = arn.rpartition(":")[2].split("/")
    service, cluster = parts[-1], parts[-2] if len(parts) > 2 else ""
    event.add(
        {"deployment": event.text("deploymentId"), "service": arn},
        _ECS_EVENTS[word],
        name=f"deploy {service}",
        service=service,
        where=cluster,
        summary=event.text("reason"),
    )


def _scaled(event: _Event) -> None:
    what, outcome = _SCALING[event.kind]
    group = event.text("AutoScalingGroupName")
    event.add(
        {"activity": event.text("ActivityId"), "group": group},
        outcome,
        what=what,
        name=f"{what} in {group}",
        service=group,
        summary=event.text("StatusMessage") or event.text("Cause"),
    )


_KINDS: Final[dict[str, Callable[[_Event], None]]] = {
    "aws.codedeploy": _code_deploy,
    "aws.codepipeline": _code_pipeline,
    _ECS: _ecs,
}
