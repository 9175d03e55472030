# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""One parser per kind of value; each raises ValueProblem and nothing else."""

from __future__ import annotations

import ipaddress
import re

from ..keys import PresharedKey, PrivateKey, PublicKey
from .model import HostPort, InterfaceAddress, Prefix, Table
from .problems import ValueProblem, quote

MIN_MTU_BYTES = 576
MIN_MTU_BYTES_IPV6 = 1280
MAX_MTU_BYTES = 65535
_TABLE_NAMES = {"main": 254, "default": 253, "local": 255}
_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
_SCOPE = re.compile(r"[A-Za-z0-9_=+.-]{1,15}")
_KEY_HINT = "make one with: wg genkey, wg pubkey or wg genpsk"


def parse_number(text: str, low: int, high: int, what: str) -> int:
    """A plain decimal number; no sign, no separators, no digits of other scripts."""
    if text.isascii() and text.isdigit() and len(text) <= 10 and low <= int(text) <= high:
        return int(text)
    raise ValueProblem(f"{what} is a number from {low} to {high}, not {quote(text)}")


def parse_port(text: str) -> int:
    """0 means any free port."""
    return parse_number(text, 0, 65535, "a port")


def parse_mtu(text: str) -> int:
    return parse_number(text, MIN_MTU_BYTES, MAX_MTU_BYTES, "an MTU")


def parse_keepalive(text: str) -> int:
    return 0 if text.lower() == "off" else parse_number(text, 0, 65535, "a keepalive interval in seconds (or off)")


def parse_fwmark(text: str) -> int:
    """``off``, decimal, or hexadecimal with 0x; 32 bits."""
    lowered = text.lower()
    if lowered == "off":
        return 0
    if lowered.startswith("0x"):
        digits = lowered[2:]
        if 1 <= len(digits) <= 8 and all(digit in "0123456789abcdef" for digit in digits):
            return int(digits, 16)
        raise ValueProblem(f"a firewall mark has at most 32 bits, as in 0xca6c, not {quote(text)}")
    return parse_number(text, 0, 0xFFFFFFFF, "a firewall mark (or off, or 0x...)")


def parse_table(text: str) -> Table:
    lowered = text.lower()
    if lowered == "auto":
        return "auto"
    if lowered == "off":
        return "off"
    if lowered in _TABLE_NAMES:
        return _TABLE_NAMES[lowered]
    return parse_number(text, 1, 0xFFFFFFFF, "a routing table (or auto, off, main)")


def parse_prefix(text: str) -> Prefix:
    """``10.0.0.0/8``; an address without length is one host; host bits are masked (checklist 38).

    Made of numbers: it takes half the time that ``ipaddress`` takes for the text, and a hub has a hundred thousand.
    """
    address, slash, length = text.partition("/")
    _check_prefix_length(text, address, slash, length)
    try:
        if ":" in address:
            bits = int(length) if slash else 128
            return ipaddress.IPv6Network((int(ipaddress.IPv6Address(address)) >> 128 - bits << 128 - bits, bits))
        bits = int(length) if slash else 32
        return ipaddress.IPv4Network((int(ipaddress.IPv4Address(address)) >> 32 - bits << 32 - bits, bits))
    except ValueError:
        raise ValueProblem(f"an allowed IP is ADDRESS/LENGTH, not {quote(text)}") from None


def parse_interface_address(text: str) -> InterfaceAddress:
    """``10.0.0.1/24``; without length it is one host."""
    address, slash, length = text.partition("/")
    _check_prefix_length(text, address, slash, length)
    try:
        return (ipaddress.IPv6Interface if ":" in address else ipaddress.IPv4Interface)(text)
    except ValueError:
        raise ValueProblem(f"an address is ADDRESS/LENGTH, not {quote(text)}") from None


