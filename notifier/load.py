"""Reading a shard's ledgers back from Redis, as a new owner does once."""

from __future__ import annotations

from typing import Final

import msgspec

from kernel.model.state import NotifierDoc
from kernel.store.client import Store
from kernel.store.keys import Keys

_doc: Final = msgspec.json.Decoder(NotifierDoc)
_encoder: Final = msgspec.json.Encoder()

PARTS: Final = ("incidents", "due")
"""The shard's keys after chain and outbox, in the order of the script's KEYS."""


async def load(store: Store, keys: Keys, shard: int) -> dict[str, NotifierDoc]:
    """Every incident that the shard's notifier knows, by id."""
    raw = await store.hgetall(keys.notifier(shard, "incidents"))
    return {name.decode(): _doc.decode(data) for name, data in raw.items()}


def pack(doc: NotifierDoc) -> str:
    """A document as it stands in Redis."""
    return _encoder.encode(doc).decode("utf-8")
