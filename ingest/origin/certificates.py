"""Amazon's signing certificates, and its subscriptions confirmed: the only requests that the gateway makes.

Both addresses come out of a message. They are asked only where the whole address, letter by letter, is one of SNS
itself: `https`, the host `sns.REGION.amazonaws.com` (`.cn` in China) without user or port, and no redirect is
followed. TLS says that it is that host, so its addresses are not judged: inside a VPC they are private.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from typing import Final

import aiohttp
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from msgspec import Struct
from yarl import URL

from kernel.clock import Millis
from kernel.config.proof import REGION

Ask = Callable[[str], Awaitable[tuple[int, bytes]]]
"""A GET: status and the first 64 KiB of the body. Raises OSError, TimeoutError or aiohttp's ClientError."""

KEPT: Final = 32
REFUSED_MS: Final = 60_000
AWAY_MS: Final = 5_000
FETCHES: Final = 20
FETCHES_MS: Final = 60_000
_BODY: Final = 64 * 1024
_HOST: Final = rf"https://sns\.({REGION})\.amazonaws\.com(?:\.cn)?"
_CERTIFICATE: Final = re.compile(_HOST + r"/[A-Za-z0-9_-]{1,200}\.pem")
_SUBSCRIBE: Final = re.compile(_HOST + r"/\?Action=ConfirmSubscription&[A-Za-z0-9&=:%._~+*/-]{1,2000}")


class CertificateRefused(Exception):
    """There is no certificate at that address that could have signed; the text is for the sender."""


class CertificateAway(Exception):
    """The certificate could not be fetched now; the text is for the sender."""


class NotConfirmed(Exception):
    """A subscription could not be confirmed; the text says why and names no token."""


class _Kept(Struct, frozen=True):
    """What came of an address, and until when that is believed (milliseconds)."""

    found: RSAPublicKey | CertificateRefused | CertificateAway
    until: Millis


class Certificates:
    """One for all sources of a gateway; it opens its client when it is first needed. Close it at exit.

    `also` lets further addresses pass and `ask` replaces the client; both are for tests, and no configuration
    reaches them.
    """

    def __init__(self, also: Callable[[str], bool] = lambda _: False, ask: Ask | None = None) -> None:
        self._also = also
        self._client = _Client()
        self._ask = ask or self._client.get
        # Apart, so that addresses which strangers make up push out none that was good.
        self._good: OrderedDict[str, _Kept] = OrderedDict()
        self._bad: OrderedDict[str, _Kept] = OrderedDict()
        self._fetching: dict[str, asyncio.Task[_Kept]] = {}
        self._fetched: deque[Millis] = deque()

    async def key(self, url: str, region: str, now: Millis) -> RSAPublicKey:
        """The key of a certificate of SNS in that region. Raises CertificateRefused or CertificateAway.

        An address is fetched once, however many ask at a time, and at most 20 addresses a minute are: a stranger
        may name as many as he likes.
        """
        rule = _CERTIFICATE.fullmatch(url)
        if (rule is None or rule[1] != region) and not self._also(url):
            raise CertificateRefused(f"SigningCertURL is not an address of SNS in {region}")
        kept = self._good.get(url) or self._bad.get(url)
        if kept is None or now >= kept.until:
            kept = await self._fetch(url, now)
        if isinstance(kept.found, Exception):
            raise type(kept.found)(*kept.found.args)
        return kept.found

    async def _fetch(self, url: str, now: Millis) -> _Kept:
        task = self._fetching.get(url)
        if task is None:
            while self._fetched and now - self._fetched[0] >= FETCHES_MS:
                self._fetched.popleft()
            if len(self._fetched) >= FETCHES:
                raise CertificateAway("too many different certificates are named at the moment")
            self._fetched.append(now)
            task = self._fetching[url] = asyncio.create_task(self._asked(url, now), name="origin.certificate")
            task.add_done_callback(lambda _: self._fetching.pop(url, None))
        # Whoever goes away must not take the answer from the others who wait for it.
        kept = await asyncio.shield(task)
        self._good.pop(url, None)
        self._bad.pop(url, None)
        there = self._bad if isinstance(kept.found, Exception) else self._good
        there[url] = kept
        while len(there) > KEPT:
            there.popitem(last=False)
        return kept

    async def _asked(self, url: str, now: Millis) -> _Kept:
        try:
            status, body = await self._ask(url)
        except (aiohttp.ClientError, OSError, TimeoutError):
            return _Kept(CertificateAway("Amazon's certificate cannot be fetched"), now + AWAY_MS)
        if status >= 500 or status == 429:
            return _Kept(CertificateAway(f"Amazon's certificate cannot be fetched: status {status}"), now + AWAY_MS)
        if status != 200:
            return _Kept(CertificateRefused(f"there is no certificate at SigningCertURL: {status}"), now + REFUSED_MS)
        return _read(body, now)

    async def confirm(self, url: str) -> None:
        """Ask for the `SubscribeURL` of a proven message, by the same rule of hosts. Raises NotConfirmed."""
        if _SUBSCRIBE.fullmatch(url) is None and not self._also(url):
            raise NotConfirmed("SubscribeURL is not an address of SNS that confirms a subscription")
        try:
            status, _ = await self._ask(url)
        except (aiohttp.ClientError, OSError, TimeoutError):
            raise NotConfirmed("Amazon could not be reached to confirm the subscription") from None
        if status != 200:
            raise NotConfirmed(f"Amazon did not confirm the subscription: status {status}")

    async def close(self) -> None:
        """End what is being fetched, and close the client."""
        tasks = list(self._fetching.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._client.close()


def _read(body: bytes, now: Millis) -> _Kept:
    """The key of a certificate in PEM that is in force now."""
    try:
        certificate = x509.load_pem_x509_certificate(body)
        key = certificate.public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion):
        return _Kept(CertificateRefused("what lies at SigningCertURL is no certificate"), now + REFUSED_MS)
    if not isinstance(key, RSAPublicKey) or key.key_size < 2048:
        refused = CertificateRefused("the certificate's key is not RSA of 2048 bits or more")
        return _Kept(refused, now + REFUSED_MS)
    begins = int(certificate.not_valid_before_utc.timestamp() * 1000)
    ends = int(certificate.not_valid_after_utc.timestamp() * 1000)
    if not begins - 300_000 <= now < ends:
        return _Kept(CertificateRefused("the certificate is not in force at this time"), now + REFUSED_MS)
    return _Kept(key, ends)


class _Client:
    """A GET over HTTPS: bounded in time and size, never redirected, no proxy of the environment, no cookies."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def get(self, url: str) -> tuple[int, bytes]:
        """As `Ask`. The address is sent as it is written, without being encoded again."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=10.0, connect=3.0),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": "stormfold"},
                trust_env=False,
            )
        async with self._session.get(URL(url, encoded=True), allow_redirects=False) as answer:
            body = await answer.content.read(_BODY)
            while len(body) < _BODY and (more := await answer.content.read(_BODY - len(body))):
                body += more
            return answer.status, body

    async def close(self) -> None:
        """Close the session if there is one."""
        if self._session is not None:
            await self._session.close()
            self._session = None
