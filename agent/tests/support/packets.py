# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Inner IP packets for tests: a correct header, UDP's protocol number, and a payload that the test knows again."""

from __future__ import annotations

import ipaddress
import struct


def ip_packet(source: str, destination: str, payload: bytes = b"") -> bytes:
    """An IPv4 or IPv6 packet, by the family of its addresses."""
    if ":" in source:
        return ipv6_packet(source, destination, payload)
    return ipv4_packet(source, destination, payload)


def ipv4_packet(source: str, destination: str, payload: bytes = b"") -> bytes:
    addresses = ipaddress.IPv4Address(source).packed + ipaddress.IPv4Address(destination).packed
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, 64, 17, 0) + addresses
    total = sum(struct.unpack("!10H", header))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return header[:10] + struct.pack("!H", ~total & 0xFFFF) + header[12:] + payload


def ipv6_packet(source: str, destination: str, payload: bytes = b"") -> bytes:
    addresses = ipaddress.IPv6Address(source).packed + ipaddress.IPv6Address(destination).packed
    return struct.pack("!IHBB", 0x60000000, len(payload), 17, 64) + addresses + payload


def payload_of(packet: bytes) -> bytes:
    """What follows the IP header."""
    return packet[20:] if packet[0] >> 4 == 4 else packet[40:]
