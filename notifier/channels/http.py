"""One POST to a target: bounded in time and size, never redirected, only to addresses that the guard lets pass.

Nothing here raises for trouble on the way. What an exception says about the effect is decided by where it happened:
before a connection stood nothing can have happened; after it, the target may have acted.
"""

from __future__ import annotations

import asyncio
import os
import socket
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

import aiohttp
from yarl import URL

from kernel.clock import Millis
from kernel.model.delivery import Outcome
from notifier.channels.base import Cause, Result, Verdict, outcome_of
from notifier.channels.guard import RefusedTarget, resolve

CONNECT_S = 3.0
TOTAL_S = 10.0
BODY_LIMIT = 64 * 1024
RETRY_AFTER_CAP_MS = 300_000
# A name may have many addresses; more than these do not fit the total time-out anyway.
_ADDRESSES = 3
_USER_AGENT = "stormfold"


def open_session() -> aiohttp.ClientSession:
    """The session that all channels of a process share: no cookies, no proxy from the environment. Close it at exit."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, limit_per_host=16, ttl_dns_cache=None, use_dns_cache=False),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": _USER_AGENT},
        auto_decompress=False,
        trust_env=False,
    )


@dataclass(frozen=True)
class Target:
    """Where to POST. The URL is a secret: the repr does not show it."""

    url: URL = field(repr=False)
    allow_private: bool = False
    connect_s: float = CONNECT_S
    total_s: float = TOTAL_S

    @classmethod
    def parse(cls, url: str, allow_private: bool) -> Target:
        """Raises ValueError with what would be right; the message does not repeat the URL."""
        try:
            parsed = URL(url)
            usable = parsed.scheme in ("http", "https") and bool(parsed.raw_host) and parsed.port is not None
        except ValueError:
            usable = False
        if not usable:
            raise ValueError("the url must be absolute: https://host/path or http://host:port/path")
        return cls(parsed.with_fragment(None), allow_private)


@dataclass(frozen=True)
class Answer:
    """What came back: a status with the first 64 KiB of the body, or (status 0) the trouble on the way."""

    status: int = 0
    body: bytes = field(default=b"", repr=False)
    retry_after_ms: int = 0
    verdict: Verdict = Verdict.DONE
    cause: Cause = Cause.OK
    detail: str = ""

    def result(self, idempotent: bool, remote_id: str = "") -> Result:
        """As the caller wants it."""
        outcome = outcome_of(self.verdict, idempotent)
        return Result(
            outcome=outcome,
            reason=self.cause,
            detail=self.detail,
            retry_after_ms=self.retry_after_ms if outcome is Outcome.RETRY else 0,
            remote_id=remote_id,
            disable=self.verdict is Verdict.DISABLE,
        )


def retry_after(value: str | None, now_ms: Millis) -> int:
    """Milliseconds that a `Retry-After` header asks for, 0 to 300,000; both forms; nonsense is 0."""
    if value is None:
        return 0
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(int(text[:9]) * 1000, RETRY_AFTER_CAP_MS)
    try:
        moment = parsedate_to_datetime(text)
        wanted = int(moment.timestamp() * 1000)
    except (ValueError, TypeError, OverflowError, OSError):
        return 0
    return max(0, min(wanted - now_ms, RETRY_AFTER_CAP_MS))


def _trouble(verdict: Verdict, cause: Cause, detail: str) -> Answer:
    return Answer(verdict=verdict, cause=cause, detail=detail)


def _connect_detail(error: OSError) -> str:
    """Why no connection came about, in the system's own words (the library's would name host and port)."""
    if isinstance(error, aiohttp.ClientSSLError):
        return "the TLS handshake failed"
    inner = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if inner.errno is not None and inner.errno > 0:
        return f"no connection: {os.strerror(inner.errno)}"
    return "no connection"


async def post(
    session: aiohttp.ClientSession, target: Target, body: bytes, headers: dict[str, str], now_ms: Millis
) -> Answer:
    """POST once. `now_ms` is the wall time of the attempt, for a `Retry-After` that is a date.

    A status that arrived counts, whatever happens to the body after it. The caller judges statuses.
    """
    try:
        async with asyncio.timeout(target.connect_s):
            addresses = await resolve(target.url.raw_host or "", target.url.port or 0, target.allow_private)
    except RefusedTarget as error:
        return _trouble(Verdict.TERMINAL, Cause.REFUSED_TARGET, str(error))
    except TimeoutError:
        return _trouble(Verdict.NOTHING, Cause.TIMEOUT, "the name did not resolve in time")
    except UnicodeError:
        return _trouble(Verdict.TERMINAL, Cause.INVALID, "the host in the url is no name")
    except OSError:
        return _trouble(Verdict.NOTHING, Cause.CONNECTION, "the name does not resolve")
    seen: list[Answer] = []
    try:
        async with asyncio.timeout(target.total_s):
            return await _first_that_connects(session, target, addresses, body, headers, now_ms, seen)
    except TimeoutError:
        late = _trouble(Verdict.AMBIGUOUS, Cause.TIMEOUT, f"no answer within {target.total_s:g} s")
    except (aiohttp.ClientError, OSError) as error:
        late = _trouble(Verdict.AMBIGUOUS, Cause.CONNECTION, f"the connection broke: {type(error).__name__}")
    return seen[0] if seen else late


async def _first_that_connects(
    session: aiohttp.ClientSession,
    target: Target,
    addresses: list[str],
    body: bytes,
    headers: dict[str, str],
    now_ms: Millis,
    seen: list[Answer],
) -> Answer:
    """Try the addresses in turn until one takes a connection; `seen` gets the status as soon as it is there."""
    last = _trouble(Verdict.NOTHING, Cause.CONNECTION, "no connection")
    for address in addresses[:_ADDRESSES]:
        try:
            return await _exchange(session, target, address, body, headers, now_ms, seen)
        except aiohttp.ConnectionTimeoutError:
            last = _trouble(Verdict.NOTHING, Cause.TIMEOUT, f"no connection within {target.connect_s:g} s")
        except aiohttp.ClientConnectorError as error:
            last = _trouble(Verdict.NOTHING, Cause.CONNECTION, _connect_detail(error))
    return last


async def _exchange(
    session: aiohttp.ClientSession,
    target: Target,
    address: str,
    body: bytes,
    headers: dict[str, str],
    now_ms: Millis,
    seen: list[Answer],
) -> Answer:
    host = target.url.raw_host or ""
    # The URL carries the judged address, so no second look-up can lead elsewhere; the name stays in the Host header
    # and in the certificate's check.
    pinned = target.url.with_host(address)
    shown = f"[{host}]" if ":" in host else host
    named = shown if target.url.is_default_port() else f"{shown}:{target.url.port}"
    async with session.post(
        pinned,
        data=body,
        headers={**headers, "Host": named, "Accept-Encoding": "identity"},
        allow_redirects=False,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=target.connect_s),
        server_hostname=host if target.url.scheme == "https" and not _is_literal(host) else None,
    ) as response:
        status = response.status
        wait = retry_after(response.headers.get("Retry-After"), now_ms)
        seen.append(Answer(status, b"", wait, detail=f"HTTP {status}"))
        received = bytearray()
        # What is left unread costs the connection: the client closes it on the way out.
        while len(received) < BODY_LIMIT:
            chunk = await response.content.read(BODY_LIMIT - len(received))
            if not chunk:
                break
            received += chunk
        return Answer(status, bytes(received), wait, detail=f"HTTP {status}")


def _is_literal(host: str) -> bool:
    try:
        socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)
    except OSError:
        return False
    return True
