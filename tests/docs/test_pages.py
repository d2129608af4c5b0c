"""What the pages say exists: links, commands, targets, variables, tests that hold the guarantees."""

from __future__ import annotations

import ast
import re
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from pydantic import SecretStr

from kernel.config.settings import Settings
from kernel.telemetry.metrics import Metrics
from stormfold.cli.app import COMMANDS, resolve

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
README = (ROOT / "README.md").read_text(encoding="utf-8")

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def without_code(text: str) -> str:
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@cache
def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", without_code(page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


# --- links


@pages
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text(encoding="utf-8"))):
        if re.match(r"https?://", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        if anchor:
            assert anchor in anchors(file), target


# --- commands


def usages(text: str) -> list[list[str]]:
    """The words after `stormfold` of every command that a page shows, `a|b` written out."""
    shown = re.findall(r"`(stormfold [^`]+)`", without_code(text))
    for block in [*blocks(text, "sh"), *re.findall(r"(?:^ {4}.+\n)+", without_code(text), re.MULTILINE)]:
        shown += re.findall(r"^\s*(stormfold .+?)(?:\s{2,}#.*)?$", block, re.MULTILINE)
    found = []
    for usage in shown:
        ways = [way.split("|") if re.fullmatch(r"[a-z|]+", way) else [way] for way in usage.split()[1:]]
        found += [list(words) for words in product(*ways)]
    return found


def command_of(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that these words name, and the words that are left."""
    name, *rest = words
    assert name in COMMANDS, f"there is no command {name}"
    found: Any = resolve(name, COMMANDS[name][0])
    while hasattr(found, "commands") and rest:
        assert rest[0] in found.commands, f"{name} has no {rest[0]}"
        found = found.commands[rest.pop(0)]
    return found, rest


@pages
def test_commands_exist_with_their_options(page: Path) -> None:
    for words in usages(page.read_text(encoding="utf-8")):
        found, rest = command_of(words)
        options = {option for parameter in found.params for option in (*parameter.opts, *parameter.secondary_opts)}
        for word in rest:
            option = word.strip("[],;").partition("=")[0]
            if option.startswith("--"):
                assert option in options, f"stormfold {' '.join(words)}: there is no {option}"


def test_commands_are_found_in_pages() -> None:
    assert ["ack", "ID"] in usages(README)
    assert ["up", "--embedded", "--config", "config/"] in usages(README)
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert ["dead", "replay"] in usages(changes)


@pages
def test_make_targets_exist(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"`make ([a-z]+)", text) + re.findall(
        r"^make ([a-z]+)", "\n".join(blocks(text, "sh")), re.MULTILINE
    )
    for target in named:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pages
def test_files_and_metrics_named_exist(page: Path) -> None:
    text = without_code(page.read_text(encoding="utf-8"))
    metrics = {f"stormfold_{name}" for name in Metrics().all()}
    for name in re.findall(r"`(stormfold_[a-z_]+)", text):
        assert name in metrics, name
    for name in re.findall(r"`((?:kernel|ingest|correlator|notifier|stormfold|deploy|tests|docs)/[\w./-]+)", text):
        stem = name.split("::")[0].rstrip("/.")
        assert (ROOT / stem).exists() or "NAME" in name, name


@pages
def test_yaml_in_pages_is_yaml(page: Path) -> None:
    for block in blocks(page.read_text(encoding="utf-8"), "yaml"):
        assert all(document is not None for document in yaml.safe_load_all(block))


# --- the README


def test_it_opens_with_what_it_is_and_two_commands() -> None:
    head = README.splitlines()[:12]
    assert head[0] == "# stormfold"
    assert head[2].startswith("stormfold folds an alert storm into incidents.")
    commands = blocks(README, "sh")[0].splitlines()
    assert [line.split("#")[0].split() for line in commands] == [["make", "run"], ["make", "test"]]


def guarantees() -> list[tuple[str, str, str]]:
    table = README.split("## Guarantees", 1)[1].split("\n## ", 1)[0]
    rows = [line.split("|")[1:-1] for line in table.splitlines() if line.startswith("|")][2:]
    return [(promise.strip(), how.strip(), cell.strip()) for promise, how, cell in rows]


def named_tests(cell: str) -> list[tuple[str, str]]:
    return [(file, name) for file, name in re.findall(r"`([\w./]+)::(\w+)`", cell)]


@cache
def defined(file: str) -> set[str]:
    path = ROOT / file
    assert path.is_file(), file
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_promise_that_is_kept_has_tests_that_exist() -> None:
    rows = guarantees()
    assert len(rows) >= 12
    for promise, how, cell in rows:
        named = named_tests(cell)
        if cell.startswith("not yet"):
            assert not named, promise
            continue
        assert named, f"{promise}: no test"
        assert how, promise
        for file, name in named:
            assert name in defined(file), f"{promise}: {file} has no {name}"


def test_every_command_is_in_the_table() -> None:
    table = README.split("| command |", 1)[1].split("\n\n", 1)[0]
    named = {words.split()[1] for words in re.findall(r"`(stormfold [^`]+)`", table)}
    assert named == set(COMMANDS)


def test_every_process_setting_is_there_with_its_default() -> None:
    table = README.split("| variable |", 1)[1].split("\n\n", 1)[0]
    told: dict[str, str] = {}
    for row in table.splitlines()[2:]:
        names, defaults, _ = (cell.strip() for cell in row.strip("|").split("|"))
        values = [value.strip() for value in defaults.split(",")]
        for name, value in zip(names.split(", "), values * (len(names.split(", ")) // len(values)), strict=True):
            told[name.strip("`")] = value
    assert set(told) == {f"STORMFOLD_{name.upper()}" for name in Settings.model_fields}
    for name, field in Settings.model_fields.items():
        said, default = told[f"STORMFOLD_{name.upper()}"], field.default
        if default is None or default == "":
            assert not said.startswith("`"), name
        else:
            shown = default.get_secret_value() if isinstance(default, SecretStr) else default
            assert said == f"`{shown}`", name
