"""What only a source of Slack has: its channels, and the ids that are stormfold's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from kernel.config.load import ConfigError, Loaded, load

REST = """
teams: {sre: {page: [c], notify: [c]}}
channels: {c: {type: console}}
routes: [{team: sre}]
"""


def read(tmp_path: Path, source: str) -> Loaded:
    (tmp_path / "a.yaml").write_text(f"sources:\n  {source}\n{REST}", encoding="utf-8")
    return load(tmp_path, {}, adapters=("slack", "generic"))


def test_channels_and_own_ids_are_read(tmp_path: Path) -> None:
    source = "chat: {adapter: slack, channels: [C024BE91L, G0ABCDEF1], own_ids: [B024BE91L, A0ABCDEF1, U0ABCDEF1]}"
    config = read(tmp_path, source).config.sources["chat"]
    assert (config.channels, config.own_ids) == (
        ("C024BE91L", "G0ABCDEF1"),
        ("B024BE91L", "A0ABCDEF1", "U0ABCDEF1"),
    )


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("slack: {channels: ['#incidents']}", "'#incidents' is not the id of a Slack channel; write the id"),
        ("slack: {channels: [C024BE91L, B024BE91L]}", "'B024BE91L' is not the id of a Slack channel"),
        ("slack: {own_ids: [stormfold]}", "'stormfold' is not the id of a bot, user or app of Slack; write an id"),
        ("generic: {channels: [C024BE91L]}", "channels is only of sources that the adapter 'slack' reads; take it out"),
        ("generic: {own_ids: [B024BE91L]}", "own_ids is only of sources that the adapter 'slack' reads"),
    ],
)
def test_what_cannot_be_right(tmp_path: Path, source: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, source)
    assert problem in str(caught.value)
    assert len(caught.value.problems) == 1


def test_a_source_that_names_no_channels_is_pointed_out(tmp_path: Path) -> None:
    def told(source: str) -> list[str]:
        return [str(warning) for warning in read(tmp_path, source).warnings if "channels" in warning.what]

    assert len(told("slack: {}")) == len(told("chat: {adapter: slack}")) == 1
    assert told("slack: {channels: [C024BE91L]}") == told("generic: {}") == []
