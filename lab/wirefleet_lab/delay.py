# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A slow link without netem: packets take the way through a TUN device, whose reader gives them back some time later.

``python delay.py LINK MILLISECONDS`` runs in the router's namespace, makes the device LINK, says "ready", and ends when
stdin ends. The device ends with it, and the routes through it with the device: a reader that dies slows nobody down.
"""

from __future__ import annotations

import collections
import fcntl
import os
import select
import struct
import sys
import time

TUN_DEVICE = "/dev/net/tun"
_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
MAX_PACKET_BYTES = 65535
MAX_HELD = 20_000  # what comes on top is lost, as in any queue


def open_tun(name: str) -> int:
    """Make the device; it is down and has no address. Raises OSError."""
    descriptor = os.open(TUN_DEVICE, os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH22x", name.encode("ascii"), _IFF_TUN | _IFF_NO_PI))
    return descriptor


def carry(tun: int, delay_s: float, control: int) -> None:
    """Give every packet back after the delay, in order, until ``control`` has something to read or has ended."""
    held: collections.deque[tuple[float, bytes]] = collections.deque()
    while True:
        wait_s = max(0.0, held[0][0] - time.monotonic()) if held else None
        readable = select.select([tun, control], [], [], wait_s)[0]
        if control in readable:
            return
        now = time.monotonic()
        if tun in readable:
            _take(tun, held, now + delay_s)
        while held and held[0][0] <= now:
            _give(tun, held.popleft()[1])


def _take(tun: int, held: collections.deque[tuple[float, bytes]], due: float) -> None:
    while True:
        try:
            packet = os.read(tun, MAX_PACKET_BYTES)
        except BlockingIOError:
            return
        if len(held) < MAX_HELD and not is_local(packet):
            held.append((due, packet))


def _give(tun: int, packet: bytes) -> None:
    try:
        os.write(tun, packet)
    except OSError as error:  # the device is going down, or its queue is full: a lost packet
        print(f"lost: {error.strerror}", file=sys.stderr)


def is_local(packet: bytes) -> bool:
    """Whether the kernel says it to the device itself: link-local IPv6, such as router solicitations."""
    return packet[:1] != b"" and packet[0] >> 4 == 6 and packet[8:10] == b"\xfe\x80"


def main() -> None:
    link, milliseconds = sys.argv[1:]
    tun = open_tun(link)
    print("ready", flush=True)
    carry(tun, int(milliseconds) / 1000, sys.stdin.fileno())


if __name__ == "__main__":
    main()
