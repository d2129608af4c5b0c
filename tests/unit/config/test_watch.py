"""Reload: what takes over, what never does, and what the hash is over."""

import asyncio
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.clock import SystemClock
from kernel.config.load import ConfigError, snapshot
from kernel.config.watch import Watched
from kernel.telemetry.metrics import Metrics

Files = dict[str, bytes]

BASE: Files = {"base.yaml": b"sources: {generic: {}}\n"}


def with_rules(content: bytes) -> Files:
    return {**BASE, "rules.yaml": content}


GOOD = st.integers(1, 50).map(lambda n: with_rules(f"rules:\n- name: rule {n}\n".encode()))
BROKEN = st.one_of(
    st.sampled_from(
        [
            b"rules:\n- name: x\n  size: 0\n",
            b"rules:\n- window: 5m\n",
            b"rulez: []\n",
            b"rules: [",
            b"rules:\n- name: x\n  team: nobody\n",
            b"sources: {generic: {}}\n",
            b"correlation: {domain: [env]}\n",
            b"correlation: {default_tenant: other}\n",
            b"\xff\xfe",
        ]
    ).map(with_rules),
    st.binary(max_size=40).map(lambda junk: with_rules(b"\x00" + junk)),
    st.sampled_from(
        [
            {},
            {"base.yaml": b"sources: {generic: {identity: [name]}}"},
            {"base.yaml": b"sources: {generic: {adapter: prometheus}}"},
            {"base.yaml": b"sources: {generic: {tenant: other}}"},
        ]
    ),
)


def fill(directory: Path, files: Files) -> None:
    for old in directory.iterdir():
        old.unlink()
    for name, content in files.items():
        (directory / name).write_bytes(content)


def watched(directory: Path, allow: Callable[[str], bool] | None = None) -> tuple[Watched, Metrics]:
    metrics = Metrics()
    if allow is None:
        return Watched(directory, {}, SystemClock(), metrics), metrics
    return Watched(directory, {}, SystemClock(), metrics, allow_identity_change=allow), metrics


def successful(metrics: Metrics) -> float | None:
    return metrics.registry.get_sample_value("stormfold_config_last_reload_successful")


@settings(max_examples=60, deadline=None)
@given(
    states=st.lists(st.one_of(st.tuples(st.just(True), GOOD), st.tuples(st.just(False), BROKEN)), max_size=8),
    force=st.booleans(),
)
def test_a_broken_directory_never_replaces_a_good_one(states: list[tuple[bool, Files]], force: bool) -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        fill(directory, with_rules(b"rules: [{name: first}]"))
        watch, metrics = watched(directory)
        told: list[str] = []
        watch.subscribe(lambda loaded: told.append(loaded.hash))
        in_use, expected = watch.current, []
        for good, files in states:
            fill(directory, files)
            took = watch.look(force)
            assert took == (good and snapshot(directory).hash != in_use.hash)
            if took:
                in_use = watch.current
                expected.append(in_use.hash)
                assert in_use.hash == snapshot(directory).hash
                assert f"name: {watch.config.rules[0].name}\n".encode() in files["rules.yaml"]
            assert watch.current is in_use
            assert successful(metrics) == float(good)
        assert told == expected


def test_the_first_configuration_must_be_good(tmp_path: Path) -> None:
    fill(tmp_path, with_rules(b"rules: ["))
    with pytest.raises(ConfigError):
        watched(tmp_path)


def test_identity_may_change_once_no_alert_of_the_source_is_open(tmp_path: Path) -> None:
    fill(tmp_path, BASE)
    open_sources = {"generic"}
    watch, metrics = watched(tmp_path, lambda source: source not in open_sources)
    fill(tmp_path, {"base.yaml": b"sources: {generic: {identity: [name]}}"})
    assert not watch.look()
    assert successful(metrics) == 0
    open_sources.clear()
    assert watch.look(), "what was refused is looked at again although no file changed"
    assert watch.config.sources["generic"].identity == ("name",)
    assert successful(metrics) == 1


def test_other_fields_of_a_source_may_change_at_any_time(tmp_path: Path) -> None:
    fill(tmp_path, BASE)
    watch, _ = watched(tmp_path)
    fill(tmp_path, {"base.yaml": b"sources: {generic: {repeat_interval: 4h}, grafana: {identity: [x]}}"})
    assert watch.look()


def test_the_metrics_follow(tmp_path: Path) -> None:
    fill(tmp_path, BASE)
    watch, metrics = watched(tmp_path)
    assert metrics.source("grafana") == "other"
    fill(tmp_path, {"base.yaml": b"sources: {grafana: {}}"})
    assert watch.look()
    assert metrics.source("grafana") == "grafana"
    assert metrics.registry.get_sample_value("stormfold_config_hash") == int(watch.current.hash[:12], 16)


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not happen within 5 seconds")


async def test_the_watch_sees_a_change_by_itself(tmp_path: Path) -> None:
    fill(tmp_path, BASE)
    watch, metrics = watched(tmp_path)
    task = asyncio.create_task(watch.watch(every=0.01))
    fill(tmp_path, with_rules(b"rules: ["))
    await until(lambda: successful(metrics) == 0)
    fill(tmp_path, with_rules(b"rules: [{name: new}]"))
    await until(lambda: bool(watch.config.rules))
    assert successful(metrics) == 1
    task.cancel()


async def test_a_request_looks_at_once_and_reads_secrets_again(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("old")
    (tmp_path / "a.yaml").write_text("sources: {generic: {token: {file: token}}}")
    watch, _ = watched(tmp_path)
    task = asyncio.create_task(watch.watch(every=3_600))
    secret.write_text("new")

    def token() -> str:
        found = watch.config.sources["generic"].token
        assert found is not None
        return found.reveal()

    watch.request()
    await until(lambda: token() == "new")
    task.cancel()


def test_the_hash_is_over_names_and_contents_alone(tmp_path: Path) -> None:
    fill(tmp_path, {"a.yaml": b"x", "b.yaml": b"y"})
    first = snapshot(tmp_path).hash
    os.utime(tmp_path / "a.yaml", (1, 1))
    (tmp_path / "a.yaml").chmod(0o600)
    (tmp_path / "c_test.yaml").write_text("z")
    (tmp_path / "notes.md").write_text("z")
    assert snapshot(tmp_path).hash == first
    other = tmp_path / "elsewhere"
    other.mkdir()
    (other / "b.yaml").write_bytes(b"y")
    (other / "a.yaml").write_bytes(b"x")
    assert snapshot(other).hash == first
    for changed in ({"a.yaml": b"xy", "b.yaml": b""}, {"a.yaml": b"y", "b.yaml": b"x"}, {"a.yaml": b"x"}):
        fill(other, changed)
        assert snapshot(other).hash != first
    fill(other, {"a.yaml": b"x", "c.yaml": b"y"})
    assert snapshot(other).hash != first
