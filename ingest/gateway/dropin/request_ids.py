"""Request ids that say by themselves what was asked, and when: nothing has to be kept to answer for them later.

An id is a UUID (version 8): milliseconds, the action, random bits, and a code over them under the sender's own key.
Any gateway can read it, and only who has the key gets an answer.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import uuid

from kernel.clock import Millis

_VERSION = 0x80
_VARIANT = 0x80
_CODE = 4


def new_id(key: bytes, action: int, now: Millis) -> str:
    """An id for an action (0 to 15)."""
    drawn = secrets.token_bytes(5)
    head = now.to_bytes(6, "big") + bytes((_VERSION | action, drawn[0], _VARIANT | drawn[1] & 0x3F)) + drawn[2:]
    return str(uuid.UUID(bytes=head + _code(key, head)))


def read_id(key: bytes, text: str) -> tuple[int, Millis] | None:
    """(action, time) of an id that was given to who has this key, None for anything else."""
    try:
        raw = uuid.UUID(text).bytes
    except ValueError:
        return None
    head, code = raw[:-_CODE], raw[-_CODE:]
    if not hmac.compare_digest(code, _code(key, head)):
        return None
    return head[6] & 0x0F, int.from_bytes(head[:6], "big")


def _code(key: bytes, head: bytes) -> bytes:
    return hashlib.blake2b(head, digest_size=_CODE, key=hashlib.blake2b(key, person=b"request id").digest()).digest()
