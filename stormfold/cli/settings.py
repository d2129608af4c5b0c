"""Process settings as a command reads them."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from kernel.config.settings import Settings
from stormfold.cli.errors import UserError


def read_settings(**overrides: Any) -> Settings:
    """The settings from `STORMFOLD_*` and from what the command line gave; an override of None says nothing.

    Raises UserError naming each variable that is wrong, never its value.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        lines = [f"STORMFOLD_{'_'.join(map(str, one['loc'])).upper()}: {one['msg']}" for one in error.errors()]
        raise UserError("\n".join(lines)) from None
