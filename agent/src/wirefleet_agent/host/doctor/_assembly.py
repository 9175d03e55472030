# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Which checks there are on each platform, and what they look at."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from functools import cache
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from ...config import TunnelConfig, parse
from ...errors import UnreachableError, WireFleetError
from ..control_client import control_of
from ..control_protocol import Json
from ..deadline import BootClock
from ..paths import TunnelPaths
from ..releases import ReleaseStore
from ..restart_record import RestartRecord
from ..secure import secure_host
from ..store import ConfigStore
from ._daemon import LastRestartWorked, PortIsFree, PrivilegesAreDropped, TunnelIsUp
from ._files import ConfigurationIsValid, CurrentReleaseExists, KeyExists, RightsAreExact
from ._findings import Check
from ._host import ClockIsPlausible, TunDeviceExists, newest_change

TUN_DEVICE = Path("/dev/net/tun")
_ASK_TIMEOUT_S = 5.0


class _Subject:
    """What several checks want to know of the tunnel; the daemon is asked once."""

    def __init__(self, tunnel: TunnelPaths) -> None:
        self.tunnel = tunnel
        self.releases = ReleaseStore(tunnel.host)
        self.status = cache(self._status)

    def stored(self) -> tuple[str | None, str]:
        files = ConfigStore(self.tunnel, BootClock.of_system()).current()
        return files.conf, files.toml

    def config(self) -> TunnelConfig | None:
        """None if there is none, or an invalid one: that is another check's finding."""
        try:
            conf, toml = self.stored()
            return None if conf is None else parse(conf, toml, name=self.tunnel.name)
        except WireFleetError:
            return None

    def port(self) -> int | None:
        config = self.config()
        return None if config is None else config.interface.listen_port or None

    def addresses(self) -> frozenset[IPv4Address | IPv6Address]:
        config = self.config()
        return frozenset() if config is None else frozenset(each.ip for each in config.interface.addresses)

    def is_served(self) -> bool:
        try:
            return self.status() is not None
        except UnreachableError:
            return True

    def secure(self, *, check: bool) -> Sequence[Path]:
        return [each.path for each in secure_host(self.tunnel.host, check=check) if each.changed]

    def newest_change(self) -> float | None:
        tunnel = self.tunnel
        return newest_change(tunnel.conf, tunnel.private_key, tunnel.log, tunnel.host.opt_dir / "current")

    def _status(self) -> Json | None:
        return control_of(self.tunnel, timeout_s=_ASK_TIMEOUT_S).try_call("status")


def configured_addresses(tunnel: TunnelPaths) -> frozenset[IPv4Address | IPv6Address]:
    """Empty without a valid configuration."""
    return _Subject(tunnel).addresses()


def checks_for(tunnel: TunnelPaths) -> list[Check]:
    """In the order in which causes come before their consequences."""
    subject = _Subject(tunnel)
    return [
        ClockIsPlausible(time.time, subject.newest_change),
        *_platform_checks(subject),
        CurrentReleaseExists(tunnel.host.release_dir, subject.releases.pointed),
        RightsAreExact(subject.secure),
        KeyExists(tunnel),
        ConfigurationIsValid(tunnel, subject.stored),
        PortIsFree(subject.port, subject.status),
        TunnelIsUp(subject.status),
        PrivilegesAreDropped(subject.status),
        LastRestartWorked(RestartRecord(tunnel).read),
    ]


def _platform_checks(subject: _Subject) -> list[Check]:
    if sys.platform == "win32":
        from ...drivers.win32.iphelper import load_ip_helper
        from ...observe import EVENT_SOURCE
        from ..win32.devices import WintunDevices
        from ..win32.event_log import EventSources
        from ..win32.host_settings import is_fast_startup_on
        from ..win32.scm import WindowsServiceManager
        from ._adapters import AdapterWorks, NoAdapterIsLeftOver, NoAddressIsStale
        from ._files import WintunIsPinned
        from ._host import FastStartupIsOff
        from ._services import (
            EventSourceIsRegistered,
            NetSetupIsEnabled,
            ServiceCommandIsOurs,
            ServiceHasFewPrivileges,
            ServiceIsRegistered,
            ServiceRuns,
            ServiceStartsByItself,
        )

        tunnel, manager, devices = subject.tunnel, WindowsServiceManager(), WintunDevices()

        def current() -> str | None:
            return subject.releases.list().current

        def release_dir() -> Path | None:
            name = current()
            return None if name is None else tunnel.host.release_dir / name

        return [
            NetSetupIsEnabled(manager),
            FastStartupIsOff(is_fast_startup_on),
            EventSourceIsRegistered(EventSources(), EVENT_SOURCE),
            WintunIsPinned(release_dir),
            ServiceIsRegistered(tunnel, manager),
            ServiceCommandIsOurs(tunnel, manager, current),
            ServiceHasFewPrivileges(tunnel, manager),
            ServiceStartsByItself(tunnel, manager),
            ServiceRuns(tunnel, manager),
            AdapterWorks(tunnel, devices),
            NoAdapterIsLeftOver(tunnel, devices, subject.is_served),
            NoAddressIsStale(load_ip_helper, subject.addresses),
        ]
    else:  # noqa: RET505  # mypy takes platforms apart by if and else
        return [TunDeviceExists(TUN_DEVICE)]
