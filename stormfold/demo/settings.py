"""The demo's configuration: the example's rules, services and routes, sources with tokens, and pages that are answered.

The teams' channels are webhooks to a receiver in this process; no business hours, so that a storm at night comes to
the same.
"""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import yaml

from stormfold.demo.vendors import WRITERS

SOURCES: Final = (*WRITERS, "generic")
_KEPT: Final = ("rules.yaml", "services.yaml", "routes.yaml")


@dataclass(frozen=True)
class Secrets:
    """What is drawn anew for each run: a token for each source, and the secret that signs pages."""

    tokens: dict[str, str]
    signing: str

    @classmethod
    def draw(cls) -> Secrets:
        """New ones."""
        signing = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
        return cls({source: secrets.token_urlsafe(18) for source in SOURCES}, signing)

    def __repr__(self) -> str:
        return "Secrets(...)"

    @property
    def environ(self) -> dict[str, str]:
        """As the configuration names them."""
        return {_variable(source): token for source, token in self.tokens.items()} | {"DEMO_SIGNING": self.signing}


def _variable(source: str) -> str:
    return f"DEMO_TOKEN_{source.upper()}"


def write_config(directory: Path, receiver: str, lease: str | None) -> None:
    """Write the directory; `receiver` is the URL that pages go to, `lease` a duration such as `2s`."""
    directory.mkdir(mode=0o700)
    example = files("stormfold") / "example_config"
    for name in _KEPT:
        (directory / name).write_bytes((example / name).read_bytes())
    teams = yaml.safe_load((example / "teams.yaml").read_bytes())["teams"]
    sources = yaml.safe_load((example / "sources.yaml").read_bytes())["sources"]
    target: dict[str, Any] = {"type": "webhook", "allow_private": True, "secret": {"env": "DEMO_SIGNING"}}
    own: dict[str, Any] = {
        "teams": {name: {"page": ["pager"], "notify": ["chat"], "fallback": ["console"]} for name in teams},
        "channels": {
            "pager": {**target, "url": f"{receiver}/page", "per_minute": 6_000},
            "chat": {**target, "url": f"{receiver}/chat", "per_minute": 6_000},
            "console": {"type": "console"},
        },
        # What the storm comes to is counted to the last alert.
        "canary": {"every": "0s"},
        "sources": {source: {**(sources.get(source) or {}), "token": {"env": _variable(source)}} for source in SOURCES},
    }
    if lease is not None:
        own["correlation"] = {"lease": lease}
    (directory / "demo.yaml").write_text(yaml.safe_dump(own, sort_keys=False), encoding="utf-8")
