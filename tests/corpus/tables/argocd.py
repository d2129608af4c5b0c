"""What each real payload of argocd is."""

from __future__ import annotations

from tests.corpus.rows import Changed, Row, Seen, Table

_APP = {"namespace": "argocd", "application": "checkout"}
_REVISION = "9f2c1e7b6a5d4c3b2a1908f7e6d5c4b3a2918070"
_UNHEALTHY = Seen(_APP, "checkout is unhealthy", "firing", "medium", "checkout")


def _synced(outcome: str) -> Changed:
    identity = {**_APP, "revision": _REVISION}
    when = "2025-08-12T09:25:02Z"
    return Changed(identity, "sync", "sync checkout", outcome, "checkout", "checkout", None, when, _REVISION)


def _status(outcome: str) -> Changed:
    target = "https://argocd.example.com/applications/checkout"
    identity = {"context": "continuous-delivery/checkout", "target": target}
    return Changed(identity, "sync", "sync checkout", outcome, "checkout", link=target)


TABLE = Table(
    "argocd",
    (
        Row("argocd/app_sync_succeeded.json", "argocd", "changes", changes=(_synced("succeeded"),)),
        # Health and sync are two things: one body may be a change and an alert.
        Row("argocd/app_sync_failed.json", "argocd", "alerts", (_UNHEALTHY,), changes=(_synced("failed"),)),
        Row("argocd/app_health_degraded.json", "argocd", "alerts", (_UNHEALTHY,), changes=(_synced("succeeded"),)),
        Row("argocd/commit_status_pending.json", "argocd", "changes", changes=(_status("started"),)),
        Row("argocd/commit_status_success.json", "argocd", "changes", changes=(_status("succeeded"),)),
        Row("argocd/commit_status_error.json", "argocd", "changes", changes=(_status("failed"),), says="no revision"),
    ),
)
