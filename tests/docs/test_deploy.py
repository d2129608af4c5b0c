"""The image and the composition, as far as they can be checked without a container engine; the rules by promtool."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from kernel.config.settings import Settings
from kernel.telemetry.metrics import Metrics
from stormfold.cli.settings import read_settings
from stormfold.compose import ROLES

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
RULES = ROOT / "deploy" / "prometheus" / "rules" / "stormfold.yml"
RULES_TEST = ROOT / "deploy" / "prometheus" / "stormfold_test.yml"
SETTINGS = {f"STORMFOLD_{name.upper()}" for name in Settings.model_fields}


def ours() -> dict[str, dict[str, Any]]:
    return {name: service for name, service in SERVICES.items() if service["image"] == "stormfold:local"}


# --- docker-compose.yml


def test_every_role_runs_once() -> None:
    commands = {name: service["command"] for name, service in ours().items()}
    assert commands.pop("topics") == ["topics", "apply"]
    assert commands == {role: ["up", "--roles", role] for role in ROLES}


def test_every_variable_is_a_setting() -> None:
    example = (ROOT / "deploy" / "stormfold.env.example").read_text(encoding="utf-8")
    texts = [DOCKERFILE, example, *(str(service["environment"]) for service in ours().values())]
    used = {name for text in texts for name in re.findall(r"\bSTORMFOLD_[A-Z_]+", text)}
    assert used <= SETTINGS
    assert {"STORMFOLD_KAFKA", "STORMFOLD_REDIS", "STORMFOLD_OPERATOR_TOKEN", "STORMFOLD_HOST"} <= used


def test_the_values_are_valid_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SERVICES["ingest"]["environment"].items():
        monkeypatch.setenv(name, value)
    settings = read_settings()
    assert settings.kafka == "kafka:9092"
    assert settings.shards == 64


def test_no_secret_is_written_down() -> None:
    for line in (ROOT / "deploy" / "stormfold.env.example").read_text(encoding="utf-8").splitlines():
        assert line.startswith("#") or not line or line.endswith("="), line
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert "deploy/stormfold.env" in ignored


def test_whatever_is_mounted_or_waited_for_exists() -> None:
    for name, service in SERVICES.items():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert (ROOT / source).is_dir() if source.startswith("./") else source in COMPOSE["volumes"], (name, volume)
        for other, how in service.get("depends_on", {}).items():
            assert other in SERVICES
            if how["condition"] == "service_healthy":
                assert "test" in SERVICES[other]["healthcheck"], (name, other)


def test_everything_that_lives_on_is_watched_and_restarted() -> None:
    for name, service in SERVICES.items():
        if name == "topics":
            assert service["restart"] == "no"
            continue
        assert service["restart"] == "unless-stopped", name
        # The roles' is the image's own.
        assert "healthcheck" in service or (name in ours() and "HEALTHCHECK" in DOCKERFILE), name


def test_the_ports_are_those_of_this_machine_only() -> None:
    for service in SERVICES.values():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:")


def test_the_broker_is_the_one_that_the_tests_run() -> None:
    pom = ET.fromstring((ROOT / "tests" / "pom.xml").read_text(encoding="utf-8"))
    (version,) = [node.text for node in pom.iter() if node.tag.endswith("kafka.version")]
    assert SERVICES["kafka"]["image"] == f"apache/kafka:${{KAFKA_VERSION:-{version}}}"


def test_prometheus_scrapes_every_role() -> None:
    config = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    (job,) = config["scrape_configs"]
    assert job["job_name"] == "stormfold"
    targets = {group["labels"]["role"]: group["targets"] for group in job["static_configs"]}
    assert targets == {role: [f"{role}:8080"] for role in ROLES}
    assert set(targets) <= set(SERVICES)


# --- the image


def test_everything_that_the_image_copies_exists_and_is_sent_to_the_engine() -> None:
    wanted = [
        name for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE) for name in line.split()[:-1]
    ]
    assert wanted
    sent = {
        line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line.startswith("!")
    }
    for name in wanted:
        assert (ROOT / name).exists(), name
        assert name in sent or name.split("/")[0] in sent, name


def test_the_image_holds_every_package_of_the_wheel() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    for package in project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]:
        assert f"COPY {package} {package}\n" in DOCKERFILE


def test_the_image_runs_as_nobody_in_particular_and_says_whether_it_lives() -> None:
    final = DOCKERFILE.rsplit("\nFROM ", 1)[1]
    assert re.search(r"^USER 10001:10001$", final, re.MULTILINE)
    assert "/healthz" in final.split("HEALTHCHECK", 1)[1]
    assert 'ENTRYPOINT ["stormfold"]' in final
    assert all("--require-hashes" in line for line in re.findall(r"pip install .*-r .*", DOCKERFILE))


def test_the_images_packages_are_those_of_the_lock_without_tools() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    made = subprocess.run(
        [sys.executable, "deploy/runtime_lock.py", "requirements.lock", "pyproject.toml"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    names = set(re.findall(r"^([A-Za-z0-9._-]+)==", made, re.MULTILINE))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    direct = {canonicalize_name(Requirement(text).name) for text in project["dependencies"]}
    tools = {canonicalize_name(Requirement(text).name) for text in project["optional-dependencies"]["dev"]}
    assert direct <= names
    assert not tools & names
    assert set(made.splitlines()) <= set(lock.splitlines())
    assert made.count("--hash=sha256:") >= len(names)


# --- the rules


def alerts() -> dict[str, dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def test_every_metric_in_the_rules_exists_with_its_labels() -> None:
    metrics = Metrics(["prometheus"])
    known: dict[str, set[str]] = {}
    for name, metric in metrics.all().items():
        labels = set(metric._labelnames)
        known[f"stormfold_{name}"] = labels
        known[f"stormfold_{name}_bucket"] = labels | {"le"}
    for alert, rule in alerts().items():
        used = re.findall(r"\b(stormfold_[a-z_]+)(?:\{([^}]*)\})?", rule["expr"])
        assert used or "up{" in rule["expr"], alert
        for name, matchers in used:
            assert name in known, f"{alert}: there is no metric {name}"
            for label in re.findall(r"([a-z]+)\s*(?:=~|!~|!=|=)", matchers):
                assert label in known[name], f"{alert}: {name} has no label {label}"
        for text in (rule["annotations"]["summary"], rule["annotations"]["description"]):
            for name in re.findall(r"\bstormfold_[a-z_]+", text):
                assert name in known, f"{alert}: {name}"


def test_every_rule_says_what_to_do() -> None:
    for alert, rule in alerts().items():
        assert rule["labels"]["severity"] in ("critical", "high", "medium"), alert
        assert rule["annotations"]["summary"], alert
        assert "docs/operations.md" in rule["annotations"]["description"], alert


def test_every_rule_has_a_case_in_which_it_fires() -> None:
    groups = yaml.safe_load(RULES_TEST.read_text(encoding="utf-8"))["tests"]
    fired = {
        name
        for group in groups
        for case in group["promql_expr_test"]
        for sample in case["exp_samples"]
        for name in re.findall(r'alertname="(\w+)"', sample["labels"])
    }
    assert fired == set(alerts())


def promtool(*arguments: str, inside: Path) -> None:
    found = shutil.which("promtool", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/bin")
    if found is None:
        text = "promtool is not here: it comes with the package prometheus (apt-get install prometheus)"
        if os.environ.get("CI") == "true":
            pytest.fail(f"{text} (with CI=true nothing may be skipped)", pytrace=False)
        pytest.skip(text)
    done = subprocess.run([found, *arguments], cwd=inside, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.real
@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "config", "prometheus.yml"),
        ("check", "rules", "rules/stormfold.yml"),
        ("test", "rules", "stormfold_test.yml"),
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_promtool_agrees(arguments: tuple[str, ...]) -> None:
    promtool(*arguments, inside=ROOT / "deploy" / "prometheus")