def _check_prefix_length(text: str, address: str, slash: str, length: str) -> None:
    """What ``ipaddress`` would take and WireGuard does not: netmasks, scopes, leading zeros, other digits."""
    if "%" in address:
        raise ValueProblem(f"no scope is possible here: {quote(text)}")
    if slash and not (length.isascii() and length.isdigit() and (length == "0" or length[0] != "0")):
        raise ValueProblem(f"the length after the slash is a number of bits, not {quote(text)}", "write 10.0.0.0/8")


def parse_endpoint(text: str) -> HostPort:
    """``192.0.2.1:51820``, ``[2001:db8::1]:51820`` or ``hub.example.net:51820``."""
    host, colon, port_text = text.rpartition(":")
    if not colon or not host:
        raise ValueProblem(f"an endpoint is HOST:PORT, not {quote(text)}", "add the port, as in hub.example.net:51820")
    port = parse_number(port_text, 1, 65535, "the port of an endpoint")
    if host.startswith("[") and host.endswith("]"):
        return HostPort(_parse_scoped_ipv6(host[1:-1]), port)
    if ":" in host:
        raise ValueProblem("an IPv6 endpoint stands in brackets", "write [2001:db8::1]:51820")
    return HostPort(_parse_name_or_ipv4(host), port)


def _parse_scoped_ipv6(text: str) -> str:
    address, percent, scope = text.partition("%")
    try:
        canonical = str(ipaddress.IPv6Address(address))
    except ValueError:
        raise ValueProblem(f"{quote(text)} is no IPv6 address") from None
    if not percent:
        return canonical
    if not _SCOPE.fullmatch(scope):
        raise ValueProblem(f"a scope is the name or the number of an interface, not {quote(scope)}")
    return f"{canonical}%{scope}"


def _parse_name_or_ipv4(text: str) -> str:
    if all(character in "0123456789." for character in text):
        try:
            return str(ipaddress.IPv4Address(text))
        except ValueError:
            raise ValueProblem(f"{quote(text)} is no IPv4 address") from None
    if not is_domain_name(text):
        raise ValueProblem(f"{quote(text)} is no host name", "names outside ASCII are written in punycode (xn--...)")
    return text


def is_domain_name(text: str) -> bool:
    """Letters, digits, hyphens, underscores in labels of at most 63, 253 in all; a final dot is fine."""
    name = text.removesuffix(".")
    return len(name) <= 253 and all(_LABEL.fullmatch(label) for label in name.split("."))


def parse_dns(text: str) -> tuple[str, bool]:
    """One entry of DNS: (canonical address, True) or (search domain, False), as wg-quick(8) tells them apart."""
    if ":" in text or all(character in "0123456789." for character in text):
        try:
            return str(ipaddress.ip_address(text)), True
        except ValueError:
            raise ValueProblem(f"a DNS server is an IP address, not {quote(text)}") from None
    if is_domain_name(text):
        return text, False
    raise ValueProblem(f"DNS lists IP addresses and search domains, not {quote(text)}")


def parse_public_key(text: str) -> PublicKey:
    """The value is not quoted: people do paste the private key here."""
    try:
        key = PublicKey.from_base64(text)
    except ValueError as error:
        raise ValueProblem(str(error), _KEY_HINT) from None
    if not any(key.raw):
        raise ValueProblem("a public key of zeros is nobody's", _KEY_HINT)
    return key


def parse_private_key(text: str) -> PrivateKey:
    try:
        key = PrivateKey.from_base64(text)
    except ValueError as error:
        raise ValueProblem(str(error), _KEY_HINT) from None
    if key.is_zero:
        raise ValueProblem("a private key of zeros is no key", _KEY_HINT)
    return key


def parse_preshared_key(text: str) -> PresharedKey | None:
    """32 zero bytes mean "none" (checklist 3)."""
    try:
        key = PresharedKey.from_base64(text)
    except ValueError as error:
        raise ValueProblem(str(error), _KEY_HINT) from None
    return None if key.is_zero else key
