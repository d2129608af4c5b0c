"""The gateway's API as the commands ask it, with a sentence for every way in which it does not answer."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp

from stormfold.cli import runtime_file
from stormfold.cli.errors import UserError
from stormfold.cli.screen import clean
from stormfold.cli.settings import read_settings

WITHIN: Final = 20.0
"""Seconds: a gateway waits 5 for Kafka and 5 for the effect before it answers."""


@dataclass(frozen=True)
class Gateway:
    """Where the commands speak to."""

    url: str
    token: str | None = field(repr=False)

    @classmethod
    def find(cls) -> Gateway:
        """`STORMFOLD_URL` and the operator's token; where that is not set, the embedded run that is there."""
        settings = read_settings()
        token = settings.operator_token.get_secret_value() if settings.operator_token else None
        running = None if "STORMFOLD_URL" in os.environ else runtime_file.read()
        if running is not None:
            return cls(running.url.rstrip("/"), running.operator_token)
        parts = urlsplit(settings.url)
        if parts.scheme not in ("http", "https") or not parts.netloc or "@" in parts.netloc:
            raise UserError("STORMFOLD_URL is no address of a gateway; write for example http://127.0.0.1:8080")
        return cls(settings.url.rstrip("/"), token)

    def ask(
        self, method: str, path: str, query: list[tuple[str, str]] | None = None, body: dict[str, str] | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Status and answer of the API. Raises UserError where none came, or one that is not the API's."""
        try:
            return asyncio.run(self._ask(method, path, query or [], body))
        except (TimeoutError, aiohttp.ServerTimeoutError) as error:
            raise UserError(
                f"the gateway at {self.url} did not answer within {WITHIN:.0f} s; look at its /readyz"
            ) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise UserError(
                f"no gateway answers at {self.url} ({type(error).__name__}): start one here with `make run`, or set "
                "STORMFOLD_URL to where one runs"
            ) from error

    async def _ask(
        self, method: str, path: str, query: list[tuple[str, str]], body: dict[str, str] | None
    ) -> tuple[int, dict[str, Any]]:
        headers = {"authorization": f"Bearer {self.token}"} if self.token else {}
        timeout = aiohttp.ClientTimeout(total=WITHIN)
        async with (
            aiohttp.ClientSession(timeout=timeout, headers=headers) as session,
            # A redirect would carry the token to somebody else.
            session.request(
                method, f"{self.url}/api/v1{path}", params=query, json=body, allow_redirects=False
            ) as answer,
        ):
            raw = await answer.read()
        try:
            said = json.loads(raw)
        except ValueError:
            said = None
        if not isinstance(said, dict):
            raise UserError(
                f"what answers at {self.url} is not stormfold's gateway (status {answer.status}); check STORMFOLD_URL"
            )
        return answer.status, said

    def refuse(self, status: int, said: dict[str, Any]) -> None:
        """Raises UserError for every status but success."""
        if status in (200, 202):
            return
        told = clean(str(said.get("error") or f"status {status}"))
        if status == 401:
            raise UserError(
                f"the gateway at {self.url} does not take this operator's token: set STORMFOLD_OPERATOR_TOKEN to the "
                "one it was started with"
            )
        if status == 403:
            raise UserError(
                f"the gateway at {self.url} was started without an operator's token, so its API is shut: set "
                "STORMFOLD_OPERATOR_TOKEN there, start it again, and set the same one here"
            )
        raise UserError(told)
