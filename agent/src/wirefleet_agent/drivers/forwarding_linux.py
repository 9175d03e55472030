# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""IP forwarding of the host's network namespace, v4 and v6, and back to what it was.

An interface that forwards stops listening to router advertisements unless its accept_ra is 2, and a host that
lives by them would lose its default route: so 1 becomes 2 while we forward.

A hub sends most packets out of the tunnel that they came from, which the kernel takes for a detour: it would tell
every sender so by an ICMP redirect into the tunnel. Those of IPv4 are switched off, for ``all`` too, because either
switch is enough for an interface; the kernel's own WireGuard does the same. IPv6 has no such switch: see LinuxTun.
Source: Documentation/networking/ip-sysctl.rst of the kernel.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

assert sys.platform != "win32"  # nothing below means anything there

from ..errors import DriverError
from .os_errors import driver_error

_SYSCTL = Path("/proc/sys/net")


class Redirects:
    """IPv4's ICMP redirects into one interface. Where they cannot be switched off, they are only a nuisance."""

    def __init__(self, interface: str, root: Path = _SYSCTL) -> None:
        self._paths = [root / f"ipv4/conf/{name}/send_redirects" for name in ("all", interface)]
        self._earlier: dict[Path, str] = {}

    def switch_off(self) -> None:
        """Idempotent."""
        for path in self._paths:
            with contextlib.suppress(FileNotFoundError, DriverError):
                value = _read(path)
                if value != "0":
                    _write(path, "0")
                    self._earlier.setdefault(path, value)

    def restore(self) -> None:
        """What nobody else has changed meanwhile is as it was before the first ``switch_off``. Idempotent."""
        earlier, self._earlier = self._earlier, {}
        for path, value in earlier.items():
            with contextlib.suppress(FileNotFoundError, DriverError):
                if _read(path) == "0":
                    _write(path, value)


class Forwarding:
    """Switches forwarding on, remembers every value it changed, and puts them back. interface: the tunnel's."""

    def __init__(self, root: Path = _SYSCTL, interface: str | None = None) -> None:
        self._root = root
        self._redirects = None if interface is None else Redirects(interface, root)
        self._earlier: dict[Path, str] = {}

    @property
    def is_on(self) -> bool:
        """Whether we switched it on; an operator may have done so before."""
        return bool(self._earlier)

    def is_effective(self) -> bool:
        """Whether the host forwards, whoever switched it on; a family that it does not have does not count."""
        switches = [self._root / family / "conf/all/forwarding" for family in ("ipv4", "ipv6")]
        return all(_read(path) != "0" for path in switches if path.exists())

    def switch(self, is_on: bool) -> None:
        """Idempotent. Off, without an on before, changes nothing: what an operator set is not ours."""
        if is_on:
            self._switch_on()
            if self._redirects is not None:
                self._redirects.switch_off()
        else:
            self._restore()
            if self._redirects is not None:
                self._redirects.restore()

    def _switch_on(self) -> None:
        watched = (*self._of_family("ipv4", "forwarding"), *self._of_family("ipv6", "forwarding"))
        listening = self._of_family("ipv6", "accept_ra")
        earlier: dict[Path, str] = {}
        for path in (*watched, *listening):
            with contextlib.suppress(FileNotFoundError):  # the interface has gone since it was listed
                earlier[path] = _read(path)
        for path, value in earlier.items():
            self._earlier.setdefault(path, value)
        for path in listening:
            if earlier.get(path) == "1":
                with contextlib.suppress(FileNotFoundError):
                    _write(path, "2")
        for family in ("ipv4", "ipv6"):
            path = self._root / family / "conf/all/forwarding"
            if earlier.get(path, "1") != "1":  # writing it resets other settings, so only when it changes
                _write(path, "1")

    def _restore(self) -> None:
        """``all`` first: it writes through to every interface."""
        earlier, self._earlier = self._earlier, {}
        for path in sorted(earlier, key=lambda path: (path.parent.name != "all", path)):
            with contextlib.suppress(FileNotFoundError):  # the interface has gone meanwhile
                if _read(path) == earlier[path]:
                    continue
                if path.name == "forwarding" or _read(path) == "2":
                    _write(path, earlier[path])

    def _of_family(self, family: str, key: str) -> tuple[Path, ...]:
        return tuple(sorted(self._root.glob(f"{family}/conf/*/{key}")))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise driver_error("read", error, path=str(path)) from error


def _write(path: Path, value: str) -> None:
    try:
        path.write_text(value, encoding="ascii")
    except FileNotFoundError:
        raise
    except OSError as error:
        raise driver_error(
            "write", error, path=str(path), hint=f"set it to {value} yourself, or run as root with a writable /proc/sys"
        ) from error
