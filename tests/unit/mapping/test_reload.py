"""A mapping under a reload: its identity stays while alerts may be open, all else may change."""

from __future__ import annotations

from pathlib import Path

import pytest

from kernel.clock import SystemClock
from kernel.config.watch import Watched
from kernel.telemetry.metrics import Metrics
from tests.unit.mapping.helpers import SHOP, written

PAIR = """
sources:
  shop:
    mapping:
      - match: a
        identity: {a: a}
        name: name
        status: {always: firing}
      - match: b
        identity: {b: b}
        name: name
        status: {always: firing}
"""
PROBE = PAIR + "      - {match: c, kind: ignored, reason: a probe}\n"
TURNED = """
sources:
  shop:
    mapping:
      - match: b
        identity: {b: b}
        name: title
        status: {always: firing}
      - match: a
        identity: {a: a}
        name: title
        status: {always: firing}
"""


@pytest.mark.parametrize(
    ("before", "after", "taken"),
    [
        (SHOP, SHOP.replace("check.id", "check.key"), False),
        (SHOP, SHOP.replace("{check: check.id}", "{probe: check.id}"), False),
        (SHOP, SHOP.replace("{check: check.id}", "{check: check.id, zone: zone}"), False),
        (SHOP, SHOP.replace("check.id}", '{cel: "check.id"}}'), False),
        (SHOP, SHOP.replace("name: check.name", "name: check.name\n      each: checks"), False),
        (SHOP, SHOP.replace("name: check.name", "name: check.name\n      kind: report"), False),
        (SHOP, "sources: {shop: {adapter: generic}}", False),
        ("sources: {shop: {adapter: generic}}", SHOP, False),
        (PAIR, PAIR.partition("      - match: b")[0], False),
        (SHOP, SHOP.replace("[down, slow]", "[down, slow, dead]"), True),
        (SHOP, SHOP.replace("check && state", "check"), True),
        (SHOP, SHOP.replace("check.name", "title"), True),
        (SHOP, SHOP.replace("sev-red: critical", "sev-red: high"), True),
        (PAIR, PROBE, True),
        (PAIR, TURNED, True),
    ],
)
def test_reload(tmp_path: Path, before: str, after: str, taken: bool) -> None:
    assert before != after
    watch = Watched(written(tmp_path, before), {}, SystemClock(), Metrics())
    written(tmp_path, after)
    assert watch.look() == taken
