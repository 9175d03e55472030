# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""A peer that is killed without a word and comes back, with and without a first word of its own."""

from __future__ import annotations

import os
import signal
import time

import pytest
from support.netns import Lab, wait_until
from support.topologies import OVERLAYS, V4
from support.wireguard import OURS, THEIRS, TunnelEnd, join

pytestmark = pytest.mark.netns

PAIRS = [(OURS, THEIRS), (THEIRS, OURS), (OURS, OURS)]
pairs = pytest.mark.parametrize(("survivor", "victim"), PAIRS, ids=["go-dies", "ours-dies-go-stays", "ours-dies"])

# NEW_HANDSHAKE_AFTER_S and its jitter, one lost initiation (REKEY_TIMEOUT_S), and a slow machine.
RECOVERY_S = 15.4 + 5.4 + 10


def kill(end: TunnelEnd) -> None:
    """SIGKILL: the interface goes, the socket's file stays."""
    for pid in end.namespace.processes():
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: end.name not in end.namespace.run("ip", "link").stdout, "the interface has gone")
    wait_until(lambda: not end.namespace.processes(), "the process is dead")
    assert end.socket.exists()


def come_back(end: TunnelEnd, other: TunnelEnd, *, knows_endpoint: bool) -> None:
    end.start()
    end.up()
    end.add_peer(other, knows_endpoint=knows_endpoint)


def is_answered(end: TunnelEnd, address: str) -> bool:
    return end.ping(address, count=1, check=False)


@pairs
def test_a_restarted_peer_that_speaks_first_is_answered_at_once(make_pair, survivor: str, victim: str) -> None:
    # checklist 5, 10
    stays, dies = make_pair(survivor, victim)
    stays.ping(dies.addresses[0])
    kill(dies)

    come_back(dies, stays, knows_endpoint=True)

    dies.ping(stays.addresses[0], count=1)
    stays.ping(dies.addresses[1], count=1)


@pytest.mark.slow
def test_a_restarted_peer_that_is_silent_is_found_by_the_survivor(lab: Lab) -> None:  # checklist 20
    couples = []
    for survivor, victim in PAIRS:
        namespaces = lab.namespace("stays"), lab.namespace("dies")
        lab.link(*namespaces, *(f"{address}/24" for address in V4))
        stays, dies = (
            TunnelEnd(lab, namespace, implementation, underlay, overlay)
            for namespace, implementation, underlay, overlay in zip(
                namespaces, (survivor, victim), V4, OVERLAYS, strict=True
            )
        )
        join(stays, dies)
        stays.ping(dies.addresses[0])
        couples.append((stays, dies))
    for stays, dies in couples:
        kill(dies)
        come_back(dies, stays, knows_endpoint=False)
    began = time.monotonic()
    streams = [stays.namespace.start("ping", "-n", "-c1000", "-i0.2", dies.addresses[0]) for stays, dies in couples]

    for (stays, dies), stream in zip(couples, streams, strict=True):
        left_s = max(1.0, began + RECOVERY_S - time.monotonic())
        wait_until(lambda stream=stream: "icmp_seq" in stream.output, f"{stays.implementation} finds it", left_s)
        assert dies.show("endpoints") == {stays.public_key: stays.endpoint}
