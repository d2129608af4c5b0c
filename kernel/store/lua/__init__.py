"""The texts of the scripts: one file each, includes by a line `-- @include NAME`."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Final

_INCLUDE: Final = re.compile(r"^-- @include (\w+)$", re.MULTILINE)


@cache
def source(name: str) -> str:
    """The text of a script with its includes in place. Raises FileNotFoundError for an unknown name."""
    text = (files("kernel.store.lua") / f"{name}.lua").read_text(encoding="utf-8")
    return _INCLUDE.sub(lambda found: source(found[1]), text)
