# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The host's side of a TUN interface, for each driver; see drivers/test_tun_contract.py."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import importlib.util
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest
from support.fake_wintun import FakeWintun
from support.netns import Namespace, can_make_namespaces, single_namespace, wait_until
from support.packets import ip_packet
from wirefleet_agent.drivers.interfaces import TunDriver
from wirefleet_agent.drivers.memory import MemoryTun
from wirefleet_agent.drivers.tun_windows import WindowsTun
from wirefleet_agent.errors import DriverError
from wirefleet_agent.wire.batch import Batch

OURS = "10.99.0.1"
THEIRS = "10.99.0.2"
PORT = 4000
_NAME = "wft0"
_MTU_BYTES = 1420
_UDP_OVERHEAD_BYTES = 28


class Host(Protocol):
    tun: TunDriver

    def set_up(self, is_up: bool) -> None: ...
    def set_mtu(self, mtu_bytes: int) -> None: ...
    def remove(self) -> None: ...
    def send(self, payload: bytes) -> None: ...
    def received(self) -> bytes:
        """The payload of the next UDP packet that was written to the interface; b"" if there is none."""


def udp_packet(source: str, destination: str, payload: bytes) -> bytes:
    header = PORT.to_bytes(2, "big") * 2 + (8 + len(payload)).to_bytes(2, "big") + b"\0\0"
    return ip_packet(source, destination, header + payload)


class MemoryHost:
    def __init__(self) -> None:
        self.tun = MemoryTun("mem0")

    def set_up(self, is_up: bool) -> None:
        self.tun.set_link(is_up=is_up)

    def set_mtu(self, mtu_bytes: int) -> None:
        self.tun.set_link(mtu_bytes=mtu_bytes)

    def remove(self) -> None:
        self.tun.set_link(is_removed=True)

    def send(self, payload: bytes) -> None:
        self.tun.inject(udp_packet(OURS, THEIRS, payload))

    def received(self) -> bytes:
        return self.tun.delivered.pop(0)[_UDP_OVERHEAD_BYTES:] if self.tun.delivered else b""


class FakeWintunHost:
    """The driver for Windows on a Wintun in memory: runs everywhere."""

    def __init__(self) -> None:
        self.wintun = FakeWintun()
        self.tun = WindowsTun(_NAME, mtu_bytes=_MTU_BYTES, wintun=self.wintun)

    def set_up(self, is_up: bool) -> None:
        self.tun.set_link(is_up=is_up)

    def set_mtu(self, mtu_bytes: int) -> None:
        self.tun.set_link(mtu_bytes=mtu_bytes)

    def remove(self) -> None:
        self.wintun.remove()

    def send(self, payload: bytes) -> None:
        self.wintun.inject(udp_packet(OURS, THEIRS, payload))

    def received(self) -> bytes:
        return self.wintun.delivered.pop(0)[_UDP_OVERHEAD_BYTES:] if self.wintun.delivered else b""


