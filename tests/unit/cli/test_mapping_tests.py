"""Tests beside mappings: what holds, what is said of one that does not, and the commands that run them."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ingest.adapters.registry import ADAPTERS
from kernel.config.load import load
from stormfold.cli import source as source_command
from stormfold.mapping_tests import run_tests
from tests.unit.cli.test_app import stormfold

SHOP = """\
sources:
  shop:
    mapping:
      match: check
      identity: {check: check}
      name: check
      status: {from: state, firing: [down], resolved: [up]}
"""
HOLDS = """\
- name: down
  source: shop
  payload: {check: disk, state: down}
  expect:
    outcome: alerts
    reason: severity missing
    alerts:
      - {status: firing, severity: medium, name: disk, service: null, starts_at: null, labels: {}}
- name: up
  source: shop
  payload: '{"check": "disk", "state": "up"}'
  same_as: down
  expect: {alerts: [{status: resolved, same_as: down}]}
- name: found by itself
  source: auto
  file: other.json
  headers: {X-Kind: page}
  expect: {source: shop, changes: [], alerts: [{name: cpu}]}
"""


def written(directory: Path, tests: str, config: str = SHOP) -> Path:
    (directory / "shop.yaml").write_text(config)
    (directory / "shop_test.yaml").write_text(textwrap.dedent(tests))
    (directory / "other.json").write_text('{"check": "cpu", "state": "down"}')
    return directory


def said(directory: Path, tests: str) -> list[str]:
    """The problems of these tests."""
    written(directory, tests)
    config = load(directory, {}, adapters=ADAPTERS).config
    return [str(problem) for result in run_tests(directory, config) for problem in result.problems]


def test_what_holds(tmp_path: Path) -> None:
    assert said(tmp_path, HOLDS) == []
    results = list(run_tests(tmp_path, load(tmp_path, {}, adapters=ADAPTERS).config))
    assert [(result.name, str(result.place)) for result in results] == [
        ("down", "shop_test.yaml:1"), ("up", "shop_test.yaml:9"), ("found by itself", "shop_test.yaml:14"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("status: firing", "status: resolved", "8: down: alerts[0].status should be 'resolved', but is 'firing'"),
        ("outcome: alerts", "outcome: ignored", "5: down: outcome should be 'ignored', but is 'alerts'"),
        ("severity missing", "something else", "6: down: reason should be 'something else', but is 'severity missing"),
        ("labels: {}", "labels: {host: a}", "8: down: alerts[0].labels should be {'host': 'a'}, but is {'host': None}"),
        ("name: cpu", "name: 5", "18: found by itself: alerts[0].name should be 5, but is 'cpu'"),
        ("source: shop, changes", "source: grafana, changes", "18: found by itself: source should be 'grafana'"),
        ("changes: []", "changes: [{}]", "18: found by itself: changes should be 1, but are 0"),
        ("alerts: [{name: cpu}]", "alerts: none", "18: found by itself: alerts should be none, but are 1"),
        ("alerts: [{name: cpu}]", "alerts: [cpu]", "18: alerts[0] is no mapping"),
        ("same_as: down\n", "same_as: found by itself\n", "12: there is no case 'found by itself' before this one"),
        ("same_as: down}", "same_as: dwon}", "13: there is no case 'dwon' before this one; did you mean 'down'?"),
        ('"disk", "state": "up"', '"cpu", "state": "up"', "12: up: its alerts are not those of 'down'"),
        ('"disk", "state": "up"', '"cpu", "state": "up"', "13: up: alerts[0] is none of those of 'down'"),
        ("state: down}", "state: dancing}", "8: down: alerts should be 1, but are 0 (alert 0: wrong_type: the status"),
        ("name: up", "name: down", "9: there are two cases 'down'"),
        ("  source: auto\n", "", "14: the case lacks 'source'"),
        ("source: auto", "source: shpo", "15: there is no source or adapter 'shpo'"),
        ("source: auto", "source: [auto]", "15: source is no text"),
        ("file: other.json", "file: another.json", "16: the payload cannot be read: No such file or directory"),
        ("  file: other.json\n", "", "14: a case has one payload"),
        ("file: other.json", "file: other.json\n  payload: {}", "14: a case has one payload"),
        ("headers: {X-Kind: page}", "headers: page", "17: headers is no mapping"),
        ("headers: {X-Kind", "header: {X-Kind", "17: a case has no field 'header'; did you mean 'headers'?"),
        ("outcome: alerts", "outcom: alerts", "5: expect has no field 'outcom'; did you mean 'outcome'?"),
        ("outcome: alerts", "outcome: alerts\n    outcome: alerts", "6: expect has 'outcome' twice"),
        ("name: disk", "nmae: disk", "8: alerts[0] has no field 'nmae'; did you mean 'name'?"),
        ("expect: {source: shop, changes: [], alerts: [{name: cpu}]}", "expect: {}", "18: the case expects nothing"),
        ("expect: {source: shop, changes: [], alerts: [{name: cpu}]}", "expect: [alerts]", "18: expect is no mapping"),
        ("{check: disk, state: down}", "{check: !shop disk}", "1: this is no JSON value: "),
        ("{check: disk, state: down}", "&a {check: *a}", "1: this is no JSON value: "),
    ],
)  # fmt: skip
def test_what_does_not_hold(tmp_path: Path, old: str, new: str, problem: str) -> None:
    text = HOLDS.replace(old, new, 1)
    assert text != HOLDS
    found = said(tmp_path, text)
    assert any(line.startswith(f"shop_test.yaml:{problem}") for line in found), found


@pytest.mark.parametrize("text", ["", "{}", "- [", "\x07", "sources: {}", "&a [*a]"])
def test_what_is_no_list_of_cases(tmp_path: Path, text: str) -> None:
    (problem, *_) = said(tmp_path, text)
    assert problem.startswith("shop_test.yaml:")


def test_check_runs_them(tmp_path: Path) -> None:
    done = stormfold("check", str(written(tmp_path, HOLDS)))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "3 tests of its sources hold"
    done = stormfold("check", str(written(tmp_path, HOLDS.replace("name: disk", "name: tape"))))
    assert (done.returncode, done.stdout) == (1, "")
    assert "shop_test.yaml:8: down: alerts[0].name should be 'tape', but is 'disk'" in done.stderr
    assert "1 problem in the tests" in done.stderr


def test_source_test_prints_them_one_a_line(tmp_path: Path) -> None:
    run = CliRunner()
    done = run.invoke(source_command.app, ["test", str(written(tmp_path, HOLDS))])
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "holds  shop_test.yaml:1  down",
        "holds  shop_test.yaml:9  up",
        "holds  shop_test.yaml:14  found by itself",
        "3 of 3 tests hold",
    ]
    written(tmp_path, HOLDS.replace("name: disk", "name: tape"))
    done = run.invoke(source_command.app, ["test", str(tmp_path)])
    assert done.exit_code == 1
    first, why, *_ = done.stdout.splitlines()
    assert first == "failed  shop_test.yaml:1  down"
    assert why.startswith("        shop_test.yaml:8: down: alerts[0].name should be 'tape', but is 'disk' (severity")
    assert done.stdout.splitlines()[-1] == "2 of 3 tests hold"


def test_source_test_without_tests_or_configuration_is_wrong_usage(tmp_path: Path) -> None:
    run = CliRunner()
    written(tmp_path, HOLDS)
    (tmp_path / "shop_test.yaml").unlink()
    done = run.invoke(source_command.app, ["test", str(tmp_path)])
    assert (done.exit_code, done.stdout) == (2, "")
    assert "there is no *_test.yaml in" in done.stderr
    written(tmp_path, HOLDS, SHOP.replace("match", "mtach"))
    done = run.invoke(source_command.app, ["test", str(tmp_path)])
    assert (done.exit_code, done.stdout) == (2, "")
    assert "shop.yaml:4:" in done.stderr


def test_source_try_reads_by_a_mapping(tmp_path: Path) -> None:
    written(tmp_path, HOLDS)
    for name in ("shop", "auto"):
        args = ["try", name, str(tmp_path / "other.json"), "--json", "--config", str(tmp_path)]
        done = CliRunner().invoke(source_command.app, args)
        assert done.exit_code == 0
        assert '"source": "shop", "outcome": "alerts"' in done.stdout
