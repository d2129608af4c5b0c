"""The metrics of a process: names, labels, what promtool thinks of them."""

import shutil
import subprocess

import pytest

from kernel.telemetry.metrics import OUTCOMES, Metrics


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_promtool_has_nothing_to_say() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian: apt-get install prometheus)")
    metrics = Metrics(["prometheus", "datadog"], version="1.2.3")
    metrics.alerts_total.labels("prometheus", "repeat").inc(3)
    metrics.batch_seconds.labels("ingest").observe(0.02)
    metrics.config_taken("ab" * 32, 1_763_870_000_000)
    done = subprocess.run([promtool, "check", "metrics"], input=metrics.render(), capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_the_attribute_is_the_name_without_the_prefix() -> None:
    metrics = Metrics()
    names = {family.name for family in metrics.registry.collect()}
    for attribute in metrics.all():
        assert f"stormfold_{attribute.removesuffix('_total')}" in names
    assert len(metrics.all()) == len([name for name in names if name.startswith("stormfold_")])


def test_every_metric_says_what_to_do() -> None:
    for family in Metrics().registry.collect():
        if family.name.startswith("stormfold_"):
            assert len(family.documentation) > 60, family.name


def test_the_label_source_is_bounded_by_the_configuration() -> None:
    metrics = Metrics(["prometheus"])
    assert metrics.source("prometheus") == "prometheus"
    assert metrics.source("made-up-by-a-sender") == "other"
    assert metrics.source(None) == "other"
    metrics.set_sources(["grafana"])
    assert metrics.source("grafana") == "grafana"
    assert metrics.source("prometheus") == "other"


def test_known_children_exist_before_the_first_event() -> None:
    metrics = Metrics(["prometheus"])
    for outcome in OUTCOMES:
        assert value(metrics, "stormfold_alerts_total", source="prometheus", outcome=outcome) == 0
    assert value(metrics, "stormfold_incidents", priority="P1", status="open") == 0


def test_the_suppression_ratio_follows_the_outcomes() -> None:
    metrics = Metrics(["a", "b"])
    assert value(metrics, "stormfold_suppression_ratio") == 0
    metrics.alerts_total.labels("a", "first_sight").inc(1)
    metrics.alerts_total.labels("a", "repeat").inc(5)
    metrics.alerts_total.labels("b", "older").inc(1)
    metrics.alerts_total.labels("b", "lease_expired").inc(1)
    assert value(metrics, "stormfold_suppression_ratio") == 7 / 8


def test_two_processes_share_nothing() -> None:
    one, two = Metrics(["a"]), Metrics(["a"])
    one.alerts_total.labels("a", "dead").inc()
    assert value(two, "stormfold_alerts_total", source="a", outcome="dead") == 0


def test_the_configuration_in_use_is_visible() -> None:
    metrics = Metrics()
    metrics.config_taken("0000000000ff" + "0" * 52, 5_000)
    assert value(metrics, "stormfold_config_hash") == 255
    assert value(metrics, "stormfold_config_last_reload_success_timestamp_seconds") == 5
    metrics.config_refused()
    assert value(metrics, "stormfold_config_last_reload_successful") == 0
    assert value(metrics, "stormfold_config_hash") == 255


def test_no_created_series() -> None:
    assert b"_created" not in Metrics(["a"]).render()
