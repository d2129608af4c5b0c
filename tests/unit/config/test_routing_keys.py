"""Sources that are told by routing keys, and the weight of a source's share: what is said of a wrong configuration."""

from pathlib import Path

import pytest

from kernel.config.load import ConfigError, load
from kernel.config.proof import RoutingKeyProof

ADAPTERS = ("pagerduty", "opsgenie", "generic")
ENVIRON = {"A": "a" * 32, "B": "b" * 32, "SHORT": "abc", "UUID": "0d9c1c5e-52b1-4d66-9a0e-6f3b8a4f2c11"}


def problems(tmp_path: Path, text: str) -> str:
    """All that is wrong with this configuration, in one text."""
    (tmp_path / "a.yaml").write_text(text)
    try:
        load(tmp_path, ENVIRON, adapters=ADAPTERS)
    except ConfigError as error:
        return str(error)
    return ""


def source(name: str, adapter: str, *keys: str, more: str = "") -> str:
    """A source of routing keys."""
    secrets = ", ".join(f"{{env: {key}}}" for key in keys)
    return f"  {name}: {{adapter: {adapter}, proof: {{type: routing-key, secrets: [{secrets}]}}{more}}}\n"


def test_a_good_one(tmp_path: Path) -> None:
    text = (
        "sources:\n" + source("pages", "pagerduty", "A", "B", more=", share: 5") + source("genie", "opsgenie", "UUID")
    )
    (tmp_path / "a.yaml").write_text(text)
    config = load(tmp_path, ENVIRON, adapters=ADAPTERS).config
    assert isinstance(config.sources["pages"].proof, RoutingKeyProof)
    assert config.sources["pages"].share == 5


@pytest.mark.parametrize(
    ("text", "telling"),
    [
        (source("x", "generic", "A"), "the adapter 'generic' has none"),
        (source("x", "pagerduty", "SHORT"), "the routing key in env:SHORT is not one of PagerDuty's form"),
        (source("x", "pagerduty"), "no secret is named"),
        (source("x", "pagerduty", "A") + source("y", "pagerduty", "B", "A"), "'x' has the same routing key"),
        (source("x", "pagerduty", "A", more=", share: 0"), "share is 0"),
        (source("x", "pagerduty", "A", more=", share: 101"), "share is 101"),
    ],
)
def test_what_is_wrong(tmp_path: Path, text: str, telling: str) -> None:
    said = problems(tmp_path, "sources:\n" + text)
    assert telling in said
    assert not any(key in said for key in ENVIRON.values())


def test_the_same_key_at_two_vendors_is_no_problem(tmp_path: Path) -> None:
    assert problems(tmp_path, "sources:\n" + source("x", "pagerduty", "A") + source("y", "opsgenie", "A")) == ""
