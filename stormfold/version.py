"""The version of this build."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed


def version() -> str:
    """The installed package's version; `unknown` in a source tree that was never installed."""
    try:
        return installed("stormfold")
    except PackageNotFoundError:
        return "unknown"
