# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Real packets between namespaces. Without rights or programs these tests skip, or fail where CI=true."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from support.netns import Lab, can_make_namespaces
from support.wireguard import THEIRS, TunnelEnd, join, missing_programs

UNDERLAYS = {
    "v4": ("192.0.2.1", "192.0.2.2"),
    "v6": ("2001:db8:1::1", "2001:db8:1::2"),
}
OVERLAYS = ("10.9.0.1/24 fd09::1/64", "10.9.0.2/24 fd09::2/64")

MakePair = Callable[..., tuple[TunnelEnd, TunnelEnd]]


def _need(reason: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture
def lab() -> Iterator[Lab]:
    """Namespaces and processes of one test; everything is gone afterwards."""
    if not can_make_namespaces():
        _need("needs root, /dev/net/tun and ip")
    missing = missing_programs("wg", "ping", THEIRS)
    if missing:
        _need(f"not installed: {', '.join(missing)}")
    with Lab() as made:
        yield made


@pytest.fixture
def make_pair(lab: Lab) -> MakePair:
    """make_pair(left, right, family="v4", joined=True): two tunnel ends on one link, of the given implementations."""

    def make(left: str, right: str, family: str = "v4", *, joined: bool = True) -> tuple[TunnelEnd, TunnelEnd]:
        namespaces = lab.namespace("left"), lab.namespace("right")
        lab.link(*namespaces, *(f"{address}/{64 if family == 'v6' else 24}" for address in UNDERLAYS[family]))
        ends = tuple(
            TunnelEnd(lab, namespace, implementation, underlay, overlay)
            for namespace, implementation, underlay, overlay in zip(
                namespaces, (left, right), UNDERLAYS[family], OVERLAYS, strict=True
            )
        )
        if joined:
            join(*ends)
        return ends[0], ends[1]

    return make
