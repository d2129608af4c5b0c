"""GitHub webhooks: deployments, workflow runs and releases are changes; Dependabot alerts are alerts.

A deployment and all its statuses are one change: repository and `deployment.id`. A workflow run is told by repository,
run id and attempt, a release by repository and id. `inactive` says that a newer deployment took its place, which
is no outcome of its own. The name of the event stands in the header `X-GitHub-Event` only, so the door passes it on;
without it the event is told by the objects in the body. `when` is the newest time in the object that the event is
about. GitHub knows no services: `service` is the repository's name. A Dependabot alert fires when it is created or
opened again and resolves when it is fixed or dismissed; identity repository and number, time `updated_at` of every
event. Everything else (pushes, checks, pings) is no change of a running system and is ignored.
Source: "Webhook events and payloads" of GitHub's documentation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar, Final

from ingest.adapters.base import About, Adapter, Message, NotUnderstood, Outcome, Parsed, Reason, severity_of
from ingest.adapters.making import add_alert, add_change, attempt, finish
from ingest.adapters.reading import as_object, decode, scalar, text_at, time_of, time_or_none
from ingest.adapters.words import SEVERITIES
from kernel.clock import Millis
from kernel.model.alert import Status
from kernel.model.change import ChangeOutcome

EVENT: Final = "x-github-event"
_STATES: Final = {
    "queued": ChangeOutcome.STARTED,
    "pending": ChangeOutcome.STARTED,
    "in_progress": ChangeOutcome.STARTED,
    "success": ChangeOutcome.SUCCEEDED,
    "failure": ChangeOutcome.FAILED,
    "error": ChangeOutcome.FAILED,
}
_CONCLUSIONS: Final = {
    "success": ChangeOutcome.SUCCEEDED,
    "neutral": ChangeOutcome.SUCCEEDED,
    "failure": ChangeOutcome.FAILED,
    "timed_out": ChangeOutcome.FAILED,
    "startup_failure": ChangeOutcome.FAILED,
    "action_required": ChangeOutcome.STARTED,
    "cancelled": ChangeOutcome.CANCELLED,
    "skipped": ChangeOutcome.CANCELLED,
    "stale": ChangeOutcome.CANCELLED,
}
_ALERT_ACTIONS: Final = {
    "created": Status.FIRING,
    "reopened": Status.FIRING,
    "reintroduced": Status.FIRING,
    "auto_reopened": Status.FIRING,
    "fixed": Status.RESOLVED,
    "dismissed": Status.RESOLVED,
    "auto_dismissed": Status.RESOLVED,
}
_BY_BODY: Final = ("deployment_status", "deployment", "release", "workflow_run")

_CONNECT = """
*Settings, Webhooks, Add webhook* of the repository or the organisation: content type `application/json`, a secret,
and the single events *Deployments*, *Deployment statuses*, *Workflow runs*, *Releases* (and *Dependabot alerts*).
With GitHub's command line:

```sh
gh api repos/OWNER/REPO/hooks -f name=web -F active=true \\
  -f 'events[]=deployment' -f 'events[]=deployment_status' -f 'events[]=workflow_run' -f 'events[]=release' \\
  -f config[url]=http://stormfold:8080/v1/sources/github -f config[content_type]=json -f config[secret]="$SECRET"
```
"""


class GitHub(Adapter):
    """Same change: repository and the id of the deployment, run or release. Source: GitHub's webhook events."""

    name: ClassVar[str] = "github"
    title: ClassVar[str] = "GitHub (webhooks)"
    shape: ClassVar[tuple[str, ...]] = ("action", "repository", "sender", "deployment", "workflow_run", "release")
    headers: ClassVar[tuple[str, ...]] = (EVENT,)
    about: ClassVar[About] = About(
        identity="repository and id of the deployment, of the workflow run and its attempt, of the release; "
        "repository and number of a Dependabot alert",
        firing="changes: deployments, workflow runs, releases. Alerts: Dependabot `created`, `reopened`",
        resolved="Dependabot `fixed`, `dismissed`",
        observed="time of the object that the event is about",
        severity="that of the security advisory",
        proof="`github`: `X-Hub-Signature-256` over the body",
        connect=_CONNECT,
    )

    def recognises(self, body: Any, headers: Mapping[str, str]) -> bool:
        """Its header, or a repository with a full name and the sender of an event."""
        if EVENT in headers:
            return True
        if not isinstance(body, dict):
            return False
        repository, sender = body.get("repository"), body.get("sender")
        if not isinstance(repository, dict) or not isinstance(sender, dict):
            return False
        return isinstance(repository.get("full_name"), str) and isinstance(sender.get("login"), str)

    def parse(self, message: Message) -> Parsed:
        body = as_object(decode(message.body), "the body")
        event = message.headers.get(EVENT) or next((name for name in _BY_BODY if body.get(name)), "")
        if not event and "dependency" in as_object(body.get("alert") or {}, "alert"):
            event = "dependabot_alert"
        make = _EVENTS.get(event)
        parsed = Parsed(Outcome.IGNORED)
        if make is None:
            return finish(parsed, f"{event[:60] or 'this event'} of GitHub is no change of a running system")
        notes: list[str] = []
        attempt(parsed, 0, partial(make, message, body, parsed, notes))
        return finish(parsed, "; ".join(notes))


