"""What each real payload of flux is."""

from __future__ import annotations

from tests.corpus.rows import Changed, Row, Seen, Table

_OBJECT = {"kind": "Kustomization", "namespace": "apps", "name": "webapp"}


def _reconciled(outcome: str, when: str, revision: str) -> Changed:
    identity = {**_OBJECT, "revision": revision}
    return Changed(
        identity, "reconciliation", "Kustomization webapp", outcome, "webapp", "apps", None, when, revision
    )  # fmt: skip


def _canary(outcome: str, when: str) -> Changed:
    identity = {"namespace": "default", "canary": "podinfo"}
    return Changed(identity, "canary", "canary podinfo", outcome, "podinfo", "default", None, when)


TABLE = Table(
    "flux",
    (
        Row(
            "flux/kustomization_validation_failed.json",
            "flux",
            "alerts",
            (Seen(_OBJECT, "Kustomization webapp fails", "firing", "high", "webapp", "2022-10-28T07:26:19Z"),),
            changes=(_reconciled("failed", "2022-10-28T07:26:19Z", "main/731f7eaddfb6af01cb2173e18f0f75b0ba780ef1"),),
        ),
        Row(
            "flux/kustomization_reconciliation_succeeded.json",
            "flux",
            "alerts",
            (
                Seen(
                    _OBJECT,
                    "Kustomization webapp fails",
                    "resolved",
                    "high",
                    "webapp",
                    ends="2022-10-28T07:36:19Z",
                ),
            ),
            changes=(
                _reconciled("succeeded", "2022-10-28T07:36:19Z", "main/8a1c7eaddfb6af01cb2173e18f0f75b0ba780a22"),
            ),
        ),
        Row(
            "flux/flagger_canary_new_revision.json",
            "flux",
            "changes",
            changes=(_canary("started", "2020-01-09T22:07:15.167Z"),),
        ),
        Row(
            "flux/flagger_canary_rollback.json",
            "flux",
            "changes",
            changes=(_canary("failed", "2020-01-09T22:13:55.167Z"),),
        ),
        Row("flux/flagger_hook_payload.json", "flux", "ignored", says="asks a webhook of an analysis"),
    ),
    (("flux/kustomization_validation_failed.json", "flux/kustomization_reconciliation_succeeded.json"),),
)
