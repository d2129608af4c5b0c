"""Logs: structlog, configured once a process. JSON lines on standard error, or text where a person looks on.

One canonical line a batch, not one an alert. Nothing that looks like a secret is written: values under telling
keys are masked, and so are credentials inside URLs, in our own lines and in those of libraries.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

import orjson
import structlog

MASK = "***"

_SECRET_KEY = re.compile(r"token|secret|passw|authorization|routing_?key|api_?key|credential|cookie", re.IGNORECASE)
_URL_USER = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)[^\s/]*@", re.IGNORECASE)
_URL_QUERY = re.compile(r"(?P<name>[?&](?:token|secret|password|api_?key|routing_?key|sig)=)[^&\s\"']+", re.IGNORECASE)
_BEARER = re.compile(r"(?P<scheme>\b(?:bearer|authorization:\s*\w+)\s+)[A-Za-z0-9._~+/=-]{6,}", re.IGNORECASE)
_LIBRARIES = ("aiokafka", "kafka", "uvicorn", "uvicorn.error", "uvicorn.access", "litestar", "aiohttp", "asyncio")
_DEPTH = 4


def mask_text(text: str) -> str:
    """A text without the credentials of URLs and of authorization headers."""
    text = _URL_USER.sub(rf"\g<scheme>{MASK}@", text)
    text = _URL_QUERY.sub(rf"\g<name>{MASK}", text)
    return _BEARER.sub(rf"\g<scheme>{MASK}", text)


def _mask(key: str, value: Any, depth: int) -> Any:
    if isinstance(value, bool | int | float) or value is None:
        return value
    if _SECRET_KEY.search(key):
        return MASK
    if isinstance(value, str):
        return mask_text(value)
    if depth <= 0:
        return mask_text(repr(value))
    if isinstance(value, Mapping):
        return {str(inner): _mask(str(inner), item, depth - 1) for inner, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_mask(key, item, depth - 1) for item in value]
    return mask_text(str(value))


def redact(logger: object, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The structlog processor that masks; it stands after tracebacks are text and before the renderer."""
    del logger, method
    for key, value in event.items():
        event[key] = _mask(key, value, _DEPTH)
    return event


def _to_json(event: Any, **options: Any) -> bytes:
    del options
    return orjson.dumps(event, default=repr, option=orjson.OPT_NON_STR_KEYS)


class _ToStructlog(logging.Handler):
    """Hands what libraries log to structlog, so that there is one format and one place that masks."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger(record.name)
        log.log(record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info or None)


def configure(level: str = "info", json: bool | None = None) -> None:
    """Set up logging of this process; called once, before the first line.

    `level` is debug, info, warning or error; `json` None means JSON unless standard error is a terminal. Libraries
    (aiokafka, uvicorn, litestar) are heard from `warning` on. Raises ValueError for an unknown level.
    """
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise ValueError(f"{level!r} is not a log level; write debug, info, warning or error")
    lines = not sys.stderr.isatty() if json is None else json
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderers: list[structlog.types.Processor]
    if lines:
        renderers = [
            structlog.processors.format_exc_info,
            redact,
            structlog.processors.JSONRenderer(serializer=_to_json),
        ]
        factory: Any = structlog.BytesLoggerFactory(sys.stderr.buffer)
    else:
        # Tracebacks as plain text: the rich ones show local variables, secrets among them.
        renderers = [
            structlog.processors.format_exc_info,
            redact,
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
        ]
        factory = structlog.PrintLoggerFactory(sys.stderr)
    structlog.configure(
        processors=[*shared, *renderers],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=factory,
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_ToStructlog()], level=max(number, logging.WARNING), force=True)
    for name in _LIBRARIES:
        library = logging.getLogger(name)
        library.setLevel(logging.WARNING)
        library.handlers.clear()
        library.propagate = True
