"""YAML read into the schema's types without losing where each value stands.

`Reader.read` goes down a YAML tree and a type at once, so that every problem has a file and a line and one look
finds all of them. What it understands is what `kernel.config.schema` uses: structs, unions of tagged structs,
`dict[str, T]`, `tuple[T, ...]`, `T | None`, enums, durations, secrets and plain scalars.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

import msgspec
import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from kernel.config.expressions import Expression, Language
from kernel.config.values import Duration, Secret

Path_ = tuple[str | int, ...]

_KINDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
_NODES = {MappingNode: "a mapping", SequenceNode: "a list", ScalarNode: "a single value"}
_SIMPLE_TAGS = {"tag:yaml.org,2002:" + kind for kind in ("str", "int", "float", "bool", "null", "timestamp")}


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a value is written; line 0 is the file as a whole."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """What is wrong at a place, and what would be right."""

    file: str
    line: int
    what: str
    hint: str = ""

    def __str__(self) -> str:
        text = f"{Place(self.file, self.line)}: {self.what}"
        return f"{text}; {self.hint}" if self.hint else text


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean rules?`, or the words that are known, or what to do where there are none."""
    words = sorted(known)
    near = get_close_matches(word, words, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"write one of: {', '.join(words)}" if words else "none is defined yet"


def place_of(node: Node) -> Place:
    """Where a node begins."""
    return Place(str(node.start_mark.name), node.start_mark.line + 1)


def is_null(node: Node) -> bool:
    """Whether nothing is written there, or `null`."""
    return isinstance(node, ScalarNode) and node.tag == "tag:yaml.org,2002:null"


class _Bad:
    """Stands for a value that had a problem."""


BAD = _Bad()


@dataclass
class Reader:
    """Reads nodes into types; collects `problems` and, for later checks, the `places` of what it read.

    `environ` and `base` are what secrets are resolved by; with `secrets` False only their form is checked. A list of
    structs leaves out those that could not be read; `kept` has the places in the file's list of those that stayed.
    """

    environ: Mapping[str, str]
    base: Path
    secrets: bool = True
    problems: list[Problem] = field(default_factory=list)
    places: dict[Path_, Place] = field(default_factory=dict)
    kept: dict[Path_, list[int]] = field(default_factory=dict)
    _loader: yaml.SafeLoader = field(default_factory=lambda: yaml.SafeLoader(""))

    def problem(self, place: Place, what: str, hint: str = "") -> None:
        """Note one problem."""
        self.problems.append(Problem(place.file, place.line, what, hint))

    def read(self, node: Node, kind: Any, path: Path_) -> Any:
        """The value of a node as `kind`, or `BAD` after noting why not."""
        self.places[path] = place_of(node)
        options = get_args(kind) if get_origin(kind) in (Union, UnionType) else ()
        if type(None) in options:
            if is_null(node):
                return None
            rest = tuple(option for option in options if option is not type(None))
            return self.read(node, rest[0] if len(rest) == 1 else Union[rest], path)  # noqa: UP007
        if options:
            return self._tagged(node, options, path)
        if get_origin(kind) is dict:
            return self._dict(node, get_args(kind)[1], path)
        if get_origin(kind) is tuple:
            return self._tuple(node, get_args(kind)[0], path)
        if kind is Secret:
            return self._secret(node, path)
        if kind is Expression:
            return self._expression(node, path)
        if issubclass(kind, msgspec.Struct):
            return self._struct(node, kind, path)
        return self._scalar(node, kind, path)

    def entries(self, node: Node, path: Path_) -> Iterator[tuple[str, Node, Node]]:
        """The entries of a mapping: key, the key's node, the value's node; a key that comes twice is a problem."""
        if is_null(node):
            return
        if not isinstance(node, MappingNode):
            self.problem(place_of(node), f"{_name(path)} is {_NODES[type(node)]}", "write a mapping: `name: value`")
            return
        seen: dict[str, Place] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode) or key.tag != "tag:yaml.org,2002:str":
                shown = getattr(key, "value", "this key")
                hint = "write its fields out" if shown == "<<" else "put it in quotes"
                self.problem(place_of(key), f"{shown!r} is not a name", hint)
                continue
            if key.value in seen:
                what = f"{key.value!r} is defined twice in {_name(path)}, first at {seen[key.value]}"
                self.problem(place_of(key), what, "keep one of them")
                continue
            seen[key.value] = place_of(key)
            yield key.value, key, value

    def _dict(self, node: Node, kind: Any, path: Path_) -> Any:
        found = {}
        for name, key, value in self.entries(node, path):
            read = self.read(value, kind, (*path, name))
            self.places[(*path, name)] = place_of(key)
            if read is not BAD:
                found[name] = read
        return found

    def _tuple(self, node: Node, kind: Any, path: Path_) -> Any:
        if isinstance(node, MappingNode) and getattr(kind, "alone", False):
            node = SequenceNode(node.tag, [node], node.start_mark, node.end_mark)
        if not isinstance(node, SequenceNode):
            hint = f"write [{node.value}]" if isinstance(node, ScalarNode) and node.value else "write a list"
            self.problem(place_of(node), f"{_name(path)} is {_NODES[type(node)]}", hint)
            return BAD
        found = [self.read(item, kind, (*path, index)) for index, item in enumerate(node.value)]
        self.kept[path] = [index for index, value in enumerate(found) if value is not BAD]
        if len(self.kept[path]) < len(found) and not issubclass(kind, msgspec.Struct):
            return BAD
        return tuple(value for value in found if value is not BAD)

    def _tagged(self, node: Node, options: tuple[Any, ...], path: Path_) -> Any:
        types = {option.__struct_config__.tag: option for option in options}
        if isinstance(node, MappingNode):
            for key, value in node.value:
                if key.value == "type":
                    if value.value in types:
                        return self._struct(node, types[value.value], path)
                    hint = did_you_mean(str(value.value), types)
                    self.problem(place_of(value), f"{value.value!r} is no type of {_name(path)}", hint)
                    return BAD
        self.problem(place_of(node), f"{_name(path)} has no type", f"write type: {' or '.join(sorted(types))}")
        return BAD

    def _struct(self, node: Node, kind: Any, path: Path_) -> Any:
        fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
        tag = kind.__struct_config__.tag_field
        values: dict[str, Any] = {}
        for name, key, value in self.entries(node, path):
            if name not in fields:
                if name != tag:
                    self.problem(place_of(key), f"{_name(path)} has no field {name!r}", did_you_mean(name, fields))
                continue
            values[name] = self.read(value, fields[name].type, (*path, name))
        if not isinstance(node, MappingNode) and not is_null(node):
            return BAD
        required = [name for name, spec in fields.items() if spec.required]
        for name in required:
            if name not in values:
                self.problem(place_of(node), f"{_name(path)} lacks the field {name!r}", f"write {name}: ...")
        # A bad value of an optional field leaves its default, so that the checks to come find what else is wrong.
        values = {name: value for name, value in values.items() if value is not BAD}
        if not all(name in values for name in required):
            return BAD
        return kind(**{fields[name].name: value for name, value in values.items()})

    def _secret(self, node: Node, path: Path_) -> Any:
        spec: dict[str, str] = {}
        if isinstance(node, MappingNode):
            spec = {str(key.value): value.value for key, value in node.value if isinstance(value, ScalarNode)}
        if not self.secrets and len(spec) == 1 and set(spec) <= {"env", "file"}:
            ((kind, name),) = spec.items()
            return Secret(f"{kind}:{name}", "")
        try:
            return Secret.resolve(spec, dict(self.environ), self.base)
        except ValueError as error:
            what, _, hint = str(error).partition("; ")
            self.problem(place_of(node), f"{_name(path)}: {what}", hint)
            return BAD

    def _expression(self, node: Node, path: Path_) -> Any:
        language: Language | None = Language.JMESPATH
        written = node
        if isinstance(node, MappingNode) and len(node.value) == 1:
            ((key, written),) = node.value
            language = {"cel": Language.CEL, "text": Language.TEXT}.get(key.value)
        if language is None or not isinstance(written, ScalarNode) or is_null(written):
            hint = 'write JMESPath such as event.title, or {cel: "..."}, or {text: "..."}'
            self.problem(place_of(node), f"{_name(path)} is no expression", hint)
            return BAD
        try:
            return Expression(written.value, language)
        except ValueError as error:
            self.problem(place_of(written), f"{_name(path)}: {error}", "see docs/mappings.md for the grammar")
            return BAD

    def _scalar(self, node: Node, kind: Any, path: Path_) -> Any:
        if not isinstance(node, ScalarNode) or node.tag not in _SIMPLE_TAGS:
            wanted = "a duration" if kind is Duration else _KINDS.get(kind, "a word")
            is_now = _NODES[type(node)] if not isinstance(node, ScalarNode) else f"tagged {node.tag}"
            self.problem(place_of(node), f"{_name(path)} is {is_now}", f"write {wanted}")
            return BAD
        try:
            if kind is Duration:
                return Duration.parse(node.value)
            if issubclass(kind, Enum):
                return kind(node.value)
            return msgspec.convert(self._loader.construct_object(node), kind, strict=True)
        except ValueError as error:
            self.problem(place_of(node), *_explain(node, kind, path, error))
            return BAD


def _explain(node: ScalarNode, kind: Any, path: Path_, error: ValueError) -> tuple[str, str]:
    if kind is Duration:
        what, _, hint = str(error).partition("; ")
        return f"{_name(path)}: {what}", hint
    is_now = "empty" if is_null(node) else repr(node.value)
    if issubclass(kind, Enum):
        return f"{_name(path)} is {is_now}", did_you_mean(node.value, [str(item.value) for item in kind])
    if kind is str and not is_null(node):
        return f"{_name(path)} is {is_now}, which YAML does not read as text", "put it in quotes"
    return f"{_name(path)} is {is_now}", f"write {_KINDS[kind]}"


def _name(path: Path_) -> str:
    """`rules[2].window` for `("rules", 2, "window")`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text or "the file"
