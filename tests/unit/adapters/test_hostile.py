"""Mutated samples: an adapter never raises anything but NotUnderstood, and what it makes can be written."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.adapters.base import Adapter, NotUnderstood, Outcome, Parsed
from ingest.adapters.registry import ADAPTERS, detect, nearest
from kernel.model.signals import MAX_RECORD_BYTES
from tests.unit.adapters.helpers import ARRIVAL, FILES, message

_HOSTILE: list[Any] = [
    None,
    True,
    0,
    -1,
    1.5,
    10**30,
    2**63,
    1e308,
    "",
    "null",
    "$ALERT_ID",
    "\x00\x1b[2J\u202e",
    "x" * 5000,
    "\N{FIRE}" * 2000,
    "9" * 25,
    "9999-12-31T23:59:59-23:59",
    "0000-00-00T00:00:00Z",
    [],
    {},
    [[]],
    [{}],
    {"": ""},
    {"a": {"a": {"a": None}}},
]
_RAW = [
    b"NaN",
    b"Infinity",
    b"1e999",
    b"1" * 4000,
    b'"\\ud800"',
    b'"\\udc00x"',
    b'"\xff"',
    b"[" * 5000,
    b'{"a":1,"a":[]}',
]
_MARK = "@@hostile@@"


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    if isinstance(value, dict):
        pairs: Any = value.items()
    else:
        pairs = enumerate(value) if isinstance(value, list) else ()
    for key, item in pairs:
        found += _paths(item, (*path, key))
    return found


def _changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    copied = json.loads(json.dumps(value))
    target = copied
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = new
    return copied


@st.composite
def _mutated(draw: st.DrawFn, samples: list[Any]) -> bytes:
    body = draw(st.sampled_from(samples))
    for _ in range(draw(st.integers(1, 3))):
        paths = _paths(body)
        if paths:
            body = _changed(body, draw(st.sampled_from(paths)), draw(st.sampled_from([*_HOSTILE, _MARK])))
    raw = json.dumps(body, ensure_ascii=draw(st.booleans())).encode()
    raw = raw.replace(f'"{_MARK}"'.encode(), draw(st.sampled_from(_RAW)))
    if draw(st.integers(0, 9)) == 0:
        cut = draw(st.integers(0, len(raw)))
        raw = raw[:cut] + draw(st.binary(max_size=4)) + raw[cut + draw(st.integers(0, 4)) :]
    return raw


def _hold(adapter: Adapter, raw: bytes) -> None:
    detail = ""
    try:
        parsed = adapter.parse(message(raw, adapter.name))
    except NotUnderstood as error:
        parsed, detail = Parsed(Outcome.IGNORED), error.detail
    assert detail.isprintable()
    assert parsed.outcome is not Outcome.QUARANTINED or parsed.refusals
    assert parsed.reason.isprintable()
    for alert in parsed.alerts:
        assert len(msgspec.json.encode(alert)) < MAX_RECORD_BYTES
        assert len(alert.fingerprint) == 32
        assert alert.observed_at <= ARRIVAL + 300_000
        assert alert.valid_for is None or alert.valid_for > 0


@pytest.mark.parametrize("name", sorted(ADAPTERS))
@settings(
    max_examples=120, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)
@given(data=st.data())
def test_mutated_samples(name: str, data: st.DataObject) -> None:
    samples = [json.loads(path.read_text()) for path in FILES if path.parent.name == name]
    raw = data.draw(_mutated(samples))
    adapter = ADAPTERS[name]
    _hold(adapter, raw)
    given_message = message(raw, name)
    glances = adapter.glance(given_message)
    for index, glance in enumerate(glances or ()):
        adapter.build(given_message, glance, index, Parsed(Outcome.IGNORED))


@settings(max_examples=80, derandomize=True, deadline=None, database=None)
@given(data=st.data())
def test_any_adapter_may_be_given_any_vendors_body(data: st.DataObject) -> None:
    samples = [json.loads(path.read_text()) for path in FILES]
    raw = data.draw(_mutated(samples))
    for adapter in ADAPTERS.values():
        _hold(adapter, raw)


_keys = st.sampled_from(sorted({field for adapter in ADAPTERS.values() for field in adapter.shape})) | st.text(
    max_size=4
)
_json = st.recursive(
    st.sampled_from(_HOSTILE), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=5)
)


@settings(max_examples=150, derandomize=True, deadline=None, database=None)
@given(_json)
def test_detection_of_anything(body: Any) -> None:
    found = detect(body, {})
    assert nearest(body)
    if found is not None:
        _hold(found, json.dumps(body).encode())
