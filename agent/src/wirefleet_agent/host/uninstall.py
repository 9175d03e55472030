# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The last rites before the files go: what a tunnel has left in the system outside its root directory.

Its service does not run any more and took its adapter with it, with routes, addresses and name servers. What is found
here is left over from a process that was killed, or was never the service's to remove. Interface settings go before
the adapter that has them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Protocol
from uuid import UUID

from ..drivers.iphelper import IpHelperApi
from ..drivers.tun_windows import adapter_guid
from ..errors import DriverError
from .adapters import AdapterProbe, our_adapters, remove_address, stray_addresses
from .event_sources import EventSourceStore
from .paths import TunnelPaths


@dataclass(frozen=True)
class Leftover:
    """name: for people. remove: raises DriverError."""

    name: str
    remove: Callable[[], object]


class LeftoverSource(Protocol):
    def find(self) -> Sequence[Leftover]:
        """In the order in which they have to go. Raises DriverError."""


class InterfaceKeys(Protocol):
    """What the registry remembers of an interface that is gone: addresses and name servers. All raise OSError."""

    def find(self, guid: UUID) -> Sequence[str]:
        """Names of the keys."""

    def remove(self, key: str) -> None:
        """Idempotent."""


class StrayAddresses:
    """Addresses of this tunnel that dead interfaces hold; their routes go with them. load: raises DriverError."""

    def __init__(self, load: Callable[[], IpHelperApi], wanted: Collection[IPv4Address | IPv6Address]) -> None:
        self._load = load
        self._wanted = wanted

    def find(self) -> Sequence[Leftover]:
        if not self._wanted:
            return []
        helper = self._load()
        return [
            Leftover(f"address {address}", partial(remove_address, helper, luid, address))
            for luid, address in stray_addresses(helper)
            if address.ip in self._wanted
        ]


class Forwarding:
    """Forwarding that a process switched on which could not switch it off. restore: puts back what was before."""

    def __init__(self, note: Path, restore: Callable[[], object]) -> None:
        self._note = note
        self._restore = restore

    def find(self) -> Sequence[Leftover]:
        return [Leftover("forwarding", self._restore)] if self._note.exists() else []


class OurAdapters:
    """Adapters of this tunnel, ghosts too."""

    def __init__(self, tunnel: TunnelPaths, probe: AdapterProbe) -> None:
        self._tunnel = tunnel
        self._probe = probe

    def find(self) -> Sequence[Leftover]:
        return [
            Leftover(f"adapter {each.name or each.instance_id}", partial(self._probe.remove, each.instance_id))
            for each in our_adapters(self._probe, self._tunnel)
        ]


class RememberedInterface:
    """The registry's memory of the tunnel's interface."""

    def __init__(self, tunnel: TunnelPaths, keys: InterfaceKeys) -> None:
        self._guid = adapter_guid(tunnel.name)
        self._keys = keys

    def find(self) -> Sequence[Leftover]:
        with _as_driver_error("interface settings"):
            return [Leftover(f"registry {key}", partial(self._remove, key)) for key in self._keys.find(self._guid)]

    def _remove(self, key: str) -> None:
        with _as_driver_error(key):
            self._keys.remove(key)


class EventSources:
    """Our sources of the event log."""

    def __init__(self, sources: EventSourceStore, names: Sequence[str]) -> None:
        self._sources = sources
        self._names = names

    def find(self) -> Sequence[Leftover]:
        with _as_driver_error("event log sources"):
            found = [name for name in self._names if self._sources.exists(name)]
        return [Leftover(f"event log source {name}", partial(self._remove, name)) for name in found]

    def _remove(self, name: str) -> None:
        with _as_driver_error(name):
            self._sources.remove(name)


class StaleSocket:
    """A socket's file outside the root whose process was killed. is_served: whether somebody answers on it."""

    def __init__(self, path: Path, is_served: Callable[[Path], bool]) -> None:
        self._path = path
        self._is_served = is_served

    def find(self) -> Sequence[Leftover]:
        if not self._path.exists() or self._is_served(self._path):
            return []
        return [Leftover(f"socket {self._path}", self._remove)]

    def _remove(self) -> None:
        with _as_driver_error(str(self._path)):
            self._path.unlink(missing_ok=True)


def remove_leftovers(sources: Sequence[LeftoverSource], *, check: bool) -> list[str]:
    """Names of what was there. check: only look. Raises DriverError, after everything was tried."""
    removed: list[str] = []
    first_error: DriverError | None = None
    for source in sources:
        try:
            for leftover in source.find():
                if not check:
                    leftover.remove()
                removed.append(leftover.name)
        except DriverError as error:
            first_error = first_error or error
    if first_error is not None:
        raise first_error
    return removed


@contextlib.contextmanager
def _as_driver_error(path: str) -> Iterator[None]:
    """Around calls of the registry and of files."""
    try:
        yield
    except OSError as error:
        code = getattr(error, "winerror", None) or error.errno or 0
        raise DriverError(error.strerror or str(error), call="remove", os_code=code, path=path) from error
