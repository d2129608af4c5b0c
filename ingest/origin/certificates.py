"""Amazon's signing certificates, and its subscriptions confirmed: the only requests that the gateway makes."""

from __future__ import annotations


class NotConfirmed(Exception):
    """A subscription could not be confirmed; the text says why and names no token."""


class Certificates:
    """One for all sources of a gateway; it opens its client when it is first needed. Close it at exit."""

    async def confirm(self, url: str) -> None:
        """Ask for the `SubscribeURL` of a proven message, by the same rule of hosts. Raises NotConfirmed."""
        raise NotImplementedError

    async def close(self) -> None:
        """Close the client."""
        raise NotImplementedError
