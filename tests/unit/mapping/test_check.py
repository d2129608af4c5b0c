"""What is said of a mapping that cannot make what it says it makes, and where."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from kernel.config.expressions import Expression, Language
from kernel.config.mapping import MappedKind
from kernel.model.alert import Severity, Status
from tests.unit.mapping.helpers import SHOP, config, problems

CHANGE = """
sources:
  shop:
    mapping:
      match: deploy
      kind: change
      identity: {deploy: deploy.id}
      name: deploy.name
      outcome: {from: deploy.state, succeeded: [ok]}
"""


def test_one_form_may_stand_without_its_list(tmp_path: Path) -> None:
    (form,) = config(tmp_path, SHOP).sources["shop"].mapping
    listed = SHOP.replace("match:", "- match:").replace("\n      identity", "\n        identity")
    for line in ("name", "status", "severity"):
        listed = listed.replace(f"\n      {line}:", f"\n        {line}:")
    assert config(tmp_path, listed).sources["shop"].mapping == (form,)
    assert form.kind is MappedKind.PROBLEM
    assert form.match == Expression("check && state")
    assert form.status is not None
    assert form.status.source == Expression("state")
    assert form.severity.map == {"sev-red": Severity.CRITICAL}


def test_every_way_to_write_an_expression(tmp_path: Path) -> None:
    text = SHOP.replace("name: check.name", 'name: {cel: "check.name"}\n      summary: {text: always this}')
    (form,) = config(tmp_path, text.replace("{from: state, firing: [down, slow], resolved: [Up], ignored: [paused]}",
                                            "{always: firing}")).sources["shop"].mapping  # fmt: skip
    assert form.name == Expression("check.name", Language.CEL)
    assert form.summary == Expression("always this", Language.TEXT)
    assert form.status is not None
    assert form.status.always is Status.FIRING


@pytest.mark.parametrize(
    ("old", "new", "line", "what"),
    [
        ("      match: check && state\n", "", 4, "sources.shop.mapping[0] lacks the field 'match'"),
        ("check && state", "check &&", 4, "'check &&' is not jmespath: "),
        ("check && state", '{cel: "check &&"}', 4, "'check &&' is not cel: "),
        ("check && state", "{lua: x}", 4, "is no expression; write JMESPath"),
        ("check && state", "[a]", 4, "is no expression"),
        ("check && state", "", 4, "is no expression"),
        ("name: check.name", "nmae: check.name", 6, "has no field 'nmae'; did you mean 'name'?"),
        ("      name: check.name\n", "", 4, "the mapping has no name"),
        ("      identity: {check: check.id}\n", "", 4, "nothing identifies an alert of this mapping"),
        ("{check: check.id}", "{}", 5, "nothing identifies an alert of this mapping"),
        ("{check: check.id}", "{check: 'upper(id)'}", 5, "there is no function upper()"),
        ("{from: state, firing: [down, slow], resolved: [Up], ignored: [paused]}", "{}", 7, "does not say its status"),
        ("firing: [down, slow], resolved: [Up], ignored: [paused]", "firing: []", 7, "status names no words"),
        ("from: state, firing", "from: state, always: firing, firing", 7, "status has always, and something beside it"),
        ("from: state, firing", "always: firing, firing", 7, "status has always, and something beside it"),
        ("[down, slow]", "down", 7, "write [down]"),
        ("[Up]", "[up, DOWN]", 7, "'DOWN' stands under firing and under resolved; keep one of them"),
        ("[Up]", "['']", 7, "a word is empty"),
        ("[Up]", "[1]", 7, "which YAML does not read as text; put it in quotes"),
        ("{sev-red: critical}", "{sev-red: red}", 8, "is 'red'; write one of: critical, high, info, low, medium"),
        ("from: level, map", "map", 8, "severity has a map and no from"),
        ("from: level, map", "always: low, map", 8, "severity has always, and something beside it"),
        ("name: check.name", "name: check.name\n      where: zone", 7, "what is mapped as problem has no where"),
        (
            "name: check.name",
            "name: check.name\n      kind: heartbeat",
            5,
            "what is mapped as heartbeat has no identity",
        ),
        ("name: check.name", "name: check.name\n      kind: ignored", 4, "what is ignored has no reason"),
        ("name: check.name", "name: check.name\n      kind: talk", 7, "is 'talk'; write one of: change"),
        ("name: check.name", "name: check.name\n      labels: {a b: c}", 7, "'a b' is not the name of a label"),
        ("    mapping:", "    adapter: generic\n    mapping:", 3, "the source has both an adapter and a mapping"),
        ("    mapping:", "    identity: [host]\n    mapping:", 3, "a mapping has an identity of its own"),
    ],
)
def test_one_problem(tmp_path: Path, old: str, new: str, line: int, what: str) -> None:
    text = SHOP.replace(old, new)
    assert text != SHOP
    found = problems(tmp_path, text)
    assert any(one.startswith(f"shop.yaml:{line}: ") and what in one for one in found), found


def test_a_change_has_its_own_fields(tmp_path: Path) -> None:
    assert config(tmp_path, CHANGE).sources["shop"].mapping[0].kind is MappedKind.CHANGE
    text = CHANGE.replace(
        "name: deploy.name", "name: deploy.name\n      status: {always: firing}\n      ends_at: deploy.end"
    )
    assert [line.partition(";")[0] for line in problems(tmp_path, text)] == [
        "shop.yaml:8: what is mapped as change has no status",
        "shop.yaml:9: what is mapped as change has no ends_at",
    ]
    without = CHANGE.replace("      outcome: {from: deploy.state, succeeded: [ok]}\n", "")
    assert "the mapping does not say its outcome" in problems(tmp_path, without)[0]


def test_every_form_is_checked_and_all_problems_are_said(tmp_path: Path) -> None:
    text = textwrap.dedent("""
        sources:
          shop:
            mapping:
              - match: a
                kind: ignored
                reason: a test
              - {match: "b[", kind: ignored, reason: x}
              - match: c
                kind: ignored
              - match: d
                kind: ignored
        """)
    assert [line.partition(": ")[0] for line in problems(tmp_path, text)] == [
        "shop.yaml:7", "shop.yaml:8", "shop.yaml:10",
    ]  # fmt: skip


def test_a_source_without_adapter_or_mapping_is_told_of_both(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, "sources: {shop: {}}")
    assert found.startswith("shop.yaml:1: the source 'shop' has no adapter 'shop'; ")
    assert "or write a mapping (docs/mappings.md)" in found
