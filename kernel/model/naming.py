"""Names that are derived, never drawn: fingerprints, shards, incident ids, episodes, delivery ids.

Every hash is taken over length-prefixed fields, so ("ab", "c") and ("a", "bc") can never meet.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Iterable, Mapping, Sequence

from kernel.model.alert import Origin


class NoIdentity(ValueError):
    """Every identity field of an alert is missing: there is nothing to tell it from another."""


def length_prefixed(fields: Iterable[str]) -> bytes:
    """Fields as UTF-8, each after its length in bytes: `3:foo0:2:ba`. Lone surrogates are kept as they are."""
    fields = tuple(fields)
    plain = "".join([f"{len(text)}:{text}" for text in fields])
    if plain.isascii():
        return plain.encode("ascii")
    parts: list[bytes] = []
    for text in fields:
        raw = text.encode("utf-8", "surrogatepass")
        parts.append(b"%d:" % len(raw))
        parts.append(raw)
    return b"".join(parts)


def digest(fields: Iterable[str], size: int = 16) -> bytes:
    """blake2b over the length-prefixed fields; `size` in bytes."""
    return hashlib.blake2b(length_prefixed(fields), digest_size=size).digest()


def fingerprint(tenant: str, source: str, identity: Mapping[str, str]) -> str:
    """The alert's fingerprint, 32 hex digits, over tenant, source and the identity fields in sorted order.

    Raises NoIdentity where `identity` is empty: a shared empty key would fold strangers together.
    """
    if not identity:
        raise NoIdentity("none of the fields that identify an alert of this source is present")
    flat = [tenant, source]
    for key in sorted(identity):
        flat.append(key)
        flat.append(identity[key])
    return digest(flat).hex()


def shard_of(domain: Sequence[str], shards: int) -> int:
    """The shard (= partition of `signals`, `incidents`, `deliveries`) of a domain: stable across processes."""
    return zlib.crc32(length_prefixed(domain)) % shards


_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS = tuple(first + second for first in _LETTERS for second in _LETTERS)


def _base32(raw: bytes) -> str:
    """Base 32 in lower case, of whole groups of 5 bytes."""
    number = int.from_bytes(raw, "big")
    return "".join([_PAIRS[number >> shift & 1023] for shift in range(len(raw) * 8 - 10, -1, -10)])


def incident_id(shard: int, domain: Sequence[str], rule: str, group: Sequence[str], opener: Origin) -> str:
    """`s07-` and 16 characters: the shard, then a hash of domain, rule, group key and the opener's origin."""
    flat = [*domain, "|", rule, "|", *group, "|", *(str(part) for part in opener)]
    return f"s{shard:02d}-{_base32(digest(flat, 10))}"


def shard_of_incident(incident: str) -> int | None:
    """The shard that an incident id names, None where it is no such id."""
    head, _, tail = incident.partition("-")
    if len(tail) == 16 and head[:1] == "s" and head[1:].isdigit() and head[1:].isascii():
        return int(head[1:])
    return None


_OWN_KEY = re.compile(r"(s\d{2,4}-[a-z2-7]{16})#([a-z2-7]{8})(?:#P[1-4])?")


def own_key(text: str) -> tuple[str, str] | None:
    """(incident, episode) where a vendor's key is one that stormfold gave it: `incident#episode`, or with a priority.

    Whatever carries such a key is about an incident that stormfold told of itself, never a new alert.
    """
    found = _OWN_KEY.fullmatch(text)
    return (found[1], found[2]) if found else None


def episode_of(opener: Origin) -> str:
    """An episode's name, 8 characters, from the origin of the signal that opened it."""
    return _base32(digest([str(part) for part in opener], 5))


def shard_tag(shard: int) -> str:
    """`s07`, as it stands in Redis keys (in braces) and in incident ids."""
    return f"s{shard:02d}"
