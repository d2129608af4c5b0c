"""What each real payload of netlify is."""

from __future__ import annotations

from tests.corpus.rows import Changed, Row, Table

_FIRST = {"site": "573f11b2-f5f3-481f-a1f8-85feb457ff49", "deploy": "5b78192ac9659217dbf7c9aa"}
_SECOND = {"site": "6f2ad239-fce7-4b54-81fe-873d4fcf5c78", "deploy": "5b64d77c02ed83730664c2f6"}
_NAME = "objective-jepsen-35fbb2"


def _deployed(identity: dict[str, str], outcome: str, when: str) -> Changed:
    name, link = f"deploy {_NAME} to production", f"https://app.netlify.com/sites/{_NAME}"
    return Changed(identity, "deployment", name, outcome, _NAME, "production", None, when, None, link)


TABLE = Table(
    "netlify",
    (
        Row(
            "netlify/deploy_building.json",
            "netlify",
            "changes",
            changes=(_deployed(_FIRST, "started", "2018-08-18T13:03:39.800Z"),),
        ),
        Row(
            "netlify/deploy_ready.json",
            "netlify",
            "changes",
            changes=(_deployed(_FIRST, "succeeded", "2018-08-18T13:03:44.609Z"),),
        ),
        Row(
            "netlify/deploy_failed.json",
            "netlify",
            "changes",
            changes=(_deployed(_SECOND, "failed", "2018-08-03T22:30:27.734Z"),),
        ),
    ),
    mapped=True,
)
