"""Whatever strangers send: a refusal with a status, a reason and a sentence, never another exception."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterator

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.origin.base import REASONS, NotProven, Prover, Request
from ingest.origin.certificates import Certificates
from ingest.origin.times import seconds_or_iso
from kernel.config import proof as forms
from kernel.config.proof import standard_key
from tests.unit.origin.amazon import TOPIC, Amazon, message
from tests.unit.origin.requests import NOW, OTHER, SECRET, prover, secrets
from tests.unit.origin.test_codes import CASES
from tests.unit.origin.test_oracles import KEYS

PAIR = secrets(SECRET, OTHER)


def provers() -> Iterator[tuple[str, Prover]]:
    """One of every form."""
    for name, case in CASES.items():
        yield name, prover(case.proof(secrets=PAIR, **case.options))  # type: ignore[arg-type]
    yield "token", prover(forms.TokenProof(secrets=PAIR))
    yield "header", prover(forms.HeaderProof(secrets=PAIR, header="X-Key", prefix="key "))
    yield "standard-webhooks", prover(forms.StandardWebhooksProof(secrets=secrets(*KEYS)))
    yield "sns", prover(forms.SnsProof(topics=(TOPIC,)), Certificates(ask=Amazon().ask))


PROVERS = dict(provers())
HEADERS = sorted(
    {name for case in CASES.values() for name in case.headers}
    | {"authorization", "x-key", "webhook-id", "webhook-timestamp", "webhook-signature", "x-amz-sns-message-type"}
)
WORDS = st.sampled_from(
    [b"v1=", b"v0=", b"v1,", b"sha256=", b",", b" ", b"=", b"Basic ", b"Bearer ", b"key ", b"\x00", b"\xff", b"0" * 64]
    + [value.encode() for case in CASES.values() for value in case.headers.values()]
    + [str(NOW // 1000).encode(), b"9" * 400, b"-1", b"1e400", b"NaN", b"0001-01-01T00:00:00+23:59"]
)
VALUES = st.one_of(st.binary(max_size=200), st.lists(WORDS, max_size=6).map(b"".join))
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@st.composite
def envelopes(draw: st.DrawFn) -> bytes:
    """An SNS envelope with fields replaced or left out, or bytes of one cut or changed."""
    body = message(draw(st.sampled_from(["Notification", "SubscriptionConfirmation"])))
    for name in draw(st.lists(st.sampled_from(sorted(body)), max_size=3)):
        body[name] = draw(JSON)
    for name in draw(st.lists(st.sampled_from(sorted(body)), max_size=2)):
        body.pop(name, None)
    raw = bytearray(orjson.dumps(body))
    if draw(st.booleans()):
        at = draw(st.integers(0, len(raw) - 1))
        raw[at : at + draw(st.integers(0, 9))] = draw(st.binary(max_size=5))
    return bytes(raw)


async def judged(name: str, request: Request, now: int = NOW) -> None:
    """The form accepts, or refuses as it may."""
    try:
        await PROVERS[name].check(request, now)
    except NotProven as error:
        proper(error, (400, 401, 403, 503) if name == "sns" else (400, 401, 403))


def proper(error: NotProven, statuses: tuple[int, ...]) -> None:
    """A refusal that can be answered, logged and counted, and says nothing of a secret."""
    assert error.status in statuses
    assert error.reason in REASONS
    assert error.sentence.isprintable()
    assert len(error.sentence) < 1_000
    shown = [error.sentence.encode(), *(value for _, value in error.headers)]
    assert not any(secret.encode() in text for secret in (SECRET, OTHER, *KEYS) for text in shown)
    assert not any(letter in value for _, value in error.headers for letter in b"\r\n")


@pytest.mark.parametrize("name", PROVERS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    headers=st.dictionaries(st.sampled_from(HEADERS), VALUES, max_size=6),
    body=st.one_of(st.binary(max_size=300), envelopes()),
    now=st.sampled_from([NOW, 0, 2**63]),
)
async def test_any_request(name: str, headers: dict[str, bytes], body: bytes, now: int) -> None:
    await judged(name, Request("POST", "/v1/sources/s", b"", headers, body), now)


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
async def test_a_good_request_with_one_header_changed(name: str, data: st.DataObject) -> None:
    headers = {key: value.encode() for key, value in CASES[name].headers.items()}
    changed = data.draw(st.sampled_from(sorted(headers)))
    value = bytearray(headers[changed])
    at = data.draw(st.integers(0, len(value)))
    value[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    headers[changed] = bytes(value)
    await judged(name, Request("POST", "/v1/sources/s", b"", headers, b'{"alert": "disk full"}'))


@settings(max_examples=150, deadline=None)
@given(body=envelopes())
async def test_envelopes(body: bytes) -> None:
    await judged("sns", Request("POST", "/v1/sources/s", b"", {}, body))


@settings(max_examples=100, deadline=None)
@given(name=VALUES, time=VALUES, body=st.binary(max_size=100))
async def test_names_and_times_that_are_signed(name: bytes, time: bytes, body: bytes) -> None:
    """A sender who knows the secret can be as wrong as a stranger."""
    name, time = name.strip() or b"m", time.strip() or b"0"
    key = standard_key(secrets(KEYS[0])[0])
    standard = base64.b64encode(hmac.digest(key, name + b"." + time + b"." + body, "sha256"))
    headers = {"webhook-id": name, "webhook-timestamp": time, "webhook-signature": b"v1," + standard}
    await judged("standard-webhooks", Request("POST", "/v1/sources/s", b"", headers, body))
    headers = {"x-code": hmac.digest(SECRET.encode(), time + b"." + body, "sha1").hex().encode(), "x-time": time}
    await judged("hmac with a time in milliseconds", Request("POST", "/v1/sources/s", b"", headers, body))


@settings(max_examples=50, deadline=None)
@given(text=st.text(), subject=st.none() | st.text(), version=st.sampled_from(["1", "2"]))
async def test_any_text_that_amazon_signed(text: str, subject: str | None, version: str) -> None:
    body = orjson.dumps(message(version=version, Message=text, Subject=subject))
    assert (await PROVERS["sns"].check(Request("POST", "/", b"", {}, body), NOW)).skew == 0


@settings(max_examples=200)
@given(
    st.one_of(st.binary(max_size=50), st.datetimes(timezones=st.timezones()).map(lambda at: at.isoformat().encode()))
)
def test_times(text: bytes) -> None:
    found = seconds_or_iso(text)
    assert found is None or isinstance(found, int)
