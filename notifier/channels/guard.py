"""Where a delivery may go: names are resolved once, judged by every address, and the address judged is the one used.

A target in the configuration is a name that somebody else may answer for. Without this guard a webhook could be
pointed at the machine's own services or at a cloud's metadata service.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Public by its number, yet answered by the host of every virtual machine of one cloud.
_METADATA = frozenset(
    ipaddress.ip_address(text) for text in ("169.254.169.254", "100.100.100.200", "168.63.129.16", "fd00:ec2::254")
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_V4_COMPATIBLE = ipaddress.ip_network("::/96")


class RefusedTarget(Exception):
    """The name leads to an address that deliveries may not go to; the message names neither name nor address."""


def _inner(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for (mapped, compatible, 6to4, Teredo, NAT64), else itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    packed = int(address)
    if address in _NAT64 or (address in _V4_COMPATIBLE and packed > 1):
        return ipaddress.IPv4Address(packed & 0xFFFFFFFF)
    return address


def refusal(literal: str, allow_private: bool) -> str | None:
    """Why deliveries may not go to this address, None where they may.

    `allow_private` opens private, loopback, shared and link-local ranges. Metadata services, multicast, broadcast and
    the unspecified address stay closed: no receiver of pages lives there.
    """
    address = _inner(ipaddress.ip_address(literal.partition("%")[0]))
    if address in _METADATA:
        return "the address belongs to a cloud's metadata service"
    if address.is_multicast or address.is_unspecified or str(address) == "255.255.255.255":
        return "the address is multicast, broadcast or unspecified"
    if allow_private:
        return None
    site_local = isinstance(address, ipaddress.IPv6Address) and address.is_site_local
    if address.is_loopback or address.is_link_local or address.is_reserved or site_local or not address.is_global:
        return "the address is private, loopback or link-local; set allow_private: true if that is meant"
    return None


async def resolve(host: str, port: int, allow_private: bool) -> list[str]:
    """All addresses of `host` as literals, in the resolver's order.

    Raises RefusedTarget where any of them may not be used (an answer that mixes public and private addresses is an
    attack or a mistake), OSError where the name does not resolve, UnicodeError where it is no name.
    """
    literals = [host] if _is_ipv4(host) else await _look_up(host, port)
    for literal in literals:
        why = refusal(literal, allow_private)
        if why is not None:
            raise RefusedTarget(why)
    if not literals:
        raise OSError("no address")
    return literals


async def _look_up(host: str, port: int) -> list[str]:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(sockaddr[0]) for _, _, _, _, sockaddr in found))


def _is_ipv4(host: str) -> bool:
    """Whether the name is an address already, in the one form that needs no resolver (and no thread for it)."""
    try:
        return str(ipaddress.IPv4Address(host)) == host
    except ValueError:
        return False
