"""Which network addresses a media URL of a service may lead to, as pure rules."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

UNICAST = IPv6Network("2000::/3")
"""What IPv6 has given to public hosts (IANA, IPv6 global unicast address space)."""

SIX_TO_FOUR = IPv6Network("2002::/16")
NAT64 = IPv6Network("64:ff9b::/96")
"""A DNS64 answers with these where a machine has IPv6 alone (RFC 6052): the IPv4 address inside
is where they lead."""


def is_public(address: str, *, named: bool = False) -> bool:
    """Whether it is an address of the open internet, and of no tunnel into another network.

    `named`: a name resolved to it. A URL that spells a translated address out itself means to hide
    the one inside.
    """
    try:
        ip = ip_address(address)
    except ValueError:  # "fe80::1%eth0" in some spelling, or no address at all
        return False
    if isinstance(ip, IPv6Address):
        if ip.scope_id is not None:
            return False
        if named and ip in NAT64:
            return _is_public(IPv4Address(ip.packed[-4:]))
        return ip in UNICAST and ip not in SIX_TO_FOUR and ip.is_global and not ip.is_reserved
    return _is_public(ip)


def _is_public(ip: IPv4Address) -> bool:
    relay = ip.packed[:3] == b"\xc0\x58\x63"  # 192.88.99.0/24, 6to4 (RFC 7526: deprecated)
    return ip.is_global and not ip.is_multicast and not ip.is_reserved and not relay