_Notes = list[str]


def _repository(body: dict[str, Any]) -> tuple[str, str]:
    repository = as_object(body.get("repository"), "repository")
    full = text_at(repository, "full_name")
    return full, text_at(repository, "name") or full.rpartition("/")[2]


def _id(found: dict[str, Any], field: str = "id") -> str:
    value = found.get(field)
    if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
        raise NotUnderstood(Reason.MISSING_IDENTITY, f"{field} must be a number, which tells the change from others")
    return value if isinstance(value, str) else scalar(value)


def _who(found: dict[str, Any], field: str) -> str:
    person = found.get(field)
    return text_at(person, "login") if isinstance(person, dict) else ""


def _time(found: dict[str, Any], *fields: str, parsed: Parsed) -> Millis | None:
    first = next((found[field] for field in fields if found.get(field)), None)
    return time_or_none(time_of(first, fields[0]), parsed)


def _deployment(message: Message, body: dict[str, Any], parsed: Parsed, notes: _Notes) -> None:
    del notes
    _deploy(message, body, {}, ChangeOutcome.STARTED, parsed)


def _deployment_status(message: Message, body: dict[str, Any], parsed: Parsed, notes: _Notes) -> None:
    status = as_object(body.get("deployment_status"), "deployment_status")
    state = text_at(status, "state", "deployment_status.state")
    if state == "inactive":
        notes.append("the deployment is inactive: a newer one took its place, which is no outcome of its own")
        return
    if state not in _STATES:
        raise NotUnderstood(
            Reason.WRONG_TYPE if state else Reason.MISSING_FIELD,
            f"deployment_status.state must be one of {', '.join(_STATES)}, inactive, got {state[:40] or 'none'}",
        )
    _deploy(message, body, status, _STATES[state], parsed)


def _deploy(
    message: Message, body: dict[str, Any], status: dict[str, Any], outcome: ChangeOutcome, parsed: Parsed
) -> None:
    deployment = as_object(body.get("deployment"), "deployment")
    full, name = _repository(body)
    environment = text_at(status, "environment") or text_at(deployment, "environment")
    task = text_at(deployment, "task") or "deploy"
    link = text_at(status, "log_url") or text_at(status, "target_url") or text_at(status, "environment_url")
    add_change(
        message,
        parsed,
        0,
        identity={"repository": full, "deployment": _id(deployment)},
        what="deployment",
        name=f"{task} {name} to {environment}" if environment else f"{task} {name}",
        outcome=outcome,
        when=_time(status or deployment, "updated_at", "created_at", parsed=parsed),
        service=name,
        where=environment,
        who=_who(status, "creator") or _who(deployment, "creator") or _who(body, "sender"),
        revision=text_at(deployment, "sha"),
        link=link or text_at(as_object(body["repository"], "repository"), "html_url"),
        summary=text_at(status, "description") or text_at(deployment, "description"),
        labels={"repository": full, "ref": text_at(deployment, "ref"), "environment": environment},
    )


