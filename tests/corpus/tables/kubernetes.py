"""What each real payload of kubernetes is."""

from __future__ import annotations

from tests.corpus.rows import Changed, Row, Seen, Table


def _unhealthy(pod: str, container: str, starts: str) -> Seen:
    identity = {
        "kind": "Pod",
        "namespace": "kube-system",
        "name": pod,
        "part": f"spec.containers{{{container}}}",
        "reason": "Unhealthy",
    }
    return Seen(identity, "Unhealthy", "firing", "medium", starts=starts)


TABLE = Table(
    "kubernetes",
    (
        Row(
            "kubernetes/event_unhealthy_liveness.json",
            "kubernetes",
            "alerts",
            (
                _unhealthy(
                    "kubernetes-dashboard-556b9ff8f8-gf6lg",
                    "kubernetes-dashboard",
                    "2020-10-12T08:51:05Z",
                ),
            ),
        ),
        Row(
            "kubernetes/event_unhealthy_readiness_count10.json",
            "kubernetes",
            "alerts",
            (_unhealthy("metrics-server-668d979685-r9nwb", "metrics-server", "2023-05-19T03:24:15Z"),),
        ),
        Row(
            "kubernetes/event_normal_started.json",
            "kubernetes",
            "ignored",
            says="Normal event Started of Pod busybox",
            detected="kubernetes",
        ),
        Row(
            "kubernetes/event_node_starting_kubelet.json",
            "kubernetes",
            "ignored",
            says="Normal event Starting of Node",
            detected="kubernetes",
        ),
        # The condition Progressing, which alone has a time of this rollout, was renewed three seconds after the
        # restart that the template's annotation tells of; that the Deployment is unavailable since is another matter.
        Row(
            "kubernetes/deployment_change_object.json",
            "kubernetes",
            "changes",
            changes=(
                Changed(
                    {"kind": "Deployment", "namespace": "default", "name": "xxx-deployment", "revision": "24"},
                    "rollout",
                    "rollout xxx-deployment",
                    "succeeded",
                    "xxx",
                    "default",
                    None,
                    "2024-02-20T15:05:32Z",
                    "24",
                ),
            ),
        ),
    ),
)
