# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""A TUN interface of Linux: whole IP packets on /dev/net/tun.

Source: Documentation/networking/tuntap.rst of the kernel, netdevice(7).
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import struct
from collections.abc import Sequence

from ..errors import DriverError
from ..wire.batch import Batch
from .interfaces import LinkEvent
from .netlink_linux import RTMGRP_LINK, LinkMessage, NetlinkMonitor, link_messages
from .os_errors import driver_error

_DEVICE = "/dev/net/tun"
_TUNSETIFF = 0x400454CA
_TUNGETIFF = 0x800454D2
_IFF_TUN = 0x0001
_IFF_NO_PI = 0x1000
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

    Moved into another namespace later, it keeps working; link events are then found by probing, because
    netlink does not reach there.
    """

    def __init__(self, name: str, *, mtu_bytes: int = _DEFAULT_MTU_BYTES) -> None:
        encoded = name.encode()
        if not 0 < len(encoded) < _NAME_BYTES:
            raise DriverError("an interface's name has 1 to 15 bytes", call="ioctl(TUNSETIFF)", path=name)
        self._is_up = False
        self._is_removed = False
        self._has_moved = False
        self._control: socket.socket | None = None
        self._monitor: NetlinkMonitor | None = None
        try:
            self._fd = os.open(_DEVICE, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            hint = "load the kernel's module: modprobe tun" if error.errno in (errno.ENOENT, errno.ENODEV) else None
            raise driver_error("open", error, path=_DEVICE, hint=hint) from error
        try:
            self._open(encoded, mtu_bytes)
        except DriverError:
            self.close()
            raise

    def _open(self, encoded: bytes, mtu_bytes: int) -> None:
        request = _FLAGS_REQUEST.pack(encoded, _IFF_TUN | _IFF_NO_PI)
        try:
            reply = fcntl.ioctl(self._fd, _TUNSETIFF, request)
        except OSError as error:
            raise driver_error("ioctl(TUNSETIFF)", error, path=encoded.decode()) from error
        self.name = reply[:_NAME_BYTES].rstrip(b"\0").decode()
        self._monitor = NetlinkMonitor(RTMGRP_LINK)
        self._control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._ifindex = self._query(_SIOCGIFINDEX, "SIOCGIFINDEX")
        try:
            fcntl.ioctl(self._control.fileno(), _SIOCSIFMTU, _REQUEST.pack(encoded, mtu_bytes))
        except OSError as error:
            raise driver_error("ioctl(SIOCSIFMTU)", error, path=self.name) from error
        self._mtu_bytes = mtu_bytes
        self._pending: list[LinkEvent] = []
        self._note(is_up=self._read_is_up(), mtu_bytes=self._query(_SIOCGIFMTU, "SIOCGIFMTU"))

    @property
    def mtu_bytes(self) -> int:
        return self._mtu_bytes

    def fileno(self) -> int:
        return self._fd

    def events_fileno(self) -> int:
        return self._monitor.fileno() if self._monitor else -1

    def read_batch(self, batch: Batch) -> int:
        """See TunDriver. A packet longer than the room comes cut to it; its IP length then tells."""
        fd, rooms, lengths, readv = self._fd, batch.rooms, batch.lengths, os.readv
        count = 0
        try:
            for i in range(batch.capacity):
                lengths[i] = readv(fd, (rooms[i],))
                count = i + 1
        except BlockingIOError:
            pass
        except OSError as error:
            if not count:
                raise driver_error("read", error, path=self.name) from error
        batch.count = count
        return count

    def write_packets(self, packets: Sequence[bytes | bytearray | memoryview]) -> int:
        fd, write = self._fd, os.write
        taken = 0
        for packet in packets:
            try:
                write(fd, packet)
            except OSError:
                continue  # EIO: the interface is down; EINVAL: no IP packet; EBADFD: gone, which read reports
            taken += 1
        return taken

    def link_events(self) -> list[LinkEvent]:
        if self._monitor is None or self._is_removed:
            events, self._pending = self._pending, []
            return events
        datagrams, has_lost = self._monitor.read()
        for datagram in datagrams:
            for message in link_messages(datagram):
                if message.ifindex == self._ifindex:
                    self._apply(message)
        if has_lost and not self._has_moved:
            self._resynchronize()
        if self._has_moved:
            self._probe()
        events, self._pending = self._pending, []
        return events

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        if self._monitor is not None:
            self._monitor.close()
            self._monitor = None
        if self._control is not None:
            self._control.close()
            self._control = None

    def _apply(self, message: LinkMessage) -> None:
        if not message.is_removed:
            self._note(is_up=message.is_up, mtu_bytes=message.mtu_bytes)
        elif self._is_attached():
            self._has_moved = True  # removed from this namespace only
        else:
            self._remove()

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
            self._note(is_up=self._read_is_up(), mtu_bytes=self._query(_SIOCGIFMTU, "SIOCGIFMTU"))
        except DriverError:
            if not self._is_attached():
                self._remove()

    def _probe(self) -> None:
        """In another namespace: an empty write fails with EIO while the interface is down, with EINVAL while up."""
        try:
            os.write(self._fd, b"")
        except OSError as error:
            if error.errno == errno.EINVAL:
                self._note(is_up=True, mtu_bytes=None)
            elif error.errno == errno.EIO:
                self._note(is_up=False, mtu_bytes=None)
            elif not self._is_attached():
                self._remove()

    def _read_is_up(self) -> bool:
        assert self._control is not None
        try:
            reply = fcntl.ioctl(self._control.fileno(), _SIOCGIFFLAGS, _REQUEST.pack(self.name.encode(), 0))
        except OSError as error:
            raise driver_error("ioctl(SIOCGIFFLAGS)", error, path=self.name) from error
        flags: int = _FLAGS_REQUEST.unpack(reply)[1]
        return bool(flags & _IFF_UP)

    def _query(self, request: int, name: str) -> int:
        assert self._control is not None
        try:
            reply = fcntl.ioctl(self._control.fileno(), request, _REQUEST.pack(self.name.encode(), 0))
        except OSError as error:
            raise driver_error(f"ioctl({name})", error, path=self.name) from error
        value: int = _REQUEST.unpack(reply)[1]
        return value
