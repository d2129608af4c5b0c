"""The page of sources is what the adapters say of themselves, and what it shows can be pasted."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from ingest.adapters.base import Adapter
from ingest.adapters.page import rendered
from ingest.adapters.registry import ADAPTERS

PAGE = Path(__file__).parents[2] / "docs" / "sources.md"
OWN = ("commands",)

adapters = pytest.mark.parametrize("adapter", ADAPTERS.values(), ids=lambda adapter: adapter.name)


def test_the_page_is_what_the_adapters_say() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == rendered(page), "run: python -m ingest.adapters.page docs/sources.md"
    assert page.count("<!-- generated:") == 2


@adapters
def test_every_adapter_says_how_it_is_connected(adapter: Adapter) -> None:
    about = adapter.about
    cells = (about.identity, about.firing, about.resolved, about.observed, about.severity, about.proof)
    for cell in cells:
        assert cell.strip()
        assert "|" not in cell
        assert "\n\n" not in cell
    if adapter.name in OWN:
        return
    assert "```" in about.connect
    doors = ("/v1/sources/", "/api/v2/alerts", "/v2/enqueue", "stormfold:8080")
    assert any(door in about.connect for door in doors)


@adapters
def test_snippets_are_what_their_fence_says(adapter: Adapter) -> None:
    for language, text in re.findall(r"^```(\w+)\n(.*?)^```", adapter.about.connect, re.DOTALL | re.MULTILINE):
        if language == "json":
            json.loads(text)
        elif language == "yaml":
            assert list(yaml.safe_load_all(text))
