"""Adapters whose senders tell of changes: outcomes, identity from start to end, and what is no change."""

from __future__ import annotations

from typing import Any

import pytest

from ingest.adapters.base import Outcome, Parsed, Reason
from ingest.adapters.registry import ADAPTERS
from kernel.model.alert import Severity, Status
from kernel.model.change import Change, ChangeOutcome
from tests.unit.adapters.helpers import only, parse, parse_sample, sample


def change(parsed: Parsed) -> Change:
    """The one change of a body without refusals."""
    assert not parsed.refusals, parsed.reason
    (found,) = parsed.changes
    return found


def test_a_deployment_and_its_statuses_are_one_change() -> None:
    started, failed = (
        change(parse_sample("github/deployment")),
        change(parse_sample("github/deployment_status_failure")),
    )
    assert started.fingerprint == failed.fingerprint
    assert (started.outcome, failed.outcome) == (ChangeOutcome.STARTED, ChangeOutcome.FAILED)
    assert failed.stamp > started.stamp
    assert (failed.where, failed.who, failed.revision, failed.service) == ("production", "bot", "c0ffee", "checkout")
    assert failed.link == "https://github.example.org/shop/checkout/runs/9"


@pytest.mark.parametrize(("state", "outcome"), [("queued", "started"), ("error", "failed"), ("success", "succeeded")])
def test_states_of_a_deployment(state: str, outcome: str) -> None:
    body = sample("github/deployment_status_failure")
    body["deployment_status"]["state"] = state
    assert change(parse(body, "github")).outcome == outcome


def test_an_inactive_deployment_has_no_outcome_and_an_unknown_state_is_refused() -> None:
    body = sample("github/deployment_status_failure")
    body["deployment_status"]["state"] = "inactive"
    assert parse(body, "github").outcome is Outcome.IGNORED
    body["deployment_status"]["state"] = "exploded"
    assert parse(body, "github").refusals[0].reason is Reason.WRONG_TYPE
    del body["deployment"]["id"]
    body["deployment_status"]["state"] = "success"
    assert parse(body, "github").refusals[0].reason is Reason.MISSING_IDENTITY


def test_each_attempt_of_a_run_is_a_change_of_its_own() -> None:
    body = sample("github/workflow_run")
    second = change(parse(body, "github"))
    assert second.outcome is ChangeOutcome.FAILED
    body["workflow_run"]["run_attempt"] = 3
    assert change(parse(body, "github")).fingerprint != second.fingerprint
    body["workflow_run"] |= {"status": "in_progress", "conclusion": None, "run_attempt": 2}
    assert change(parse(body, "github")).fingerprint == second.fingerprint


def test_the_header_names_the_event() -> None:
    body = sample("github/workflow_run")
    assert ADAPTERS["github"].headers == ("x-github-event",)
    assert ADAPTERS["github"].recognises({}, {"x-github-event": "ping"})
    assert parse({"zen": "Keep it simple", "hook_id": 1, "repository": body["repository"]}, "github").total == 0


def test_dependabot_fires_and_resolves() -> None:
    body = sample("github/dependabot_created")
    firing = only(parse(body, "github"))
    assert (firing.status, firing.severity, firing.service) == (Status.FIRING, Severity.HIGH, "checkout")
    body["action"] = "auto_dismissed"
    resolved = only(parse(body, "github"))
    assert (resolved.status, resolved.fingerprint) == (Status.RESOLVED, firing.fingerprint)
    body["action"] = "assigned"
    assert parse(body, "github").outcome is Outcome.IGNORED


def test_argo_tells_of_sync_and_health_at_once() -> None:
    healthy, degraded = parse_sample("argocd/app_healthy"), parse_sample("argocd/app_degraded")
    assert only(healthy).fingerprint == only(degraded).fingerprint
    assert (only(healthy).status, only(degraded).status) == (Status.RESOLVED, Status.FIRING)
    assert only(degraded).severity is Severity.CRITICAL
    assert only(degraded).summary == "Degraded: 1 of 3 pods ready"
    synced = change(healthy)
    assert (synced.who, synced.where, synced.link) == (
        "ann",
        "shop",
        "https://argocd.example.org/applications/checkout",
    )


@pytest.mark.parametrize("health", ["Progressing", "Suspended", "Unknown"])
def test_other_healths_are_neither_alert_nor_recovery(health: str) -> None:
    body = sample("argocd/app_degraded")
    body["app"]["status"]["health"]["status"] = health
    assert not parse(body, "argocd").alerts
    body["app"]["status"]["operationState"] = None
    assert parse(body, "argocd").outcome is Outcome.IGNORED


