"""The example configuration: it can be used as it is, and does what its comments say."""

from pathlib import Path

import pytest

from correlator.rules import Rulebook
from ingest.adapters.registry import ADAPTERS
from kernel.config.check_proof import form_of
from kernel.config.load import load
from notifier.texts import check_template
from tests.scenarios.senders import ENVIRON, EXAMPLE, with_proofs

LOADED = load(EXAMPLE, {}, adapters=ADAPTERS, title=check_template)
RULES = Rulebook(LOADED.config)


def test_only_the_missing_tokens_are_warned_of() -> None:
    assert {"no token" in warning.what for warning in LOADED.warnings} == {True}
    assert len(LOADED.warnings) == len(LOADED.config.sources)


def test_what_it_holds() -> None:
    config = LOADED.config
    monitoring = {"prometheus", "alertmanager", "grafana", "datadog", "cloudwatch"}
    people = {"pagerduty", "opsgenie", "zendesk", "slack"}
    assert set(config.sources) == {*monitoring, *people, "github", "generic"}
    assert list(config.teams) == ["sre", "infrastructure", "dba", "payments", "platform"]
    assert config.priority.business_hours is None
    assert all(service.team for service in config.services.values())


def test_the_sources_with_a_proof_in_its_comment_are_right(tmp_path: Path) -> None:
    config = load(with_proofs(tmp_path), ENVIRON, adapters=ADAPTERS, title=check_template).config
    assert set(config.sources) == {*LOADED.config.sources, "pagerduty-events", "opsgenie-api"}
    assert config.sources["slack"].channels == LOADED.config.sources["slack"].channels
    proven = {name: form_of(source.proof) for name, source in config.sources.items() if source.proof is not None}
    assert proven == {
        "pagerduty": "pagerduty",
        "opsgenie": "header",
        "zendesk": "zendesk",
        "slack": "slack",
        "github": "github",
        "pagerduty-events": "routing-key",
        "opsgenie-api": "routing-key",
    }
    secrets = {secret.reveal() for source in config.sources.values() for secret in getattr(source.proof, "secrets", ())}
    assert secrets == set(ENVIRON.values())


@pytest.mark.parametrize(
    ("labels", "rule", "group"),
    [
        ({"name": "The shop is down"}, "site down", {"site": "", "env": ""}),
        ({"name": "Website unreachable from 5 locations", "site": "eu"}, "site down", {"site": "eu", "env": ""}),
        ({"name": "NetworkOutage", "region": "r1"}, "network or region", {"region": "r1", "env": ""}),
        (
            {"name": "InterfaceLinkDown", "region": "r1", "service": "api"},
            "network or region",
            {"region": "r1", "env": ""},
        ),
        ({"name": "PostgresReplicaLag", "cluster": "orders"}, "database cluster", {"cluster": "orders", "env": ""}),
        ({"name": "PostgresReplicaLag", "service": "cart"}, "service", {"service": "cart", "env": ""}),
        (
            {"name": "KubeDeploymentReplicasMismatch", "service": "cart"},
            "failed deployment",
            {"service": "cart", "namespace": "", "env": ""},
        ),
        (
            {"name": "HighErrorRate", "service": "checkout", "env": "prod"},
            "service",
            {"service": "checkout", "env": "prod"},
        ),
        ({"name": "HighCpu", "instance": "a:9100"}, "host", {"instance": "a:9100", "env": ""}),
        ({"name": "Misaligned button"}, "everything else", {"name": "Misaligned button", "env": ""}),
        ({"name": "CompositeCheckDown"}, "everything else", {"name": "CompositeCheckDown", "env": ""}),
    ],
)
def test_which_rule_takes_what(labels: dict[str, str], rule: str, group: dict[str, str]) -> None:
    placing = RULES.place(labels, ("default",))
    assert (placing.rule.name, placing.group) == (rule, group)
