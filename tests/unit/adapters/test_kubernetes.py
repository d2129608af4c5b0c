"""Kubernetes: whose trouble it is, what takes it back, and what is a change instead."""

from __future__ import annotations

from typing import Any

import pytest

from ingest.adapters.base import Outcome, Reason
from ingest.adapters.registry import ADAPTERS, detect
from kernel.config.schema import SourceConfig
from kernel.config.values import Duration
from kernel.model.alert import Severity, Status
from kernel.model.change import ChangeOutcome
from kernel.model.naming import fingerprint
from tests.unit.adapters.helpers import only, parse, parse_sample, sample

HOUR = 3_600_000


def _warning(**changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = sample("kubernetes/warning")
    body["involvedObject"] |= changes
    return body


def test_pods_of_one_deployment_are_one_alert_across_rollouts() -> None:
    first = only(parse_sample("kubernetes/warning"))
    told = {
        "cluster": "shop-production",
        "kind": "Deployment",
        "namespace": "shop",
        "name": "web",
        "part": "spec.containers{web}",
        "reason": "Unhealthy",
    }
    assert first.fingerprint == fingerprint("default", "kubernetes", told)
    assert (first.service, first.labels["workload"], first.labels["node"]) == ("web", "Deployment/web", "node-a")
    rolled = _warning(
        name="web-6f5e4d3c2-abcde",
        labels={"pod-template-hash": "6f5e4d3c2"},
        ownerReferences=[{"kind": "ReplicaSet", "name": "web-6f5e4d3c2", "controller": True}],
    )
    assert only(parse(rolled, "kubernetes")).fingerprint == first.fingerprint


@pytest.mark.parametrize(
    "owner",
    [
        {"kind": "Node", "name": "node-a", "controller": True},
        {"kind": "StatefulSet", "name": "web", "controller": True},
        {"kind": "ReplicaSet", "name": "web-5d4f7c9b8"},
    ],
    ids=["static pod", "stateful pod", "not its controller"],
)
def test_an_owner_that_does_not_rename_its_pods_leaves_the_pod_as_it_is(owner: dict[str, Any]) -> None:
    bare = only(parse(_warning(ownerReferences=[]), "kubernetes"))
    assert only(parse(_warning(ownerReferences=[owner]), "kubernetes")).fingerprint == bare.fingerprint


def test_a_pod_that_is_scheduled_at_last_ends_its_trouble() -> None:
    pending, scheduled = (
        only(parse_sample(f"kubernetes/{name}")) for name in ("events_v1_pending", "events_v1_scheduled")
    )
    assert (pending.status, scheduled.status) == (Status.FIRING, Status.RESOLVED)
    assert pending.fingerprint == scheduled.fingerprint
    assert scheduled.observed_at > pending.observed_at
    assert pending.starts_at is not None
    assert pending.starts_at < pending.observed_at
    assert pending.labels["reason"] == scheduled.labels["reason"] == "FailedScheduling"


def test_a_node_fires_by_normal_events_and_stands_until_it_is_ready() -> None:
    body = sample("kubernetes/eventrouter_node")
    down = only(parse(body, "kubernetes"))
    assert (down.status, down.name, down.valid_for) == (Status.FIRING, "NodeNotReady", None)
    body["event"] |= {"reason": "NodeReady", "lastTimestamp": "2026-03-02T08:19:00Z"}
    ready = only(parse(body, "kubernetes"))
    assert (ready.status, ready.fingerprint) == (Status.RESOLVED, down.fingerprint)


def test_a_warning_stands_for_an_hour_or_as_long_as_the_source_says() -> None:
    assert only(parse_sample("kubernetes/warning")).valid_for == HOUR
    config = SourceConfig(repeat_interval=Duration(HOUR))
    assert only(parse_sample("kubernetes/warning", config=config)).valid_for == 2 * HOUR + 600_000


def test_severities_may_name_reasons() -> None:
    assert only(parse_sample("kubernetes/warning")).severity is Severity.MEDIUM
    config = SourceConfig(severities={"Unhealthy": Severity.CRITICAL})
    assert only(parse_sample("kubernetes/warning", config=config)).severity is Severity.CRITICAL


def test_scaling_is_a_change_for_each_count_of_its_event() -> None:
    body = sample("kubernetes/scaling")
    parsed = parse(body, "kubernetes")
    (first,) = parsed.changes
    assert parsed.outcome is Outcome.CHANGES
    assert (first.what, first.name, first.outcome) == ("rollout", "rollout web", ChangeOutcome.STARTED)
    assert (first.service, first.where, first.revision) == ("web", "shop", "7c6d5b4f9")
    assert parse(body, "kubernetes").changes[0].fingerprint == first.fingerprint
    assert parse(body | {"count": 2}, "kubernetes").changes[0].fingerprint != first.fingerprint
    goes = body | {"message": "Scaled down replica set web-5d4f7c9b8 from 2 to 0"}
    assert parse(goes, "kubernetes").changes[0].revision is None


@pytest.mark.parametrize(
    ("kind", "reason", "what", "outcome"),
    [
        ("HorizontalPodAutoscaler", "SuccessfulRescale", "scaling", ChangeOutcome.SUCCEEDED),
        ("Deployment", "DeploymentRollback", "rollback", ChangeOutcome.STARTED),
        ("Node", "NodeNotSchedulable", "cordon", ChangeOutcome.SUCCEEDED),
    ],
)
def test_other_events_that_tell_of_changes(kind: str, reason: str, what: str, outcome: ChangeOutcome) -> None:
    body = sample("kubernetes/scaling") | {"reason": reason, "message": "done", "metadata": {}}
    body["involvedObject"] = {"kind": kind, "name": "web"}
    (change,) = parse(body, "kubernetes").changes
    assert (change.what, change.outcome, change.revision) == (what, outcome, None)


def test_a_deployment_that_times_out_has_failed() -> None:
    body = sample("kubernetes/watched_deployment")
    (failed,) = parse(body, "kubernetes").changes
    assert (failed.outcome, failed.revision, failed.service) == (ChangeOutcome.FAILED, "5", "web")
    condition = body["object"]["status"]["conditions"][1]
    condition |= {"status": "True", "reason": "NewReplicaSetAvailable"}
    (done,) = parse(body, "kubernetes").changes
    assert (done.outcome, done.fingerprint) == (ChangeOutcome.SUCCEEDED, failed.fingerprint)
    body["object"]["metadata"]["generation"] = 9
    assert parse(body, "kubernetes").changes[0].outcome is ChangeOutcome.STARTED
    assert parse(body | {"type": "DELETED"}, "kubernetes").outcome is Outcome.IGNORED


def test_a_list_keeps_the_good_beside_the_bad() -> None:
    body = sample("kubernetes/list")
    body["items"].append({"involvedObject": {"kind": "Pod"}, "reason": "BackOff", "type": "Warning"})
    body["items"].append({"involvedObject": {"kind": "Pod", "name": "x"}, "reason": "BackOff"})
    body["items"].append({"kind": "Pod", "metadata": {}})
    body["items"].append({"message": "no object"})
    parsed = parse(body, "kubernetes")
    assert [alert.name for alert in parsed.alerts] == ["ProvisioningFailed"]
    assert [(refusal.index, refusal.reason) for refusal in parsed.refusals] == [
        (2, Reason.MISSING_IDENTITY),
        (3, Reason.MISSING_FIELD),
        (5, Reason.MISSING_FIELD),
    ]
    assert "Pulled" in parsed.reason
    assert "kind Pod" in parsed.reason


def test_events_of_flux_are_not_taken_for_kubernetes_own() -> None:
    assert detect(sample("kubernetes/warning"), {}) is ADAPTERS["kubernetes"]
    assert not ADAPTERS["kubernetes"].recognises(sample("kubernetes/warning") | {"severity": "error"}, {})
