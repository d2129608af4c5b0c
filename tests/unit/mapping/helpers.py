"""Configurations written as text, and what their sources make of bodies."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import pytest

from ingest.adapters.registry import ADAPTERS
from ingest.explain import explain
from kernel.config.load import ConfigError, load
from kernel.config.schema import Config

ARRIVAL = 1_772_439_600_000
"""2026-03-02T08:20:00Z"""

SHOP = """
sources:
  shop:
    mapping:
      match: check && state
      identity: {check: check.id}
      name: check.name
      status: {from: state, firing: [down, slow], resolved: [Up], ignored: [paused]}
      severity: {from: level, map: {sev-red: critical}}
"""


def written(directory: Path, text: str) -> Path:
    """The directory, with this text as its configuration."""
    (directory / "shop.yaml").write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
    return directory


def config(directory: Path, text: str) -> Config:
    """The configuration that this text is."""
    return load(written(directory, text), {}, adapters=ADAPTERS).config


def problems(directory: Path, text: str) -> list[str]:
    """What is wrong with this configuration, a line each."""
    with pytest.raises(ConfigError) as caught:
        config(directory, text)
    return str(caught.value).splitlines()


def explained(
    of: Config, body: Any, name: str = "shop", headers: dict[str, str] | None = None, arrival: int = ARRIVAL
) -> dict[str, Any]:
    """What a source makes of a body, as `stormfold source try` says it."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return explain(name, raw, headers or {}, of, arrival)
