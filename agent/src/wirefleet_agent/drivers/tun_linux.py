# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""A TUN interface of Linux: whole IP packets on /dev/net/tun, or super-packets where the kernel offers them.

Source: Documentation/networking/tuntap.rst and include/uapi/linux/if_tun.h of the kernel, netdevice(7).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import struct
import sys
from collections.abc import Sequence

assert sys.platform != "win32"  # nothing below means anything there

from ..errors import DriverError
from ..wire.batch import Batch
from .forwarding_linux import forwards_any
from .interfaces import Buffer, LinkEvent
from .namespace_linux import entered
from .netlink_linux import (
    RTMGRP_LINK,
    LinkMessage,
    NetlinkMonitor,
    forbid_link_local,
    limit_segments,
    link_messages,
)
from .os_errors import driver_error

_DEVICE = "/dev/net/tun"
_TUNSETIFF = 0x400454CA
_TUNGETIFF = 0x800454D2
_TUNGETDEVNETNS = 0x54E3
_IFF_TUN = 0x0001
_IFF_NO_PI = 0x1000
_IFF_VNET_HDR = 0x4000
_TUNSETOFFLOAD = 0x400454D0
_TUN_F_CSUM = 0x01
_TUN_F_TSO4 = 0x02
_TUN_F_TSO6 = 0x04
_TUN_F_USO4 = 0x20
_TUN_F_USO6 = 0x40
_TSO = _TUN_F_CSUM | _TUN_F_TSO4 | _TUN_F_TSO6
# From the best down: Linux cuts UDP for a TUN since 6.2.
_OFFLOADS = (
    (_TSO | _TUN_F_USO4 | _TUN_F_USO6, ("checksum", "tso4", "tso6", "uso4", "uso6")),
    (_TSO, ("checksum", "tso4", "tso6")),
)
_VNET_HDR_BYTES = 10
_NOTHING_LEFT = bytes(_VNET_HDR_BYTES)
# Sealed packets of 1420 bytes that one datagram of UDP segmentation holds: 45 * 1452 < 65507.
_SEGMENTS = 45
_SUPER_PACKET_BYTES = 4096  # a packet of this size and more fills a turn by itself
_SIOCGIFFLAGS = 0x8913
_SIOCGIFMTU = 0x8921
_SIOCSIFMTU = 0x8922
_SIOCGIFINDEX = 0x8933
_IFF_UP = 0x1
_NAME_BYTES = 16
_REQUEST = struct.Struct("=16sI20x")  # struct ifreq with an integer in its union
_FLAGS_REQUEST = struct.Struct("=16sH22x")
_DEFAULT_MTU_BYTES = 1420


