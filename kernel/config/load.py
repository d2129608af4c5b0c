"""A configuration directory read and validated as a whole: all of it is right, or all that is wrong is said at once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_origin

import msgspec
import yaml
from yaml.nodes import MappingNode, Node, SequenceNode

from kernel.config.check import Known, check, warnings_of
from kernel.config.nodes import BAD, Place, Problem, Reader, did_you_mean, place_of
from kernel.config.schema import Config


class ConfigError(Exception):
    """A configuration that cannot be used; its text has one line a problem: `rules.yaml:12: what; what to write`."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(str(problem) for problem in self.problems))


@dataclass(frozen=True, slots=True)
class Loaded:
    """A valid configuration, the hash of what it was read from (64 hex digits), its files and its warnings."""

    config: Config
    hash: str
    files: tuple[str, ...]
    warnings: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The bytes of a directory's files at one moment, by name in order, and their hash."""

    files: tuple[tuple[str, bytes], ...]
    hash: str


def snapshot(directory: Path) -> Snapshot:
    """Read the `*.yaml` and `*.yml` files of a directory itself; hidden files and `*_test.yaml` are left out.

    The hash is over names and contents only. Raises ConfigError where the directory or a file cannot be read.
    """
    try:
        names = sorted(entry.name for entry in directory.iterdir() if _is_config(entry))
        files = tuple((name, (directory / name).read_bytes()) for name in names)
    except OSError as error:
        what = f"the configuration cannot be read: {error.strerror}"
        raise ConfigError([Problem(str(error.filename or directory), 0, what, "name a directory")]) from error
    digest = hashlib.sha256()
    for name, content in files:
        for part in (name.encode(), content):
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
    return Snapshot(files, digest.hexdigest())


def _is_config(entry: Path) -> bool:
    named = entry.suffix in (".yaml", ".yml") and not entry.name.startswith(".")
    return named and not entry.stem.endswith("_test") and entry.is_file()


def load(
    directory: Path,
    environ: Mapping[str, str],
    *,
    adapters: Collection[str] | None = None,
    title: Callable[[str], object] | None = None,
    secrets: bool = True,
) -> Loaded:
    """Read a configuration directory. `adapters` are the adapters there are; `title` raises ValueError for a rule's
    title that is no template (None: not checked).

    With `secrets` False the form of secrets is checked but they are not read, and stand empty in the result.
    Raises ConfigError with every problem found.
    """
    return load_snapshot(snapshot(directory), directory, environ, adapters=adapters, title=title, secrets=secrets)


def load_snapshot(
    taken: Snapshot,
    directory: Path,
    environ: Mapping[str, str],
    *,
    adapters: Collection[str] | None = None,
    title: Callable[[str], object] | None = None,
    secrets: bool = True,
) -> Loaded:
    """As `load`, of bytes already read; `directory` is what relative paths of secrets stand on."""
    if not taken.files:
        hint = "write one, or start from a copy of the example configuration"
        raise ConfigError([Problem(str(directory), 0, "there is no *.yaml file in this directory", hint)])
    reader = Reader(environ, directory, secrets)
    roots = [root for name, content in taken.files if (root := _compose(name, content, reader)) is not None]
    values = _sections(roots, reader)
    config = Config(**values)
    check(config, reader, Known(adapters, title))
    if reader.problems:
        raise ConfigError(reader.problems)
    names = tuple(name for name, _ in taken.files)
    return Loaded(config, taken.hash, names, tuple(sorted(warnings_of(config, reader.places, names[0]))))


def _compose(name: str, content: bytes, reader: Reader) -> MappingNode | None:
    """The root of one file; None for an empty one and for one that is not YAML."""
    try:
        parser = yaml.SafeLoader(content.decode("utf-8-sig"))
        parser.name = name
        root = parser.get_single_node()
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        reader.problem(Place(name, line), "this is not UTF-8", "save the file as UTF-8")
        return None
    except yaml.reader.ReaderError as error:
        line = content.decode("utf-8-sig")[: error.position].count("\n") + 1
        reader.problem(Place(name, line), "a control character", "delete it")
        return None
    except RecursionError:
        reader.problem(Place(name, 0), "this is nested too deeply", "write it flat")
        return None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = " ".join(part for part in (error.context, error.problem) if part)
        reader.problem(
            Place(name, mark.line + 1 if mark else 0),
            f"this is not YAML: {what}",
            "check indents, colons and quotes around there",
        )
        return None
    if root is None:
        return None
    if not isinstance(root, MappingNode):
        reader.problem(place_of(root), "a file holds sections", "write `rules:`, `teams:`, ... at the margin")
        return None
    return root


def _sections(roots: Sequence[MappingNode], reader: Reader) -> dict[str, Any]:
    """The sections of all files, joined and read; those with problems hold what could be read."""
    kinds = {field.encode_name: field.type for field in msgspec.structs.fields(Config)}
    parts: dict[str, list[Node]] = {}
    for root in roots:
        for name, key, value in reader.entries(root, ()):
            if name not in kinds:
                reader.problem(place_of(key), f"there is no section {name!r}", did_you_mean(name, kinds))
            elif value.tag != "tag:yaml.org,2002:null":
                parts.setdefault(name, []).append(value)
    values: dict[str, Any] = {}
    for name, nodes in parts.items():
        read = reader.read(_joined(nodes, kinds[name]), kinds[name], (name,))
        if read is not BAD:
            values[name] = read
    return values


def _joined(nodes: list[Node], kind: Any) -> Node:
    """The parts of one section as one node; a part of the wrong shape is returned as it is, to be complained about."""
    wanted = SequenceNode if get_origin(kind) is tuple else MappingNode
    for node in nodes:
        if not isinstance(node, wanted):
            return node
    first = nodes[0]
    if len(nodes) == 1:
        return first
    items = [item for node in nodes for item in node.value]
    return wanted(first.tag, items, first.start_mark, first.end_mark)
