# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where it is measured: two network namespaces with a veth pair between them, the underlay."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from wirefleet_lab.machine import (
    NETNS_DIRECTORY,
    add_namespace,
    ip_batch,
    namespace_exists,
    require_programs,
    stop_processes,
    write_sysctls,
)
from wirefleet_lab.machine import run as run_here

PREFIX = "wf-b-"
UNDERLAY_MTU_BYTES = 1500
_LINK = "underlay"
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# Duplicate address detection would hold addresses back for a second.
_SYSCTLS = {
    "ipv6/conf/all/disable_ipv6": "0",
    "ipv6/conf/default/disable_ipv6": "0",
    "ipv6/conf/all/accept_dad": "0",
    "ipv6/conf/default/accept_dad": "0",
}


@dataclass(frozen=True)
class Place:
    """One namespace. underlay, overlay: address by family, 4 or 6, without prefix length."""

    namespace: str
    side: str
    underlay: dict[int, str]
    overlay: dict[int, str]


@dataclass(frozen=True)
class Stage:
    left: Place
    right: Place


def _place(side: str, number: int) -> Place:
    return Place(
        f"{PREFIX}{os.getpid()}-{side}",
        side,
        {4: f"192.0.2.{number}", 6: f"2001:db8::{number}"},
        {4: f"10.64.0.{number}", 6: f"fd64::{number}"},
    )


@contextmanager
def built_stage() -> Iterator[Stage]:
    """Both namespaces, joined. On leaving, however that comes, their processes are ended and they are removed.

    The removal takes seconds; another signal to end does not disturb it.
    """
    require_programs(["ip", "nsenter", "unshare", "ss", "ping", "iperf3", "wg"])
    stage = Stage(_place("left", 1), _place("right", 2))
    try:
        for place in (stage.left, stage.right):
            add_namespace(place.namespace)
            write_sysctls(place.namespace, _SYSCTLS)
        _join(stage)
        yield stage
    finally:
        with _undisturbed():
            for place in (stage.left, stage.right):
                _remove(place.namespace)


@contextmanager
def _undisturbed() -> Iterator[None]:
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _join(stage: Stage) -> None:
    peer = f"peer name {_LINK} mtu {UNDERLAY_MTU_BYTES} netns {stage.right.namespace}"
    ip_batch(stage.left.namespace, [f"link add name {_LINK} mtu {UNDERLAY_MTU_BYTES} type veth {peer}"])
    for place in (stage.left, stage.right):
        ip_batch(
            place.namespace,
            [
                "link set lo up",
                f"address add {place.underlay[4]}/24 dev {_LINK}",
                f"address add {place.underlay[6]}/64 dev {_LINK} nodad",
                f"link set {_LINK} up",
            ],
        )


def _remove(namespace: str) -> None:
    if namespace_exists(namespace):
        stop_processes(namespace)
        if run_here(["ip", "netns", "delete", namespace], check=False).returncode != 0:
            (NETNS_DIRECTORY / namespace).unlink(missing_ok=True)  # a file that no network was bound to yet