class _SocketHost:
    """Sends and receives through the host's own network stack."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._socket.bind(("0.0.0.0", PORT))
        self._socket.settimeout(1)

    def send(self, payload: bytes) -> None:
        self._socket.sendto(payload, (THEIRS, PORT))

    def received(self) -> bytes:
        try:
            return self._socket.recv(65536)
        except TimeoutError:
            return b""

    def close(self) -> None:
        self._socket.close()


if sys.platform != "win32":
    from wirefleet_agent.drivers.tun_linux import LinuxTun

    class LinuxHost(_SocketHost):
        def __init__(self, namespace: Namespace) -> None:
            self._namespace = namespace
            self.tun = namespace.call(lambda: LinuxTun(_NAME))
            namespace.run("ip", "address", "add", f"{OURS}/24", "dev", _NAME)
            super().__init__(namespace.call(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)))

        def set_up(self, is_up: bool) -> None:
            self._namespace.run("ip", "link", "set", _NAME, "up" if is_up else "down")

        def set_mtu(self, mtu_bytes: int) -> None:
            self._namespace.run("ip", "link", "set", _NAME, "mtu", str(mtu_bytes))

        def remove(self) -> None:
            self._namespace.run("ip", "link", "delete", _NAME)


if sys.platform == "win32":
    from wirefleet_agent.drivers.win32.wintun import load_wintun

    IS_WINE = hasattr(ctypes.windll.ntdll, "wine_get_version")

    class WindowsHost(_SocketHost):
        """Wintun itself, or what a rehearsal under Wine puts in its place. Needs an administrator."""

        def __init__(self) -> None:
            dll = wintun_dll()
            wintun = load_wintun(dll, hashlib.sha256(dll.read_bytes()).hexdigest())
            try:
                self.tun = WindowsTun(_NAME, mtu_bytes=_MTU_BYTES, wintun=wintun)
            except DriverError as error:
                if IS_WINE:
                    error.add_note(f"holders of the device:\n{_holders()}")
                raise
            if IS_WINE:
                run_outside(f"ip address add {OURS}/24 dev {_NAME}")
            else:
                subprocess.run(["netsh", "interface", "ip", "add", "address", _NAME, OURS, "255.255.255.0"], check=True)
            super().__init__(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))

        def set_up(self, is_up: bool) -> None:
            self.tun.set_link(is_up=is_up)

        def set_mtu(self, mtu_bytes: int) -> None:
            self.tun.set_link(mtu_bytes=mtu_bytes)

        def remove(self) -> None:
            if not IS_WINE:
                pytest.skip("on Windows nobody can take away an adapter that is in use")
            run_outside(f"ip link delete {_NAME}")
            # Packets that wait come before the end, as in Wintun's ring; the loop always reads them.
            with contextlib.suppress(DriverError):
                while self.tun.read_batch(Batch(8, 2048)):
                    pass

    def wintun_dll() -> Path:
        """The DLL for amd64 in the registry package that ships it."""
        package = importlib.util.find_spec("pytun_pmd3")
        assert package is not None
        assert package.origin is not None
        return Path(package.origin).parent / "wintun" / "bin" / "amd64" / "wintun.dll"

    def _holders() -> str:
        """The processes in whose hands a TUN device of our name is, as Linux sees them."""
        with tempfile.TemporaryDirectory() as directory:
            found = Path(directory, "found")
            script = f'grep -l "iff:.{_NAME}" /proc/[0-9]*/fdinfo/* | cut -d/ -f1-3 | sort -u'
            target = f"$WINEPREFIX/dosdevices/{_linux_path(found)}"
            run_outside(f'for p in $({script}); do echo $p $(tr "\\\\0" " " <$p/cmdline); done >"{target}"')
            return found.read_text()

    def run_outside(command: str) -> None:
        """Run a Linux command beside Wine, in the same namespace. Raises AssertionError when it fails."""
        with tempfile.TemporaryDirectory() as directory:
            status = Path(directory, "status")
            script = f'{command}; echo $? >"$WINEPREFIX/dosdevices/{_linux_path(status)}"'
            subprocess.run(["cmd", "/c", "start", "/wait", "/unix", "/bin/sh", "-c", script], check=True)
            wait_until(lambda: status.exists() and status.read_text().strip(), command)
            assert status.read_text().strip() == "0", command

    def _linux_path(path: Path) -> str:
        return str(path)[0].lower() + str(path)[1:].replace("\\", "/")


@contextlib.contextmanager
def made_host(kind: str) -> Iterator[Host]:
    """A host of this kind, closed at the end; skips the test where it cannot be."""
    if kind == "memory":
        yield MemoryHost()
    elif kind == "fake wintun":
        fake = FakeWintunHost()
        yield fake
        fake.tun.close()
        assert not fake.wintun.misuse
    elif sys.platform == "win32":
        made = WindowsHost()
        try:
            yield made
        finally:
            made.close()
            made.tun.close()
    elif not can_make_namespaces():
        pytest.skip("needs root")
    else:
        with single_namespace("tun") as namespace:
            linux = LinuxHost(namespace)
            yield linux
            linux.close()
            linux.tun.close()