class LinuxTun:
    """Makes (or attaches to) the interface ``name`` in the calling thread's network namespace.

    The interface may be moved into another namespace later: packets keep flowing, and its events are followed
    there, which gives ``events_fileno`` another value.

    As the interfaces of the kernel's own WireGuard it gets no link-local address, wherever it is while it is down.
    So the kernel sends neither router solicitations nor redirects of IPv6 into the tunnel, whose peers would have to
    drop them: such a source is in nobody's AllowedIPs.

    use_offloads: False asks for whole packets only. It is also what a kernel without them gives.
    """

    def __init__(self, name: str, *, mtu_bytes: int = _DEFAULT_MTU_BYTES, use_offloads: bool = True) -> None:
        encoded = name.encode()
        if not 0 < len(encoded) < _NAME_BYTES:
            raise DriverError("an interface's name has 1 to 15 bytes", call="ioctl(TUNSETIFF)", path=name)
        self._is_up = False
        self._is_removed = False
        self._pending: list[LinkEvent] = []
        self._batch: Batch | None = None  # the one that was read into last, and its rooms
        self._rooms: tuple[memoryview, ...] = ()
        self._fd = _open_device()
        try:
            self.name, self.offloads = self._attach(encoded, use_offloads=use_offloads)
            self._links = _Links(self.name)
        except DriverError:
            os.close(self._fd)
            raise
        try:
            forbid_link_local(self._links.ifindex)
            # Not where a LAN's super-packets are forwarded: those with more would come cut, at half the speed.
            if self.offloads and not forwards_any():
                with contextlib.suppress(DriverError):  # more cost a second call each, no harm
                    limit_segments(self._links.ifindex, _SEGMENTS)
            self._links.set_mtu(mtu_bytes)
            self._mtu_bytes = mtu_bytes
            self._resynchronize()
        except DriverError:
            self.close()
            raise

    def _attach(self, encoded: bytes, *, use_offloads: bool) -> tuple[str, tuple[str, ...]]:
        """The interface's name and what it offers; without offloads it has no header before its packets either."""
        flags = _IFF_TUN | _IFF_NO_PI | (_IFF_VNET_HDR if use_offloads else 0)
        try:
            reply = fcntl.ioctl(self._fd, _TUNSETIFF, _FLAGS_REQUEST.pack(encoded, flags))
        except OSError as error:
            raise driver_error("ioctl(TUNSETIFF)", error, path=encoded.decode()) from error
        offloads = self._set_offloads() if use_offloads else ()
        if use_offloads and not offloads:
            attached, self._fd = self._fd, _open_device()
            os.close(attached)  # which a descriptor is once and for all, and with it its interface goes
            return self._attach(encoded, use_offloads=False)
        return reply[:_NAME_BYTES].rstrip(b"\0").decode(), offloads

    def _set_offloads(self) -> tuple[str, ...]:
        for flags, names in _OFFLOADS:
            try:
                fcntl.ioctl(self._fd, _TUNSETOFFLOAD, flags)
            except OSError:
                continue
            return names
        return ()

    @property
    def mtu_bytes(self) -> int:
        return self._mtu_bytes

    @property
    def has_offloads(self) -> bool:
        return bool(self.offloads)

    def fileno(self) -> int:
        return self._fd

    def events_fileno(self) -> int:
        return self._links.monitor.fileno()

    def read_batch(self, batch: Batch) -> int:
        """See TunDriver. A packet longer than the room comes cut to it; its IP length then tells."""
        fd, lengths, readv = self._fd, batch.lengths, os.readv
        header_bytes = _VNET_HDR_BYTES if self.offloads else 0
        if batch is not self._batch:
            self._batch = batch
            self._rooms = batch.views(batch.headroom - header_bytes, batch.stride - batch.headroom + header_bytes)
        rooms = self._rooms
        count = 0
        batch.has_more = False
        try:
            for room in rooms if batch.limit == batch.capacity else rooms[: batch.limit]:
                lengths[count] = length = readv(fd, (room,)) - header_bytes
                count += 1
                if length >= _SUPER_PACKET_BYTES:
                    batch.has_more = True
                    break
        except BlockingIOError:
            pass
        except OSError as error:
            if not count:
                raise driver_error("read", error, path=self.name) from error
        batch.count = count
        return count

    def write_packets(self, packets: Sequence[Buffer | list[Buffer]]) -> int:
        fd, writev, has_offloads = self._fd, os.writev, bool(self.offloads)
        taken = 0
        for packet in packets:
            try:
                if isinstance(packet, list):
                    writev(fd, packet)
                elif has_offloads:
                    writev(fd, (_NOTHING_LEFT, packet))
                else:
                    os.write(fd, packet)
            except OSError:
                continue  # EIO: the interface is down; EINVAL: no IP packet; EBADFD: gone, which read reports
            taken += 1
        return taken

    def link_events(self) -> list[LinkEvent]:
        if not self._is_removed:
            datagrams, has_lost = self._links.monitor.read()
            for datagram in datagrams:
                for message in link_messages(datagram):
                    if message.ifindex == self._links.ifindex:
                        self._apply(message)
            if has_lost:
                self._resynchronize()
        events, self._pending = self._pending, []
        return events

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        self._links.close()

    def _apply(self, message: LinkMessage) -> None:
        if not message.is_removed:
            self._note(is_up=message.is_up, mtu_bytes=message.mtu_bytes)
        elif self._is_attached():
            self._follow()  # removed from this namespace only
        else:
            self._remove()

    def _follow(self) -> None:
        """Listen in the namespace that the interface is in now. Without the right to, removal alone is noticed."""
        try:
            self.name = fcntl.ioctl(self._fd, _TUNGETIFF, bytes(_REQUEST.size))[:_NAME_BYTES].rstrip(b"\0").decode()
            with entered(fcntl.ioctl(self._fd, _TUNGETDEVNETNS, 0)):
                links = _Links(self.name)
                with contextlib.suppress(DriverError):
                    forbid_link_local(links.ifindex)  # the move took the setting away
        except (OSError, DriverError):
            return
        self._links.close()
        self._links = links
        self._resynchronize()

    def _remove(self) -> None:
        self._is_removed = True
        self._pending.append(LinkEvent.REMOVED)

    def _note(self, *, is_up: bool, mtu_bytes: int | None) -> None:
        if mtu_bytes is not None and mtu_bytes != self._mtu_bytes:
            self._mtu_bytes = mtu_bytes
            self._pending.append(LinkEvent.MTU_CHANGED)
        if is_up != self._is_up:
            self._is_up = is_up
            self._pending.append(LinkEvent.UP if is_up else LinkEvent.DOWN)

    def _is_attached(self) -> bool:
        try:
            fcntl.ioctl(self._fd, _TUNGETIFF, bytes(_REQUEST.size))
        except OSError:
            return False
        return True

    def _resynchronize(self) -> None:
        try:
            self._note(is_up=self._links.is_up(), mtu_bytes=self._links.mtu_bytes())
        except DriverError:
            if not self._is_attached():
                self._remove()


def _open_device() -> int:
    try:
        return os.open(_DEVICE, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        hint = "load the kernel's module: modprobe tun" if error.errno in (errno.ENOENT, errno.ENODEV) else None
        raise driver_error("open", error, path=_DEVICE, hint=hint) from error


class _Links:
    """What the kernel says about one interface, asked in the namespace that the calling thread is in."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.monitor = NetlinkMonitor(RTMGRP_LINK)
        try:
            self._control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        except OSError as error:
            self.monitor.close()
            raise driver_error("socket", error) from error
        try:
            self.ifindex: int = _REQUEST.unpack(self._ioctl(_SIOCGIFINDEX, "SIOCGIFINDEX"))[1]
        except DriverError:
            self.close()
            raise

    def is_up(self) -> bool:
        flags: int = _FLAGS_REQUEST.unpack(self._ioctl(_SIOCGIFFLAGS, "SIOCGIFFLAGS"))[1]
        return bool(flags & _IFF_UP)

    def mtu_bytes(self) -> int:
        mtu_bytes: int = _REQUEST.unpack(self._ioctl(_SIOCGIFMTU, "SIOCGIFMTU"))[1]
        return mtu_bytes

    def set_mtu(self, mtu_bytes: int) -> None:
        self._ioctl(_SIOCSIFMTU, "SIOCSIFMTU", mtu_bytes)

    def close(self) -> None:
        self.monitor.close()
        self._control.close()

    def _ioctl(self, request: int, name: str, value: int = 0) -> bytes:
        try:
            return fcntl.ioctl(self._control.fileno(), request, _REQUEST.pack(self._name.encode(), value))
        except OSError as error:
            raise driver_error(f"ioctl({name})", error, path=self._name) from error
