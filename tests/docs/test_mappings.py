"""The guide to mappings: its example loads and its tests hold, and its tables name every field that there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ingest.adapters.registry import ADAPTERS
from kernel.config.cels import MAX_VALUES
from kernel.config.expressions import Expression, Language
from kernel.config.jmes import MAX_STEPS
from kernel.config.load import load
from kernel.config.mapping import MappedKind, MappingConfig
from stormfold.mapping_tests import run_tests

PAGE = (Path(__file__).parents[2] / "docs" / "mappings.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)

_NEEDED = PAGE.partition("Often needed:")[2].partition("\n## ")[0]
NEEDED = re.findall(r"^\| .*? \| `(.*)` \|$", _NEEDED, re.MULTILINE)


def test_the_example_and_its_tests_hold(tmp_path: Path) -> None:
    mapping, tests = EXAMPLES
    (tmp_path / "lighthouse.yaml").write_text(mapping)
    (tmp_path / "lighthouse_test.yaml").write_text(tests)
    results = list(run_tests(tmp_path, load(tmp_path, {}, adapters=ADAPTERS).config))
    assert len(results) == 4
    assert [problem for result in results for problem in result.problems] == []


def test_every_field_has_its_row() -> None:
    table = PAGE.partition("## Fields of a form")[2].partition("\n## ")[0]
    named = {name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    assert named == set(MappingConfig.__struct_fields__)
    for kind in MappedKind:
        assert f"`{kind}`" in table


@pytest.mark.parametrize("text", NEEDED)
def test_expressions_that_are_often_needed_compile(text: str) -> None:
    plain = text.replace("\\|", "|")
    if plain.startswith("{cel: "):
        Expression(plain.removeprefix('{cel: "').removesuffix('"}'), Language.CEL)
    elif plain.startswith("status: "):
        Expression(plain.partition('"')[2].partition('"')[0])
    else:
        Expression(plain)


def test_limits_are_those_that_there_are() -> None:
    assert f"at most {MAX_VALUES:,} values" in PAGE
    assert f"may take {MAX_STEPS:,} steps" in PAGE
