"""From a channel's section of the configuration to the channel."""

from __future__ import annotations

from typing import assert_never

import aiohttp

from kernel.config.schema import ChannelConfig, Console, PagerDuty, Slack, Webhook
from notifier.channels.base import Channel, Writer
from notifier.channels.console import ConsoleChannel
from notifier.channels.pagerduty import PagerDutyChannel
from notifier.channels.slack import SlackChannel
from notifier.channels.webhook import WebhookChannel


def build(name: str, config: ChannelConfig, http: aiohttp.ClientSession, console: Writer) -> Channel:
    """The channel of that name; `http` is best made by `notifier.channels.http.open_session`.

    Raises ValueError, naming the channel and what would be right, where its settings cannot work.
    """
    try:
        match config:
            case Webhook():
                return WebhookChannel.from_config(name, config, http)
            case PagerDuty():
                return PagerDutyChannel.from_config(name, config, http)
            case Slack():
                return SlackChannel.from_config(name, config, http)
            case Console():
                return ConsoleChannel(name, console)
            case _:
                assert_never(config)
    except ValueError as error:
        raise ValueError(f"channel {name}: {error}") from error
