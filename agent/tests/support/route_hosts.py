# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""An interface whose routes each driver sets; see drivers/test_routes_contract.py."""

from __future__ import annotations

import contextlib
import hashlib
import sys
from collections.abc import Callable, Iterator
from typing import cast

import pytest
from support.memory_iphelper import TUNNEL, MemoryIpHelper
from support.netns import Namespace, can_make_namespaces, single_namespace
from wirefleet_agent.drivers.interfaces import RoutesDriver
from wirefleet_agent.drivers.memory import MemoryRoutes
from wirefleet_agent.drivers.routes_windows import WindowsRoutes

NAME = "wft0"

if sys.platform == "win32":
    from support.tun_hosts import wintun_dll
    from wirefleet_agent.drivers.tun_windows import WindowsTun
    from wirefleet_agent.drivers.win32.iphelper import load_ip_helper
    from wirefleet_agent.drivers.win32.wintun import load_wintun

    @contextlib.contextmanager
    def windows_routes() -> Iterator[WindowsRoutes]:
        """On an adapter of Wintun, or of what a rehearsal under Wine puts in its place. Needs an administrator."""
        dll = wintun_dll()
        wintun = load_wintun(dll, hashlib.sha256(dll.read_bytes()).hexdigest())
        with contextlib.closing(WindowsTun(NAME, wintun=wintun)) as tun:
            routes = WindowsRoutes(tun.luid, NAME, load_ip_helper(), link=tun)
            with contextlib.closing(routes):
                yield routes


if sys.platform != "win32":
    from wirefleet_agent.drivers.routes_linux import LinuxRoutes

    class InNamespace:
        """Every method of the driver, called in the namespace's thread."""

        def __init__(self, namespace: Namespace, driver: LinuxRoutes) -> None:
            self._namespace = namespace
            self._driver = driver

        def __getattr__(self, name: str) -> Callable[..., object]:
            method = getattr(self._driver, name)
            return lambda *arguments: self._namespace.call(lambda: method(*arguments))


@contextlib.contextmanager
def made_routes(kind: str) -> Iterator[RoutesDriver]:
    """The driver of this kind; skips the test where it cannot be."""
    if kind == "memory":
        yield MemoryRoutes()
    elif kind == "fake ip helper":
        yield WindowsRoutes(TUNNEL, NAME, MemoryIpHelper())
    elif sys.platform == "win32":
        with windows_routes() as routes:
            yield routes
    elif not can_make_namespaces():
        pytest.skip("needs root")
    else:
        with single_namespace("routes") as namespace:
            namespace.run("ip", "tuntap", "add", NAME, "mode", "tun")
            yield cast(RoutesDriver, InNamespace(namespace, namespace.call(lambda: LinuxRoutes(NAME))))
