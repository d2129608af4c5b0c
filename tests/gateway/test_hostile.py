"""Hostile clients: whatever comes, the answer is never a 5xx of a bug, and the next client is served."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator

import pytest

from ingest.gateway import protocol
from tests.gateway.conftest import Running, raw

pytestmark = pytest.mark.parametrize("broker", [pytest.param("embedded", marks=pytest.mark.embedded)], indirect=True)

HEAD = b"POST /v1/sources/generic HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture(autouse=True)
async def served_afterwards(running: Running) -> AsyncIterator[None]:
    """After every test the gateway still takes an alert."""
    yield
    assert (await running.post("/v1/sources/generic", b'{"after": 1}'))[0] == 202


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"\x00\x01\x02\r\n\r\n", b"400"),
        (b"POST /v1/sources/\xff\xfe HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n[]", b"4"),
        (b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", b"40"),
        (b"CONNECT a:1 HTTP/1.1\r\nHost: x\r\n\r\n", b"4"),
        (HEAD + b"Content-Length: abc\r\n\r\n[]", b"400"),
        (HEAD + b"Content-Length: -1\r\n\r\n[]", b"400"),
        (HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n[]", b"400"),
        (HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n[]", b"400"),
        (HEAD + b"Content-Length: 99999999999999999999999\r\n\r\n[]", b"4"),
        (HEAD + b"Content-Length: 999999999999\r\n\r\n[]", b"413"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n[]\r\n", b"400"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n\r\n", b"202"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n[\r\n1\r\n]\r\n0\r\n\r\n", b"202"),
        (HEAD + b"Authorization: \xff\xff\xff\r\nContent-Length: 2\r\n\r\n[]", b"202"),
        (HEAD + b"Content-Encoding: \xff\r\nContent-Length: 2\r\n\r\n[]", b"415"),
        (HEAD + b"X: " + b"a" * 600_000 + b"\r\n\r\n", b"431"),
        (HEAD + b"".join(b"X-%d: y\r\n" % n for n in range(60_000)) + b"\r\n", b"431"),
        (b"POST /" + b"a" * 600_000 + b" HTTP/1.1\r\n\r\n", b"431"),
        (HEAD + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", b"4"),
        (b"GET /v1/sources/generic HTTP/9.9\r\n\r\n", b"4"),
        (b"POST /api/v1/incidents/%00/ack HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", b"401"),
        (b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", b"404"),
    ],
)
async def test_odd_requests(running: Running, request_bytes: bytes, status: bytes) -> None:
    answer = await raw(running, request_bytes)
    assert answer.startswith(b"HTTP/1.1 " + status), answer[:300]
    assert b"Traceback" not in answer


async def test_a_client_that_goes_away_in_its_body_publishes_nothing(running: Running) -> None:
    _, writer = await asyncio.open_connection(running.host, running.port)
    writer.write(HEAD + b"Content-Length: 10\r\n\r\n[1,2")
    await writer.drain()
    writer.close()
    async with asyncio.timeout(10):
        while not running.metric("stormfold_door_refused_total", source="generic", reason="incomplete"):
            await asyncio.sleep(0.01)
    assert await running.alerts() == []


@pytest.mark.parametrize(
    "trickle",
    [b"", HEAD, HEAD + b"Content-Length: 10\r\n\r\n[", HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n[\r\n"],
)
async def test_a_slow_client_is_sent_away(running: Running, monkeypatch: pytest.MonkeyPatch, trickle: bytes) -> None:
    monkeypatch.setattr(protocol, "REQUEST_SECONDS", 0.3)
    answer = await raw(running, trickle, wait=10.0)
    assert answer.startswith(b"HTTP/1.1 408 ") or (trickle == b"" and answer == b""), answer


async def test_a_slow_client_that_keeps_sending_is_sent_away_too(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "REQUEST_SECONDS", 0.3)
    reader, writer = await asyncio.open_connection(running.host, running.port)
    writer.write(HEAD)
    reading = asyncio.create_task(reader.read())
    async with asyncio.timeout(20):
        while not reading.done():
            writer.write(b"X: y\r\n")
            await asyncio.sleep(0.05)
    # The client wrote on after the end, so the answer may have been lost to a reset.
    with contextlib.suppress(ConnectionError):
        assert (await reading).startswith(b"HTTP/1.1 408 ")
    writer.close()


async def test_a_body_without_end_is_refused_before_it_ends(running: Running) -> None:
    reader, writer = await asyncio.open_connection(running.host, running.port)
    writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    chunk = b"10000\r\n" + b" " * 65_536 + b"\r\n"
    first = asyncio.create_task(reader.readuntil(b"\r\n"))
    sent = 0
    async with asyncio.timeout(30):
        # Until the connection is closed under us: the answer first, then a bound on what is thrown away.
        while not writer.is_closing() and not reader.at_eof():
            try:
                writer.write(chunk)
                await writer.drain()
            except ConnectionError:
                break
            sent += 65_536
            await asyncio.sleep(0)
    assert (await first).startswith(b"HTTP/1.1 413 ")
    assert sent < 64 * 1024 * 1024
    writer.close()
    assert running.metric("stormfold_door_refused_total", source="generic", reason="too_large") == 1


async def test_random_requests_never_meet_a_bug(running: Running) -> None:
    source = random.Random(7)
    good = HEAD + b"Content-Type: application/json\r\nContent-Length: 12\r\n\r\n" + b'{"a":[1,2]}\n'
    for _ in range(150):
        broken = bytearray(good)
        for _ in range(source.randint(1, 6)):
            place = source.randrange(len(broken))
            broken[place : place + source.randint(0, 3)] = source.randbytes(source.randint(0, 4))
        answer = await raw(running, bytes(broken), wait=0.05)
        assert not answer.startswith(b"HTTP/1.1 5"), (bytes(broken), answer)
