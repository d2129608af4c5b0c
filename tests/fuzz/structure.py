"""Mutations that keep a body what it is, JSON or a form, and change what stands in it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from copy import deepcopy
from random import Random
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

HOSTILE: Final[tuple[Any, ...]] = (
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
    "${VARIABLE}",
    "\x00\x1b[2J\u202e",
    "x" * 5000,
    "\N{FIRE}" * 2000,
    "9" * 25,
    "9999-12-31T23:59:59-23:59",
    "0000-00-00T00:00:00Z",
    "firing",
    "resolved",
    [],
    {},
    [[]],
    [{}],
    {"": ""},
    {"a": {"a": {"a": None}}},
)
"""Values that senders were seen to write, and values that nobody should."""

RAW: Final[tuple[bytes, ...]] = (
    b"NaN",
    b"Infinity",
    b"1e999",
    b"1" * 4000,
    b'"\\ud800"',
    b'"\\udc00x"',
    b'"\xff"',
    b"[" * 5000,
    b'{"a":1,"a":[]}',
)
"""What no encoder of JSON would write in place of a value."""

MARK: Final = "@@hostile@@"
MAX_BYTES: Final = 64 * 1024
_HEADERS_END: Final = b"\n\n"


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value inside, outermost first; none for the whole."""
    found = [path] if path else []
    pairs: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in pairs:
        found += paths(item, (*path, key))
    return found


def at(value: Any, path: tuple[Any, ...]) -> Any:
    """The value at a path."""
    for key in path:
        value = value[key]
    return value


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """A copy with another value at the path."""
    copied = json.loads(json.dumps(value))
    at(copied, path[:-1])[path[-1]] = new
    return copied


def _mutate_value(body: Any, rng: Random, others: Sequence[Any]) -> Any:
    places = paths(body)
    if not places:
        return deepcopy(rng.choice(HOSTILE))
    place = rng.choice(places)
    holder, key = at(body, place[:-1]), place[-1]
    match rng.randrange(8):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, dict):
            holder[rng.choice(("", "type", "\x00", "é", str(key).upper(), str(key) * 2))] = holder.pop(key)
        case 2 if isinstance(holder, list):
            holder.extend(json.loads(json.dumps(holder))[: rng.randrange(1, 40)])
        case 3:
            other = rng.choice(others) if others else body
            found = paths(other)
            holder[key] = json.loads(json.dumps(at(other, rng.choice(found)))) if found else other
        case 4 if isinstance(holder[key], str):
            text: str = holder[key]
            cut = rng.randrange(len(text) + 1)
            holder[key] = text[:cut] + rng.choice(("", "\x7f", " ", text, "#P1", ":", "/")) + text[cut:]
        case 5:
            holder[key] = [holder[key]] if rng.random() < 0.5 else json.dumps(holder[key])
        case 6:
            holder[key] = MARK
        case _:
            holder[key] = deepcopy(rng.choice(HOSTILE))
    return body


def _noise(raw: bytes, rng: Random) -> bytes:
    cut = rng.randrange(len(raw) + 1)
    return raw[:cut] + rng.randbytes(rng.randrange(5)) + raw[cut + rng.randrange(5) :]


def _mutate_body(raw: bytes, rng: Random, others: Sequence[bytes]) -> bytes:
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        return _mutate_form(raw, rng)
    donors = []
    for other in rng.sample(others, min(2, len(others))):
        try:
            donors.append(json.loads(other))
        except (ValueError, RecursionError):
            continue
    for _ in range(rng.randrange(1, 4)):
        body = _mutate_value(body, rng, donors)
    made = json.dumps(body, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")
    return made.replace(f'"{MARK}"'.encode(), rng.choice(RAW))


def _mutate_form(raw: bytes, rng: Random) -> bytes:
    pairs = parse_qsl(raw.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=None)
    if not pairs or b"=" not in raw:
        return _noise(raw, rng)
    name, value = rng.choice(pairs)
    if value.startswith(("{", "[")):
        value = _mutate_body(value.encode("utf-8", "surrogatepass"), rng, ()).decode("utf-8", "replace")
    else:
        value = str(rng.choice(HOSTILE))
    return urlencode([(name, value) if pair[0] == name else pair for pair in pairs]).encode()


def _mutate_headers(block: bytes, rng: Random) -> bytes:
    lines = block.split(b"\n")
    chosen = rng.randrange(len(lines))
    match rng.randrange(4):
        case 0:
            del lines[chosen]
        case 1:
            lines.insert(chosen, lines[chosen])
        case 2:
            name, _, _ = lines[chosen].partition(b": ")
            new = str(rng.choice(HOSTILE)).replace("\n", " ").encode("utf-8", "surrogatepass")
            lines[chosen] = name + b": " + new[:2000]
        case _:
            lines[chosen] = _noise(lines[chosen], rng).replace(b"\n", b" ")
    return b"\n".join(lines)


def split(data: bytes) -> tuple[dict[str, bytes], bytes]:
    """Headers (lower case, repeated ones joined by a comma) and body of an input that may begin with headers."""
    block, found, body = data.partition(_HEADERS_END)
    if not found or b": " not in block:
        return {}, data
    headers: dict[str, bytes] = {}
    for line in block.split(b"\n"):
        name, _, value = line.partition(b": ")
        key = name.decode("latin-1").strip().lower()
        headers[key] = headers[key] + b"," + value if key in headers else value
    return headers, body


def joined(headers: Sequence[tuple[str, str]], body: bytes) -> bytes:
    """An input with headers."""
    return b"\n".join(f"{name}: {value}".encode() for name, value in headers) + _HEADERS_END + body


def mutate(data: bytes, rng: Random, others: Sequence[bytes]) -> bytes:
    """A neighbour of an input, at most 64 KiB; `others` lend parts."""
    block, found, body = data.partition(_HEADERS_END)
    if not found or b": " not in block:
        block, found, body = b"", b"", data
    if block and rng.random() < 0.4:
        return (_mutate_headers(block, rng) + found + body)[:MAX_BYTES]
    new = _noise(body, rng) if rng.random() < 0.1 else _mutate_body(body, rng, others)
    return (block + found + new)[:MAX_BYTES]
