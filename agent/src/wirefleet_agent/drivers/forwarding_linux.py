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
from collections.abc import Iterable, Mapping
from pathlib import Path

assert sys.platform != "win32"  # nothing below means anything there

from ..errors import DriverError
from .os_errors import driver_error
from .restore_file import RestoreFile

_SYSCTL = Path("/proc/sys/net")
_FORWARDING = "forwarding"
_ACCEPT_RA = "accept_ra"
_REDIRECTS = "send_redirects"


def forwards_any(root: Path = _SYSCTL) -> bool:
    """Whether the host forwards in one family at least."""
    for family in ("ipv4", "ipv6"):
        with contextlib.suppress(OSError):
            if (root / family / "conf" / "all" / _FORWARDING).read_text().strip() == "1":
                return True
    return False


class Remembered:
    """Values of sysctls before we changed them; on disk too if ``memory`` is given, so that a kill does not lose them.

    Settings that are gone, or lie elsewhere than below ``root``, are left out when they are read back.
    """

    def __init__(self, root: Path, memory: RestoreFile | None = None) -> None:
        self._memory = memory
        noted = {Path(path): value for path, value in ({} if memory is None else memory.load()).items()}
        self._values = {
            path: value for path, value in noted.items() if path.is_relative_to(root) and ".." not in path.parts
        }

    def note(self, values: Mapping[Path, str]) -> None:
        """Before the change. What was noted first stays. Raises DriverError."""
        fresh = {path: value for path, value in values.items() if path not in self._values}
        if fresh:
            self._keep({**self._values, **fresh})

    def of(self, *names: str) -> dict[Path, str]:
        """What was noted of the settings of these names."""
        return {path: value for path, value in self._values.items() if path.name in names}

    def forget(self, paths: Iterable[Path]) -> None:
        """After they were put back."""
        gone = set(paths)
        if gone:
            self._keep({path: value for path, value in self._values.items() if path not in gone})

    def _keep(self, values: dict[Path, str]) -> None:
        if self._memory is not None:
            if values:
                self._memory.save({str(path): value for path, value in values.items()})
            else:
                self._memory.remove()
        self._values = values


class Redirects:
    """IPv4's ICMP redirects into one interface. Where they cannot be switched off, they are only a nuisance."""

    def __init__(self, interface: str, root: Path = _SYSCTL, remembered: Remembered | None = None) -> None:
        self._paths = [root / f"ipv4/conf/{name}/{_REDIRECTS}" for name in ("all", interface)]
        self._remembered = remembered or Remembered(root)

    def switch_off(self) -> None:
        """Idempotent."""
        for path in self._paths:
            with contextlib.suppress(FileNotFoundError, DriverError):
                value = _read(path)
                if value != "0":
                    self._remembered.note({path: value})
                    _write(path, "0")

    def restore(self) -> None:
        """What nobody else has changed meanwhile is as it was before the first ``switch_off``. Idempotent."""
        earlier = self._remembered.of(_REDIRECTS)
        for path, value in earlier.items():
            with contextlib.suppress(FileNotFoundError, DriverError):
                if _read(path) == "0":
                    _write(path, value)
        self._remembered.forget(earlier)


class Forwarding:
    """Switches forwarding on, remembers every value it changed, and puts them back.

    interface: the tunnel's. memory: where the values are noted too; what a killed process noted there is put back by
    the next ``switch(False)``.
    """

    def __init__(
        self, root: Path = _SYSCTL, interface: str | None = None, *, memory: RestoreFile | None = None
    ) -> None:
        self._root = root
        self._remembered = Remembered(root, memory)
        self._redirects = None if interface is None else Redirects(interface, root, self._remembered)

    @property
    def is_on(self) -> bool:
        """Whether we switched it on; an operator may have done so before."""
        return bool(self._remembered.of(_FORWARDING))

    def is_effective(self) -> bool:
        """Whether the host forwards, whoever switched it on; a family that it does not have does not count."""
        switches = [self._root / family / "conf/all" / _FORWARDING for family in ("ipv4", "ipv6")]
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
        watched = (*self._of_family("ipv4", _FORWARDING), *self._of_family("ipv6", _FORWARDING))
        listening = self._of_family("ipv6", _ACCEPT_RA)
        earlier: dict[Path, str] = {}
        for path in (*watched, *listening):
            with contextlib.suppress(FileNotFoundError):  # the interface has gone since it was listed
                earlier[path] = _read(path)
        self._remembered.note(earlier)
        for path in listening:
            if earlier.get(path) == "1":
                with contextlib.suppress(FileNotFoundError):
                    _write(path, "2")
        for family in ("ipv4", "ipv6"):
            path = self._root / family / "conf/all" / _FORWARDING
            if earlier.get(path, "1") != "1":  # writing it resets other settings, so only when it changes
                _write(path, "1")

    def _restore(self) -> None:
        """``all`` first: it writes through to every interface."""
        earlier = self._remembered.of(_FORWARDING, _ACCEPT_RA)
        for path in sorted(earlier, key=lambda path: (path.parent.name != "all", path)):
            with contextlib.suppress(FileNotFoundError):  # the interface has gone meanwhile
                if _read(path) == earlier[path]:
                    continue
                if path.name == _FORWARDING or _read(path) == "2":
                    _write(path, earlier[path])
        self._remembered.forget(earlier)

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
