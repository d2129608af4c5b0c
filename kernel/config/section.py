"""What all sections of a configuration file have in common."""

from __future__ import annotations

from msgspec import Struct


class Strict(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of all sections: unknown fields are refused."""
