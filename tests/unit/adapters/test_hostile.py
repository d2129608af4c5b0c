"""Mutated samples: an adapter never raises anything but NotUnderstood, and what it makes can be written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.adapters.registry import ADAPTERS, detect, nearest
from tests.fuzz.structure import HOSTILE, MARK, RAW, changed, paths
from tests.fuzz.targets import hold
from tests.unit.adapters.helpers import FILES


@st.composite
def _mutated(draw: st.DrawFn, samples: list[Any]) -> bytes:
    body = draw(st.sampled_from(samples))
    for _ in range(draw(st.integers(1, 3))):
        places = paths(body)
        if places:
            body = changed(body, draw(st.sampled_from(places)), draw(st.sampled_from([*HOSTILE, MARK])))
    raw = json.dumps(body, ensure_ascii=draw(st.booleans())).encode()
    raw = raw.replace(f'"{MARK}"'.encode(), draw(st.sampled_from(RAW)))
    if draw(st.integers(0, 9)) == 0:
        cut = draw(st.integers(0, len(raw)))
        raw = raw[:cut] + draw(st.binary(max_size=4)) + raw[cut + draw(st.integers(0, 4)) :]
    return raw


@pytest.mark.parametrize("name", sorted(ADAPTERS))
@settings(
    max_examples=120, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)
@given(data=st.data())
def test_mutated_samples(name: str, data: st.DataObject) -> None:
    samples = [json.loads(path.read_text()) for path in FILES if path.parent.name == name]
    raw = data.draw(_mutated(samples))
    hold(ADAPTERS[name], raw)


@settings(max_examples=80, derandomize=True, deadline=None, database=None)
@given(data=st.data())
def test_any_adapter_may_be_given_any_vendors_body(data: st.DataObject) -> None:
    samples = [json.loads(path.read_text()) for path in FILES]
    raw = data.draw(_mutated(samples))
    for adapter in ADAPTERS.values():
        hold(adapter, raw)


_keys = st.sampled_from(sorted({field for adapter in ADAPTERS.values() for field in adapter.shape})) | st.text(
    max_size=4
)
_json = st.recursive(
    st.sampled_from(HOSTILE), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=5)
)


@settings(max_examples=150, derandomize=True, deadline=None, database=None)
@given(_json)
def test_detection_of_anything(body: Any) -> None:
    found = detect(body, {})
    assert nearest(body)
    if found is not None:
        hold(found, json.dumps(body).encode())
