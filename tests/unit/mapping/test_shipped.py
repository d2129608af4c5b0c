"""The mappings that ship: each has tests, all hold, and nothing that a sender writes gets through them unrefused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.adapters.registry import ADAPTERS, adapter_for
from kernel.config.load import load
from stormfold.mapping_tests import run_tests
from tests.fuzz.structure import HOSTILE, MARK, RAW, changed, paths
from tests.fuzz.targets import hold

SHIPPED = Path(__file__).parents[3] / "deploy" / "mappings"
CONFIG = load(SHIPPED, {}, adapters=ADAPTERS, secrets=False).config
FILES = sorted(path for path in SHIPPED.glob("*.yaml") if not path.stem.endswith("_test"))


def samples(source: str) -> list[Any]:
    cases = yaml.load((SHIPPED / f"{source}_test.yaml").read_text(), yaml.BaseLoader)
    return [case["payload"] for case in cases if "payload" in case]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_is_one_source_of_its_name_and_has_tests(path: Path) -> None:
    assert list(yaml.safe_load(path.read_text())["sources"]) == [path.stem]
    assert path.stem not in ADAPTERS
    assert path.read_text().startswith("# "), "a file begins with how its sender is connected"
    assert path.with_name(f"{path.stem}_test.yaml").is_file()


def test_all_tests_hold() -> None:
    results = list(run_tests(SHIPPED, CONFIG))
    assert [str(problem) for result in results for problem in result.problems] == []
    assert {Path(result.place.file).stem.removesuffix("_test") for result in results} == set(CONFIG.sources)


@st.composite
def _mutated(draw: st.DrawFn, given: list[Any]) -> bytes:
    body = draw(st.sampled_from(given))
    for _ in range(draw(st.integers(1, 3))):
        places = paths(body)
        if places:
            body = changed(body, draw(st.sampled_from(places)), draw(st.sampled_from([*HOSTILE, MARK])))
    raw = json.dumps(body).encode()
    return raw.replace(f'"{MARK}"'.encode(), draw(st.sampled_from(RAW)))


@pytest.mark.parametrize("source", sorted(CONFIG.sources))
@settings(max_examples=40, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)
@given(data=st.data())
def test_mutated_payloads(source: str, data: st.DataObject) -> None:
    hold(adapter_for(source, CONFIG.sources[source]), data.draw(_mutated(samples(source))))
