# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rehearsal up, down, status; one host on and off."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from wirefleet_lab import lifecycle as namespaces
from wirefleet_lab.machine import namespace_exists
from wirefleet_lab.topology import LabError

from . import winrm
from .bundles import prepare_bundles
from .cache import RehearsalError
from .host import WineHost
from .prefix import template
from .topology import CPU_OF, WINDOWS_HOSTS, Rehearsal
from .windows_python import runtime
from .winelib import build_dlls

RUNTIME_FACTS = "windows-python.json"
Say = Callable[[str], None]


@contextmanager
def step(say: Say, title: str) -> Iterator[None]:
    """Tell how long a step took."""
    started = time.monotonic()
    yield
    say(f"{title} ({time.monotonic() - started:.1f} s)")


def wine_host(rehearsal: Rehearsal, name: str) -> WineHost:
    return WineHost(name, rehearsal.directory(name), rehearsal.namespace(name), CPU_OF[name])


def build_products(say: Say) -> None:
    """Everything that is made once: the runtime, the stand-ins, the template of a disk."""
    with step(say, "Windows Python runtime in the embeddable layout"):
        runtime()
    with step(say, "stand-ins for Windows DLLs"):
        build_dlls()
    with step(say, "template of a Windows disk"):
        template()


def up(rehearsal: Rehearsal, say: Say) -> None:
    """Build and boot what is not there. A failure leaves nothing behind but the cache."""
    build_products(say)
    try:
        with step(say, "namespaces and links"):
            namespaces.up(rehearsal.lab, {})
        path, digest = runtime()
        (rehearsal.state / RUNTIME_FACTS).write_text(json.dumps({"path": str(path), "sha256": digest}) + "\n")
        winrm.prepare(rehearsal)
        with step(say, "bundles of the agent"):
            prepare_bundles(rehearsal)
        with step(say, f"{len(WINDOWS_HOSTS)} Windows hosts booted"), ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda name: power_on(rehearsal, name), WINDOWS_HOSTS))
    except BaseException:
        down(rehearsal)
        raise


def power_on(rehearsal: Rehearsal, name: str) -> None:
    """Boot a host as a power button does: its services and its WinRM come by themselves."""
    host = wine_host(rehearsal, name)
    if host.is_running():
        return
    host.build()
    host.boot()
    winrm.start(rehearsal, host)


def power_cut(rehearsal: Rehearsal, name: str) -> None:
    """Everything on the host ends at once, WinRM included."""
    wine_host(rehearsal, name).power_cut()


def down(rehearsal: Rehearsal) -> dict[str, Any]:
    """No process, no namespace and no file is left; the cache is kept. Nothing to remove is not an error."""
    for name in WINDOWS_HOSTS:
        wine_host(rehearsal, name).remove()
    try:
        reply = namespaces.down(rehearsal.lab)
    except LabError as error:
        raise RehearsalError(str(error), error.hint) from error
    for directory in (rehearsal.winrm, rehearsal.bundles):
        shutil.rmtree(directory, ignore_errors=True)
    (rehearsal.state / RUNTIME_FACTS).unlink(missing_ok=True)
    if rehearsal.state.is_dir() and not any(rehearsal.state.iterdir()):
        rehearsal.state.rmdir()
    return reply


def status(rehearsal: Rehearsal) -> dict[str, Any]:
    """What stands and what runs; changes nothing."""
    hosts = {
        name: {
            "namespace": rehearsal.namespace(name),
            "exists": namespace_exists(rehearsal.namespace(name)),
            "is_running": wine_host(rehearsal, name).is_running(),
            "processes": len(wine_host(rehearsal, name).pids()),
        }
        for name in WINDOWS_HOSTS
    }
    return {"prefix": rehearsal.prefix, "state": str(rehearsal.state), "windows_hosts": hosts}
