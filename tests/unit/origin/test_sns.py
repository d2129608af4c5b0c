"""SNS: what proves a message, in both versions, and every way to pretend."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from ingest.origin.base import NotProven, Prover
from ingest.origin.certificates import KEPT, CertificateRefused, Certificates, NotConfirmed
from kernel.config.proof import SnsProof
from tests.unit.origin.amazon import SUBSCRIBE, TOPIC, URL, Amazon, certificate, encoded, key, message
from tests.unit.origin.requests import NOW, accepted, prover, refused, request

KINDS = ("Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation")


def sns(amazon: Amazon | None = None, *topics: str) -> Prover:
    return prover(SnsProof(topics=topics or (TOPIC,)), Certificates(ask=(amazon or Amazon()).ask))


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("kind", KINDS)
async def test_both_versions_of_every_kind(kind: str, version: str) -> None:
    body = message(kind, version)
    proven = await accepted(sns(), request(encoded(body)), NOW + 500)
    assert (proven.replay, proven.skew) == (body["MessageId"], 500)
    assert proven.remember >= 2 * 3_600_000


async def test_the_subject_is_signed_where_there_is_one() -> None:
    body = message(Subject='ALARM: "cpu" in EU\u2013Frankfurt')
    await accepted(sns(), request(encoded(body)))
    await accepted(sns(), request(encoded(message(Subject=None))))
    del body["Subject"]
    assert (await refused(sns(), request(encoded(body)))).reason == "signature"
    assert (await refused(sns(), request(encoded(message() | {"Subject": "added"})))).reason == "signature"


@pytest.mark.parametrize("field", ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "Type"])
async def test_no_signed_field_can_be_changed(field: str) -> None:
    body = message("SubscriptionConfirmation")
    body[field] = {"Type": "UnsubscribeConfirmation", "Timestamp": "2025-11-23T03:53:21Z"}.get(field, body[field] + "x")
    if field == "Type":
        body["Type"] = "Notification"
    error = await refused(sns(), request(encoded(body)))
    assert (error.status, error.reason) == (403, "signature")


@pytest.mark.parametrize("version", ["1", "2"])
async def test_a_signature_of_one_version_is_none_of_the_other(version: str) -> None:
    body = message(version=version) | {"SignatureVersion": "12".replace(version, "")}
    assert (await refused(sns(), request(encoded(body)))).reason == "signature"


async def test_only_the_topics_of_the_configuration() -> None:
    other = TOPIC.replace("alarms", "other")
    body = message(TopicArn=other)
    amazon = Amazon()
    error = await refused(sns(amazon), request(encoded(body)))
    assert (error.status, error.reason, amazon.asked) == (403, "topic", [])
    await accepted(sns(None, TOPIC, other), request(encoded(body)))


@pytest.mark.parametrize(
    "url",
    [
        URL.replace("https", "http"),
        URL.replace("sns.eu", "sqs.eu"),
        URL.replace("eu-central-1", "eu-west-1"),
        URL.replace("eu-central-1", "s3"),
        URL.replace("eu-central-1", "s3-eu-central-1"),
        URL.replace("amazonaws.com", "amazonaws.com.evil.example"),
        URL.replace("amazonaws.com", "amazonaws.com@evil.example"),
        URL.replace("amazonaws.com", "amazonaws.com:8443"),
        URL.replace("amazonaws.com", "amazonaws.com\\@evil.example"),
        URL.replace("https://", "https://evil.example/?"),
        URL.replace("https://", "https://user:word@"),
        URL.replace("/Simple", "/../bucket/Simple"),
        URL.replace(".pem", ".pem#"),
        URL.replace(".pem", ".pem?x=.pem"),
        URL.replace(".pem", ".pem\n"),
        URL.replace(".pem", ""),
        URL.upper(),
        "http://169.254.169.254/latest/meta-data/x.pem",
        "file:///etc/ssl/x.pem",
        "",
    ],
)
async def test_certificates_of_other_hosts_are_not_fetched(url: str) -> None:
    amazon = Amazon({url: (200, certificate())})
    error = await refused(sns(amazon), request(encoded(message(SigningCertURL=url))))
    assert (error.status, error.reason, amazon.asked) == (403, "certificate", [])


async def test_china_has_a_host_of_its_own() -> None:
    topic = "arn:aws-cn:sns:cn-north-1:123456789012:alarms"
    url = "https://sns.cn-north-1.amazonaws.com.cn/SimpleNotificationService-1.pem"
    amazon = Amazon({url: (200, certificate())})
    await accepted(sns(amazon, topic), request(encoded(message(TopicArn=topic, SigningCertURL=url))))


@pytest.mark.parametrize("off", [-3_601_000, 3_602_000])
async def test_an_hour_is_the_most_that_a_message_may_be_off(off: int) -> None:
    error = await refused(sns(), request(encoded(message())), NOW + off)
    assert (error.status, error.reason, error.skew) == (403, "stale", off)
    await accepted(sns(), request(encoded(message())), NOW + off - (2_000 if off > 0 else -2_000))


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b'"Notification"',
        b"{}",
        b'{"AlarmName": "raw delivery"}',
        b"[" * 3_000,
        encoded(message() | {"Type": "notification"}),
        encoded(message() | {"Type": ["Notification"]}),
        encoded(message() | {"Message": {"AlarmName": "x"}}),
        encoded(message() | {"Subject": 7}),
        encoded(message() | {"MessageId": None}),
        encoded(message() | {"TopicArn": 7}),
        encoded(message() | {"Signature": "not base64"}),
        encoded(message() | {"Signature": "\u00e9"}),
        encoded(message() | {"SignatureVersion": "3"}),
        encoded(message() | {"SignatureVersion": 1}),
        encoded(message(Timestamp="yesterday")),
        encoded(message(MessageId="a b")),
        encoded(message(MessageId="x" * 201)),
    ],
)
async def test_what_is_no_message_is_malformed(broken: bytes) -> None:
    error = await refused(sns(), request(broken))
    assert (error.status, error.reason) == (400, "malformed")


async def test_an_empty_signature_is_a_wrong_one() -> None:
    for signature in ("", "AAAA"):
        error = await refused(sns(), request(encoded(message() | {"Signature": signature})))
        assert (error.status, error.reason) == (403, "signature")


@pytest.mark.parametrize(
    "found",
    [
        (200, b"no certificate"),
        (200, b""),
        (200, certificate()[:-200]),
        (200, certificate(begins=NOW - 3 * 86_400_000, days=1)),
        (200, certificate(begins=NOW + 86_400_000)),
        (200, certificate(ec.generate_private_key(ec.SECP256R1()))),
        (200, certificate(key(1024))),
        (302, b""),
        (404, b""),
    ],
)
async def test_what_could_not_have_signed_is_refused_and_not_asked_again_soon(found: tuple[int, bytes]) -> None:
    amazon = Amazon({URL: found})
    made = sns(amazon)
    for _ in range(3):
        error = await refused(made, request(encoded(message())))
        assert (error.status, error.reason) == (403, "certificate")
    assert len(amazon.asked) == 1
    amazon.answers[URL] = (200, certificate())
    await accepted(made, request(encoded(message())), NOW + 60_000)


@pytest.mark.parametrize("trouble", [OSError("no route"), TimeoutError(), (503, b""), (429, b"")])
async def test_while_amazon_is_away_the_sender_is_asked_to_try_again(trouble: tuple[int, bytes] | Exception) -> None:
    amazon = Amazon({URL: trouble})
    made = sns(amazon)
    for _ in range(2):
        error = await refused(made, request(encoded(message())))
        assert (error.status, error.reason) == (503, "certificate_away")
        assert dict(error.headers)[b"retry-after"].isdigit()
    assert len(amazon.asked) == 1
    amazon.answers[URL] = (200, certificate())
    await accepted(made, request(encoded(message())), NOW + 5_000)


async def test_a_certificate_is_fetched_once_however_many_ask() -> None:
    amazon, go = Amazon(), asyncio.Event()

    async def slowly(url: str) -> tuple[int, bytes]:
        await go.wait()
        return await amazon.ask(url)

    made = prover(SnsProof(topics=(TOPIC,)), Certificates(ask=slowly))
    first = asyncio.create_task(made.check(request(encoded(message())), NOW))
    rest = [asyncio.create_task(made.check(request(encoded(message(MessageId=f"m{n}"))), NOW)) for n in range(9)]
    await asyncio.sleep(0)
    first.cancel()
    go.set()
    assert {(await task).replay for task in rest} == {f"m{n}" for n in range(9)}
    assert first.cancelled() or first.cancelling()
    await accepted(made, request(encoded(message())))
    assert amazon.asked == [URL]


async def test_a_certificate_that_ended_is_fetched_again() -> None:
    amazon = Amazon()
    made = sns(amazon)
    await accepted(made, request(encoded(message())))
    later = NOW + 40 * 86_400_000
    assert (await refused(made, request(encoded(message(at=later))), later)).reason == "certificate"
    amazon.answers[URL] = (200, certificate(begins=later))
    await accepted(made, request(encoded(message(at=later))), later + 60_000)
    assert len(amazon.asked) == 3


async def test_strangers_cannot_have_us_fetch_without_end() -> None:
    amazon = Amazon()
    made = sns(amazon)
    await accepted(made, request(encoded(message())))
    reasons: list[str] = []
    for n in range(60):
        url = URL.replace("0a1b2c", f"{n:06x}")
        reasons.append((await refused(made, request(encoded(message(SigningCertURL=url))))).reason)
    assert reasons == ["certificate"] * 19 + ["certificate_away"] * 41
    assert len(amazon.asked) == 20
    await accepted(made, request(encoded(message())))
    assert len(amazon.asked) == 20, "what was fetched before is not forgotten for strangers"
    certificates = Certificates(ask=amazon.ask)
    await certificates.key(URL, "eu-central-1", NOW)
    for n in range(100):
        with pytest.raises(CertificateRefused):
            await certificates.key(URL.replace("0a1b2c", f"{n}"), "eu-central-1", NOW + n * 10_000)
    assert len(certificates._bad) <= KEPT
    before = len(amazon.asked)
    await certificates.key(URL, "eu-central-1", NOW + 1_000_000)
    assert len(amazon.asked) == before, "nor in the long run"


async def test_a_subscription_is_confirmed_at_amazon_only() -> None:
    amazon = Amazon({SUBSCRIBE: (200, b"<ok/>")})
    certificates = Certificates(ask=amazon.ask)
    await certificates.confirm(SUBSCRIBE)
    assert amazon.asked == [SUBSCRIBE]
    for url in (
        SUBSCRIBE.replace("https", "http"),
        SUBSCRIBE.replace("eu-central-1.amazonaws", "s3.amazonaws"),
        SUBSCRIBE.replace("amazonaws.com", "amazonaws.com.evil.example"),
        SUBSCRIBE.replace("ConfirmSubscription", "DeleteTopic"),
        SUBSCRIBE + "#@evil.example",
        SUBSCRIBE + "\r\nHost: evil.example",
        "http://127.0.0.1/",
        "",
    ):
        with pytest.raises(NotConfirmed, match="not an address"):
            await certificates.confirm(url)
    assert len(amazon.asked) == 1


@pytest.mark.parametrize("trouble", [OSError("no route"), TimeoutError(), (403, b""), (302, b""), (500, b"")])
async def test_a_subscription_that_could_not_be_confirmed_is_said(trouble: Any) -> None:
    with pytest.raises(NotConfirmed) as caught:
        await Certificates(ask=Amazon({SUBSCRIBE: trouble}).ask).confirm(SUBSCRIBE)
    assert "2336412f" not in str(caught.value)


async def test_closing_ends_a_fetch_that_hangs() -> None:
    async def never(_: str) -> tuple[int, bytes]:
        await asyncio.Event().wait()
        raise AssertionError

    certificates = Certificates(ask=never)
    task = asyncio.create_task(prover(SnsProof(topics=(TOPIC,)), certificates).check(request(encoded(message())), NOW))
    await asyncio.sleep(0.01)
    await certificates.close()
    with pytest.raises((asyncio.CancelledError, NotProven)):
        await task
