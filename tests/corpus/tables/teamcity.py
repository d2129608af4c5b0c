"""What each real payload of teamcity is: a build configuration fires while its builds fail, and is over when fixed."""

from __future__ import annotations

from tests.corpus.rows import Row, Seen, Table

_BUILD = {"server": "http://teamcity", "configuration": "Project_Compile"}


def _build(status: str) -> Seen:
    return Seen(_BUILD, "Project :: Compile", status, "medium")


TABLE = Table(
    "teamcity",
    (
        Row("teamcity/build_broken.json", "teamcity", "alerts", (_build("firing"),)),
        Row("teamcity/build_failure.json", "teamcity", "alerts", (_build("firing"),)),
        Row("teamcity/build_fixed.json", "teamcity", "alerts", (_build("resolved"),)),
    ),
    (
        ("teamcity/build_broken.json", "teamcity/build_fixed.json"),
        ("teamcity/build_failure.json", "teamcity/build_fixed.json"),
    ),
    mapped=True,
)