def test_flux_resolves_by_success_of_the_same_object() -> None:
    failed, done = parse_sample("flux/upgrade_failed"), parse_sample("flux/upgrade_succeeded")
    assert only(failed).fingerprint == only(done).fingerprint
    assert change(failed).fingerprint == change(done).fingerprint
    assert [change(p).outcome for p in (failed, done)] == [ChangeOutcome.FAILED, ChangeOutcome.SUCCEEDED]
    started = parse_sample("flux/progressing")
    assert (started.outcome, started.alerts) == (Outcome.CHANGES, [])
    trace = sample("flux/progressing") | {"severity": "trace"}
    assert parse(trace, "flux").outcome is Outcome.IGNORED


def test_a_canary_of_another_revision_is_another_change() -> None:
    body = sample("flux/canary")
    first = change(parse(body, "flux"))
    assert first.when == 1_772_438_400_000
    assert change(parse(body | {"phase": "Succeeded"}, "flux")).fingerprint == first.fingerprint
    assert change(parse(body | {"checksum": "other"}, "flux")).fingerprint != first.fingerprint
    assert parse(body | {"phase": "Dancing"}, "flux").refusals[0].reason is Reason.WRONG_TYPE


def test_a_hook_of_flagger_keeps_its_secrets() -> None:
    body = {"name": "a", "namespace": "b", "phase": "Progressing", "metadata": {"token": "s3cret"}}
    parsed = parse(body, "flux")
    assert (parsed.outcome, "s3cret" in parsed.reason) == (Outcome.IGNORED, False)


def test_ecs_names_its_service_and_cluster() -> None:
    failed = change(parse_sample("aws_deployments/ecs_failed"))
    assert (failed.service, failed.where, failed.outcome) == ("checkout", "shop", ChangeOutcome.FAILED)
    assert failed.summary == "tasks failed to start"


def test_codedeploy_is_one_change_through_either_way() -> None:
    by_topic = change(parse_sample("aws_deployments/codedeploy_sns"))
    event: dict[str, Any] = {
        "detail-type": "CodeDeploy Deployment State-change Notification",
        "source": "aws.codedeploy",
        "account": "111122223333",
        "region": "eu-central-1",
        "time": "2026-03-02T07:58:00Z",
        "detail": {"deploymentId": "d-1", "state": "START", "application": "checkout", "deploymentGroup": "production"},
    }
    by_event = change(parse(event, "aws_deployments"))
    assert by_event.fingerprint == by_topic.fingerprint
    event["detail"]["state"] = "SULKING"
    assert parse(event, "aws_deployments").refusals[0].reason is Reason.WRONG_TYPE


@pytest.mark.parametrize("name", ["aws_deployments", "cloudwatch"])
def test_sns_is_greeted(name: str) -> None:
    adapter = ADAPTERS[name]
    assert adapter.greets
    raw = (b'{"Type":"SubscriptionConfirmation","SubscribeURL":"https://sns.eu-1.amazonaws.com/?x"}', b"[[]", b"\xff")
    found = adapter.handshake(raw[0], {})
    assert found is not None
    assert found.confirm == "https://sns.eu-1.amazonaws.com/?x"
    assert [adapter.handshake(body, {}) for body in raw[1:]] == [None, None]
    ended = adapter.handshake(b'{"Type":"UnsubscribeConfirmation","SubscribeURL":"https://x"}', {})
    assert ended is not None
    assert ended.confirm == ""
    assert parse_sample("aws_deployments/subscription").outcome is Outcome.HANDSHAKE


def test_cdevents() -> None:
    run = change(parse_sample("cdevents/pipeline_finished"))
    assert (run.what, run.name, run.outcome) == ("pipeline run", "checkout", ChangeOutcome.FAILED)
    assert (run.summary, run.link) == ("tests failed", "https://ci.example.org/9")
    gone = change(parse_sample("cdevents/service_removed"))
    assert (gone.what, gone.where, gone.service) == ("removal", "production", "checkout")
    incident = only(parse_sample("cdevents/incident"))
    assert (incident.severity, incident.labels["environment"]) == (Severity.CRITICAL, "production")
    other = sample("cdevents/incident")
    other["context"]["type"] = "dev.cdevents.branch.created.0.1.0"
    assert parse(other, "cdevents").outcome is Outcome.IGNORED


@pytest.mark.parametrize("name", ["github", "argocd", "flux", "aws_deployments", "cdevents"])
def test_every_adapter_of_changes_says_how_it_is_connected(name: str) -> None:
    about = ADAPTERS[name].about
    assert f"/v1/sources/{name}" in about.connect
    assert "```" in about.connect
