"""What each real payload of github is."""

from __future__ import annotations

from tests.corpus.rows import Changed, Row, Seen, Table

_REPO = "Codertocat/Hello-World"
_DEPLOY = {"repository": _REPO, "deployment": "145988746"}
_SHA = "f95f852bd8fca8fcc58a9a2d6c842781e32a215e"


def _deployed(outcome: str, when: str, where: str, who: str, link: str) -> Changed:
    name = f"deploy Hello-World to {where}"
    return Changed(_DEPLOY, "deployment", name, outcome, "Hello-World", where, who, when, _SHA, link)


_HOME = "https://github.com/Codertocat/Hello-World"

TABLE = Table(
    "github",
    (
        Row(
            "github/deployment_created_production.json",
            "github",
            "changes",
            changes=(_deployed("started", "2019-05-15T15:20:53Z", "production", "Codertocat", _HOME),),
        ),
        Row(
            "github/deployment_status_success_production.json",
            "github",
            "changes",
            changes=(_deployed("succeeded", "2019-05-15T15:20:55Z", "production", "Codertocat", _HOME),),
        ),
        Row(
            "github/deployment_status_failure_production.json",
            "github",
            "changes",
            changes=(_deployed("failed", "2019-05-15T15:20:55Z", "production", "Codertocat", _HOME),),
        ),
        Row(
            "github/deployment_status_in_progress_pages.json",
            "github",
            "changes",
            changes=(
                _deployed(
                    "started",
                    "2022-01-03T01:28:40Z",
                    "github-pages",
                    "github-pages[bot]",
                    "https://github.com/CorsixTH/CorsixTH/runs/4687056418?check_suite_focus=true",
                ),
            ),
        ),
        Row(
            "github/workflow_run_completed.json",
            "github",
            "changes",
            changes=(
                Changed(
                    {"repository": "octo-org/octo-repo", "run": "289782451", "attempt": "1"},
                    "workflow run",
                    "test",
                    "succeeded",
                    "octo-repo",
                    None,
                    "Codertocat",
                    "2020-10-05T16:33:49Z",
                    "3484a3fb816e0859fd6e1cea078d76385ff50625",
                    "https://github.com/octo-org/octo-repo/actions/runs/289782451",
                ),
            ),
        ),
        Row(
            "github/release_published.json",
            "github",
            "changes",
            changes=(
                Changed(
                    {"repository": _REPO, "release": "17372790"},
                    "release",
                    "Hello-World 0.0.1",
                    "succeeded",
                    "Hello-World",
                    None,
                    "Codertocat",
                    "2019-05-15T15:20:53Z",
                    "0.0.1",
                    "https://github.com/Codertocat/Hello-World/releases/tag/0.0.1",
                ),
            ),
        ),
        Row("github/check_run_completed.json", "github", "ignored", says="no change of a running system"),
        Row(
            "github/dependabot_alert_fixed.json",
            "github",
            "alerts",
            (
                Seen(
                    {"repository": "octocat/hello-world", "alert": "1"},
                    "Insertion of Sensitive Information into Log File in ansible",
                    "resolved",
                    "medium",
                    "hello-world",
                    "2022-06-14T15:21:52Z",
                    "2022-06-15T13:55:40Z",
                ),
            ),
        ),
    ),
)
