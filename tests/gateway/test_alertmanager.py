"""`POST /api/v2/alerts` beside a real Alertmanager: the same request gets the same answer."""

from collections.abc import Callable

import aiohttp
import pytest

from tests.gateway.conftest import Running
from tests.servers.alertmanager import Alertmanager

pytestmark = pytest.mark.parametrize("broker", [pytest.param("embedded", marks=pytest.mark.embedded)], indirect=True)

CONFIG = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"
ALERT = b'[{"labels":{"alertname":"A"},"annotations":{"summary":"s"},"generatorURL":"http://x/"}]'
JSON = {"Content-Type": "application/json"}
REQUESTS: dict[str, tuple[str, bytes, dict[str, str]]] = {
    "one alert": ("POST", ALERT, JSON),
    "no alert": ("POST", b"[]", JSON),
    "null": ("POST", b"null", JSON),
    "with charset": ("POST", ALERT, {"Content-Type": "application/json; charset=utf-8"}),
    "type in capitals": ("POST", ALERT, {"Content-Type": "Application/JSON"}),
    "cut off": ("POST", ALERT[:-3], JSON),
    "no JSON": ("POST", b"alert!", JSON),
    "empty": ("POST", b"", JSON),
    "empty without a type": ("POST", b"", {}),
    "text": ("POST", ALERT, {"Content-Type": "text/plain"}),
    "cut off text": ("POST", b"[{", {"Content-Type": "text/plain"}),
    "octets": ("POST", ALERT, {"Content-Type": "application/octet-stream"}),
    "without a type": ("POST", ALERT, {}),
    "no type named": ("POST", ALERT, {"Content-Type": ";;"}),
    "put": ("PUT", ALERT, JSON),
    "delete": ("DELETE", b"", {}),
}


async def _ask(http: aiohttp.ClientSession, url: str, request: tuple[str, bytes, dict[str, str]]) -> tuple[object, ...]:
    method, body, headers = request
    skip = ["Content-Type"] if "Content-Type" not in headers else []
    async with http.request(
        method, f"{url}/api/v2/alerts", data=body, headers=headers, skip_auto_headers=skip
    ) as answer:
        said = await answer.read()
        if answer.status < 300:
            return answer.status, said
        problem = await answer.json()
        return answer.status, answer.content_type, problem["code"], sorted(problem)


async def test_the_same_answers(running: Running, alertmanager: Callable[..., Alertmanager]) -> None:
    real = alertmanager(CONFIG)
    for name, request in REQUESTS.items():
        ours = await _ask(running.http, running.url, request)
        theirs = await _ask(running.http, real.url, request)
        assert ours == theirs, name
