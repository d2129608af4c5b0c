"""Tests that stand beside mappings: `NAME_test.yaml` in a configuration directory.

Each file is a list of cases; a case is a payload of a source and what has to become of it, as `stormfold source try`
says it. Cases of one file may refer to one another by `same_as`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from ingest.adapters.registry import UnknownAdapter
from ingest.explain import explain
from kernel.clock import Millis
from kernel.config.nodes import Place, Problem, did_you_mean, place_of
from kernel.config.schema import Config

_CASE: Final = ("name", "source", "payload", "file", "headers", "expect", "same_as")
_EXPECT: Final = ("source", "outcome", "alerts", "changes", "reason")
_SAME: Final = "same_as"
_ALERT: Final = ("status", "severity", "name", "service", "starts_at", "ends_at", "labels", "fingerprint", _SAME)
_CHANGE: Final = (
    "what", "name", "service", "where", "who", "when", "revision", "link", "outcome", "labels", "fingerprint", _SAME,
)  # fmt: skip
_LISTS: Final = (("alerts", _ALERT), ("changes", _CHANGE))
_ARRIVAL: Final[Millis] = 1_780_000_000_000
"""2026-05-28T20:26:40Z, the arrival of every payload: a test must not depend on the day on which it runs."""


@dataclass(frozen=True, slots=True)
class Result:
    """A case that was run: where it stands and what is wrong with it, nothing where it holds."""

    name: str
    place: Place
    problems: tuple[Problem, ...]


def run_tests(directory: Path, config: Config) -> Iterator[Result]:
    """Every case of every `*_test.yaml` (or `.yml`) of the directory, in order."""
    files = sorted(path for path in directory.iterdir() if path.stem.endswith("_test"))
    for path in files:
        if path.suffix in (".yaml", ".yml") and not path.name.startswith("."):
            yield from _file(path, config)


def _file(path: Path, config: Config) -> Iterator[Result]:
    try:
        parser = yaml.SafeLoader(path.read_text(encoding="utf-8"))
        parser.name = path.name
        root = parser.get_single_node()
    except (OSError, UnicodeDecodeError, RecursionError, yaml.YAMLError) as error:
        what = f"this cannot be read as YAML: {' '.join(str(error).split())[:200]}"
        yield Result(path.stem, Place(path.name, 0), (Problem(path.name, 0, what, "write a list of cases"),))
        return
    if not isinstance(root, SequenceNode) or not root.value:
        problem = Problem(path.name, 1, "a file of tests is a list of cases", "begin each with `- name: ...`")
        yield Result(path.stem, Place(path.name, 1), (problem,))
        return
    seen: dict[str, dict[str, Any]] = {}
    for node in root.value:
        case = _Case(node, path, config, seen)
        try:
            yield case.run()
        except (RecursionError, yaml.YAMLError, TypeError) as error:
            what = f"this is no JSON value: {' '.join(str(error).split())[:200]}"
            yield Result(path.stem, case.place, (Problem(path.name, case.place.line, what, "write it as JSON has it"),))


class _Case:
    """One case on its way to its result."""

    def __init__(self, node: Node, path: Path, config: Config, seen: dict[str, dict[str, Any]]) -> None:
        self.place = place_of(node)
        self._path = path
        self._config = config
        self._seen = seen
        self._problems: list[Problem] = []
        self._nodes = self._fields(node, "a case")

    def run(self) -> Result:
        """Read the case, run its payload, compare."""
        name = self._text("name") or f"case at line {self.place.line}"
        self._whole()
        found = None if self._problems else self._explained()
        if found is not None:
            self._compare(found)
            self._seen[name] = found
        return Result(name, self.place, tuple(self._problems))

    def _say(self, node: Node | None, what: str, hint: str = "") -> None:
        place = place_of(node) if node is not None else self.place
        self._problems.append(Problem(place.file, place.line, what, hint))

    def _fields(self, node: Node, what: str, names: tuple[str, ...] = _CASE) -> dict[str, tuple[Node, Node]]:
        """The entries of a mapping by name, each of which must be one of these names."""
        found: dict[str, tuple[Node, Node]] = {}
        if not isinstance(node, MappingNode):
            self._say(node, f"{what} is no mapping", f"write its fields: {', '.join(names)}")
            return found
        for key, value in node.value:
            name = str(key.value) if isinstance(key, ScalarNode) else "this key"
            if name not in names:
                self._say(key, f"{what} has no field {name!r}", did_you_mean(name, names))
            elif name in found:
                self._say(key, f"{what} has {name!r} twice", "keep one of them")
            else:
                found[name] = (key, value)
        return found

    def _whole(self) -> None:
        if ("payload" in self._nodes) == ("file" in self._nodes):
            self._say(None, "a case has one payload", "write payload: {...}, or file: PATH beside this file")
        for name in ("name", "source", "expect"):
            if name not in self._nodes:
                self._say(None, f"the case lacks {name!r}", f"write {name}: ...")
            elif name != "expect" and not self._text(name):
                self._say(self._nodes[name][1], f"{name} is no text", f"write {name}: and a text")
        if self._text("name") in self._seen:
            self._say(self._nodes["name"][1], f"there are two cases {self._text('name')!r}", "name one otherwise")
        if "headers" in self._nodes and not isinstance(self._nodes["headers"][1], MappingNode):
            self._say(self._nodes["headers"][1], "headers is no mapping", "write headers: {name: value}")

    def _text(self, name: str) -> str:
        node = self._nodes.get(name, (None, None))[1]
        return node.value if isinstance(node, ScalarNode) else ""

    def _value(self, name: str) -> Any:
        node = self._nodes.get(name, (None, None))[1]
        return _plain(node) if node is not None else None

    def _explained(self) -> dict[str, Any] | None:
        headers = self._value("headers") or {}
        try:
            if "file" in self._nodes:
                body = (self._path.parent / self._text("file")).read_bytes()
            else:
                payload = self._value("payload")
                body = payload.encode() if isinstance(payload, str) else json.dumps(payload).encode()
            given = {str(key): str(value) for key, value in headers.items()}
            return explain(self._text("source"), body, given, self._config, _ARRIVAL)
        except OSError as error:
            self._say(
                self._nodes["file"][1], f"the payload cannot be read: {error.strerror}", "name a file beside this one"
            )
        except UnknownAdapter as error:
            what, _, hint = str(error).partition("; ")
            self._say(self._nodes["source"][1], what, hint)
        return None

    def _compare(self, found: dict[str, Any]) -> None:
        expect = self._nodes["expect"][1]
        wanted = self._fields(expect, "expect", _EXPECT)
        if not wanted and not self._problems:
            self._say(expect, "the case expects nothing", f"write one of: {', '.join(_EXPECT)}")
        for name in ("source", "outcome"):
            if name in wanted and _plain(wanted[name][1]) != found[name]:
                self._differs(wanted[name][1], name, found[name], found)
        if "reason" in wanted and str(_plain(wanted["reason"][1])) not in found["reason"]:
            self._differs(wanted["reason"][1], "reason", found["reason"], found)
        for name, fields in _LISTS:
            if name in wanted:
                self._compare_list(name, wanted[name][1], found[name], fields, found)
        if _SAME in self._nodes:
            mine, theirs = _fingerprints(found), self._fingerprints_of(self._nodes[_SAME][1])
            if theirs is not None and (mine != theirs or not mine):
                self._other(self._nodes[_SAME][1], "its alerts are not those")

    def _differs(self, node: Node, what: str, got: Any, found: dict[str, Any]) -> None:
        why = f" ({found['reason'][:200]})" if found["reason"] and what != "reason" else ""
        self._say(node, f"{self._text('name')}: {what} should be {_plain(node)!r}, but is {got!r}{why}")

    def _compare_list(
        self, name: str, node: Node, got: list[dict[str, Any]], fields: tuple[str, ...], found: dict[str, Any]
    ) -> None:
        if not isinstance(node, SequenceNode) or len(node.value) != len(got):
            wanted = len(node.value) if isinstance(node, SequenceNode) else _plain(node)
            why = f" ({found['reason'][:200]})" if found["reason"] else ""
            self._say(node, f"{self._text('name')}: {name} should be {wanted}, but are {len(got)}{why}")
            return
        for index, (item, actual) in enumerate(zip(node.value, got, strict=True)):
            place = f"{name}[{index}]"
            for field, (_, value) in self._fields(item, place, fields).items():
                expected = _plain(value)
                if field == _SAME:
                    theirs = self._fingerprints_of(value)
                    if theirs is not None and actual["fingerprint"] not in theirs:
                        self._other(value, f"{place} is none of those")
                elif field == "labels" and isinstance(expected, dict):
                    shown = {key: actual["labels"].get(key) for key in expected}
                    if shown != expected:
                        self._differs(value, f"{place}.labels", shown, found)
                elif expected != actual[field]:
                    self._differs(value, f"{place}.{field}", actual[field], found)

    def _fingerprints_of(self, node: Node) -> list[str] | None:
        """Those of the case that a `same_as` names, None where there is no such case."""
        name = str(_plain(node))
        if name in self._seen:
            return _fingerprints(self._seen[name])
        self._say(node, f"there is no case {name!r} before this one", did_you_mean(name, self._seen))
        return None

    def _other(self, node: Node, what: str) -> None:
        self._say(node, f"{self._text('name')}: {what} of {str(_plain(node))!r}", "compare what identifies them")


def _fingerprints(found: Mapping[str, Any]) -> list[str]:
    return [entry["fingerprint"] for name in ("alerts", "changes") for entry in found[name]]


_loader: Final = yaml.SafeLoader("")


def _plain(node: Node) -> Any:
    """The value as JSON has it: a time stays the text that it is."""
    if isinstance(node, ScalarNode):
        return node.value if node.tag.endswith(":timestamp") else _loader.construct_object(node)
    if isinstance(node, SequenceNode):
        return [_plain(item) for item in node.value]
    return {str(_plain(key)): _plain(value) for key, value in node.value}
