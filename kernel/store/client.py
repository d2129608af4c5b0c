"""Redis or Valkey behind the few commands that stormfold uses; bytes come back as the server keeps them."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from kernel.store.lua import source

Arg = str | bytes
log = logging.getLogger(__name__)

MINIMUM = {"redis": (7, 0, 0), "valkey": (8, 0, 0)}


class StoreUnavailable(ConnectionError):
    """The server did not answer; whether a write was applied is unknown."""


class StoreUnfit(RuntimeError):
    """The server cannot be used as it is; the message says what to change."""


class Store(Protocol):
    """What stormfold needs of Redis. Every call raises StoreUnavailable where no answer came."""

    async def script(self, name: str, keys: Sequence[str], args: Sequence[Arg]) -> Any:
        """Run the script of that name once; never re-sent by the client."""
        ...

    async def hgetall(self, key: str) -> dict[bytes, bytes]:
        """A whole hash, empty where there is none."""
        ...

    async def hget(self, key: str, name: str) -> bytes | None:
        """One field of a hash."""
        ...

    async def hmget_all(self, wanted: Sequence[tuple[str, Sequence[str]]]) -> list[list[bytes | None]]:
        """Fields of several hashes in one round trip, in the order asked."""
        ...

    async def hset(self, key: str, fields: Mapping[str, Arg]) -> None:
        """Set fields of a hash."""
        ...

    async def hset_all(self, writes: Sequence[tuple[str, Mapping[str, Arg], int]]) -> None:
        """Set fields of several hashes in one round trip; a key that has no lifetime gets the one named, in ms."""
        ...

    async def hsetnx(self, key: str, name: str, value: str) -> bool:
        """Set a field where it is missing."""
        ...

    async def get(self, key: str) -> bytes | None:
        """A string, None where there is none."""
        ...

    async def put(self, key: str, value: Arg, lifetime: int) -> None:
        """Set a string that is gone after so many milliseconds."""
        ...

    async def zrange_scores(self, key: str) -> list[tuple[bytes, float]]:
        """A whole sorted set, lowest score first."""
        ...

    async def stream(self, key: str, count: int) -> list[tuple[str, dict[bytes, bytes]]]:
        """The first entries of a stream."""
        ...

    async def exists(self, key: str) -> bool:
        """Whether a key is there."""
        ...

    async def delete(self, keys: Iterable[str]) -> None:
        """Delete keys, each by itself: they may lie in different slots."""
        ...

    async def check(self) -> str:
        """The server's name and version. Raises StoreUnfit for one that is too old."""
        ...

    async def close(self) -> None:
        """Drop all connections."""
        ...


class RedisStore:
    """A Store over redis-py; no retries, so that a script is sent once for each call."""

    def __init__(self, url: str, connections: int = 16, timeout: float = 5.0) -> None:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=connections,
            timeout=timeout,
            socket_timeout=timeout,
            socket_connect_timeout=3.0,
            protocol=3,
            retry=Retry(NoBackoff(), 0),
            decode_responses=False,
        )
        self._redis: Redis = Redis.from_pool(pool)
        self._shas: dict[str, str] = {}

    async def _call(self, coroutine: Any) -> Any:
        try:
            return await coroutine
        except (RedisConnectionError, RedisTimeoutError, TimeoutError, OSError) as error:
            raise StoreUnavailable(str(error) or type(error).__name__) from error
        except RedisError as error:
            if isinstance(error, NoScriptError) or not _passing(error):
                raise
            raise StoreUnavailable(str(error)) from error

    async def script(self, name: str, keys: Sequence[str], args: Sequence[Arg]) -> Any:
        sha = self._shas.get(name)
        if sha is None:
            sha = self._shas[name] = hashlib.sha1(source(name).encode(), usedforsecurity=False).hexdigest()
        try:
            return await self._call(self._redis.evalsha(sha, len(keys), *keys, *args))
        except NoScriptError:
            return await self._call(self._redis.eval(source(name), len(keys), *keys, *args))

    async def hgetall(self, key: str) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = await self._call(self._redis.hgetall(key))
        return found

    async def hget(self, key: str, name: str) -> bytes | None:
        found: bytes | None = await self._call(self._redis.hget(key, name))
        return found

    async def hmget_all(self, wanted: Sequence[tuple[str, Sequence[str]]]) -> list[list[bytes | None]]:
        if len(wanted) == 1:
            return [await self._call(self._redis.hmget(wanted[0][0], list(wanted[0][1])))]
        pipe = self._redis.pipeline(transaction=False)
        for key, names in wanted:
            pipe.hmget(key, list(names))
        found: list[list[bytes | None]] = await self._call(pipe.execute())
        return found

    async def hset(self, key: str, fields: Mapping[str, Arg]) -> None:
        await self._call(self._redis.hset(key, items=_flat(fields)))

    async def hset_all(self, writes: Sequence[tuple[str, Mapping[str, Arg], int]]) -> None:
        pipe = self._redis.pipeline(transaction=False)
        for key, fields, lifetime in writes:
            pipe.hset(key, items=_flat(fields))
            pipe.pexpire(key, lifetime, nx=True)
        await self._call(pipe.execute())

    async def hsetnx(self, key: str, name: str, value: str) -> bool:
        return bool(await self._call(self._redis.hsetnx(key, name, value)))

    async def get(self, key: str) -> bytes | None:
        found: bytes | None = await self._call(self._redis.get(key))
        return found

    async def put(self, key: str, value: Arg, lifetime: int) -> None:
        await self._call(self._redis.set(key, value, px=lifetime))

    async def zrange_scores(self, key: str) -> list[tuple[bytes, float]]:
        found = await self._call(self._redis.zrange(key, 0, -1, withscores=True))
        return [(member, float(score)) for member, score in found]

    async def stream(self, key: str, count: int) -> list[tuple[str, dict[bytes, bytes]]]:
        found = await self._call(self._redis.xrange(key, count=count))
        return [(entry.decode(), fields) for entry, fields in found]

    async def exists(self, key: str) -> bool:
        return bool(await self._call(self._redis.exists(key)))

    async def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            await self._call(self._redis.delete(key))

    async def check(self) -> str:
        facts = await self._call(self._redis.info("server"))
        kind = "valkey" if "valkey_version" in facts else "redis"
        version = str(facts.get(f"{kind}_version", "0"))
        numbers = tuple(int(part) for part in version.split(".")[:3] if part.isdigit())
        if numbers < MINIMUM[kind]:
            least = ".".join(map(str, MINIMUM[kind]))
            raise StoreUnfit(
                f"{kind} {version} is too old; stormfold needs Redis 7.0 or Valkey 8, here at least {least}"
            )
        return f"{kind} {version}"

    async def close(self) -> None:
        await self._redis.aclose()


def _passing(error: RedisError) -> bool:
    """Whether a server's error goes away by itself: it is starting, failing over, or full for the moment."""
    return str(error).startswith(("LOADING", "READONLY", "CLUSTERDOWN", "MASTERDOWN", "TRYAGAIN", "OOM", "Connection"))


def _flat(fields: Mapping[str, Arg]) -> list[Any]:
    return [part for pair in fields.items() for part in pair]
