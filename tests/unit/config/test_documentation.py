"""docs/configuration.md names every field, its default and nothing that does not exist."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kernel.config import schema
from kernel.config.heartbeat import CanaryConfig, HeartbeatConfig
from kernel.config.mapping import MappingConfig, OutcomeMap, SeverityMap, StatusMap
from kernel.config.section import Strict
from kernel.config.values import Duration

DOCS = Path(__file__).parents[3] / "docs"
TEXT = (DOCS / "configuration.md").read_text(encoding="utf-8")
MAPPINGS = (DOCS / "mappings.md").read_text(encoding="utf-8")

SECTIONS: dict[str, Any] = {
    "## `sources`": schema.SourceConfig,
    "## `teams`": schema.TeamConfig,
    "`type: pagerduty`": schema.PagerDuty,
    "`type: slack`": schema.Slack,
    "`type: webhook`": schema.Webhook,
    "`type: console`": schema.Console,
    "## `services`": schema.ServiceConfig,
    "## `rules`": schema.RuleConfig,
    "## `routes`": schema.RouteConfig,
    "## `priority`": schema.PriorityConfig,
    "## `correlation`": schema.CorrelationConfig,
    "## `heartbeats`": HeartbeatConfig,
    "## `canary`": CanaryConfig,
}


def table(heading: str) -> dict[str, str]:
    """The defaults by field, from the table of fields that follows a heading."""
    part = TEXT.split(f"\n{heading}", 1)[1]
    rows = part.split("| field | default |", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    cells = [re.split(r"(?<!\\)\|", row)[1:3] for row in rows]
    return {name.strip().strip("`"): default.strip() for name, default in cells}


def test_every_section_of_the_schema_is_there() -> None:
    for field in msgspec.structs.fields(schema.Config):
        assert f"## `{field.name}`" in TEXT
    for name, kind in vars(schema).items():
        if isinstance(kind, type) and issubclass(kind, Strict) and kind not in (Strict, schema.Config, MappingConfig):
            assert kind in SECTIONS.values(), name


def test_every_field_of_a_mapping_is_on_its_page() -> None:
    table_of_fields = MAPPINGS.split("## Fields of a form", 1)[1].split("##", 1)[0]
    told = set(re.findall(r"`(\w+)`", "".join(row.split("|")[1] for row in table_of_fields.splitlines() if "|" in row)))
    assert told == {field.encode_name for field in msgspec.structs.fields(MappingConfig)}
    for words in (StatusMap, SeverityMap, OutcomeMap):
        for field in msgspec.structs.fields(words):
            assert re.search(rf"\b{field.encode_name}:", table_of_fields), field.encode_name


@pytest.mark.parametrize("heading", SECTIONS)
def test_every_field_is_named_and_no_other(heading: str) -> None:
    fields = [field.name for field in msgspec.structs.fields(SECTIONS[heading])]
    assert sorted(table(heading)) == sorted(fields)


@pytest.mark.parametrize("heading", SECTIONS)
def test_the_defaults_are_those_of_the_schema(heading: str) -> None:
    told = table(heading)
    for field in msgspec.structs.fields(SECTIONS[heading]):
        said = told[field.name]
        if field.required:
            assert said == "required", field.name
        elif isinstance(field.default, Duration):
            assert said == f"`{field.default}`", field.name
        elif isinstance(field.default, bool):
            assert said == f"`{str(field.default).lower()}`", field.name
        elif isinstance(field.default, int | str):
            assert said.split(" ")[0] == f"`{field.default}`", field.name
        elif field.default == () or field.default is None:
            assert not said.startswith("`"), field.name
        elif isinstance(field.default, tuple):
            words = [word or '""' for word in field.default]
            assert said == f"`[{', '.join(words)}]`", field.name