def _workflow_run(message: Message, body: dict[str, Any], parsed: Parsed, notes: _Notes) -> None:
    del notes
    run = as_object(body.get("workflow_run"), "workflow_run")
    full, name = _repository(body)
    conclusion, state = text_at(run, "conclusion"), text_at(run, "status")
    outcome = ChangeOutcome.STARTED
    if state == "completed" or conclusion:
        outcome = _CONCLUSIONS.get(conclusion, ChangeOutcome.UNKNOWN)
    workflow = body.get("workflow")
    called = text_at(run, "name") or (text_at(workflow, "name") if isinstance(workflow, dict) else "")
    attempt_number = run.get("run_attempt")
    add_change(
        message,
        parsed,
        0,
        identity={
            "repository": full,
            "run": _id(run),
            "attempt": str(attempt_number) if isinstance(attempt_number, int) else "",
        },
        what="workflow run",
        name=called or text_at(run, "display_title") or "workflow",
        outcome=outcome,
        when=_time(run, "updated_at", "run_started_at", "created_at", parsed=parsed),
        service=name,
        who=_who(run, "triggering_actor") or _who(run, "actor") or _who(body, "sender"),
        revision=text_at(run, "head_sha"),
        link=text_at(run, "html_url"),
        summary=text_at(run, "display_title"),
        labels={"repository": full, "branch": text_at(run, "head_branch"), "event": text_at(run, "event")},
    )


def _release(message: Message, body: dict[str, Any], parsed: Parsed, notes: _Notes) -> None:
    action = text_at(body, "action")
    if action not in ("published", "released"):
        notes.append(f"a release that is {action[:40] or 'unknown'} changes nothing; published and released do")
        return
    release = as_object(body.get("release"), "release")
    full, name = _repository(body)
    tag = text_at(release, "tag_name")
    add_change(
        message,
        parsed,
        0,
        identity={"repository": full, "release": _id(release)},
        what="release",
        name=text_at(release, "name") or f"{name} {tag}".strip(),
        outcome=ChangeOutcome.SUCCEEDED,
        when=_time(release, "published_at", "created_at", parsed=parsed),
        service=name,
        who=_who(release, "author") or _who(body, "sender"),
        revision=tag,
        link=text_at(release, "html_url"),
        labels={"repository": full, "branch": text_at(release, "target_commitish")},
    )


def _dependabot(message: Message, body: dict[str, Any], parsed: Parsed, notes: _Notes) -> None:
    action = text_at(body, "action")
    status = _ALERT_ACTIONS.get(action)
    if status is None:
        notes.append(f"a Dependabot alert that is {action[:40] or 'unknown'} neither fires nor resolves")
        return
    alert = as_object(body.get("alert"), "alert")
    advisory = as_object(alert.get("security_advisory") or {}, "alert.security_advisory")
    package = as_object(as_object(alert.get("dependency") or {}, "dependency").get("package") or {}, "package")
    full, name = _repository(body)
    when = _time(alert, "updated_at", "created_at", parsed=parsed)
    add_alert(
        message,
        parsed,
        0,
        identity={"repository": full, "alert": _id(alert, "number")},
        name=text_at(advisory, "summary") or "Dependabot alert",
        status=status,
        severity=severity_of(text_at(advisory, "severity"), message.config, SEVERITIES, parsed),
        labels={
            "repository": full,
            "package": text_at(package, "name"),
            "ecosystem": text_at(package, "ecosystem"),
            "cve": text_at(advisory, "cve_id"),
            "ghsa": text_at(advisory, "ghsa_id"),
        },
        observed_at=when,
        service=name,
        description=text_at(advisory, "description"),
        links=[("alert", text_at(alert, "html_url"))],
        starts_at=_time(alert, "created_at", parsed=parsed),
        ends_at=when,
    )


_Make = Callable[[Message, dict[str, Any], Parsed, _Notes], None]
_EVENTS: Final[dict[str, _Make]] = {
    "deployment": _deployment,
    "deployment_status": _deployment_status,
    "workflow_run": _workflow_run,
    "release": _release,
    "dependabot_alert": _dependabot,
}
