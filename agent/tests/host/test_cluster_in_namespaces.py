# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Three real agents whose cluster runs through the tunnels between them."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from support.agent_host import AgentHost, tunnel_name
from support.netns import Lab, can_make_namespaces, wait_until

pytestmark = pytest.mark.netns

KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
STRANGER = "aGVsbG8gd29ybGQgaGVsbG8gd29ybGQgaGVsbG8gd28="


@pytest.fixture
def hubs() -> Iterator[list[AgentHost]]:
    if not can_make_namespaces():
        if os.environ.get("CI") == "true":
            pytest.fail("needs root, /dev/net/tun and ip")
        pytest.skip("needs root, /dev/net/tun and ip")
    with Lab() as lab:
        spaces = [lab.namespace(name) for name in ("one", "two", "three")]
        pairs = ((0, 1), (0, 2), (1, 2))
        for number, (left, right) in enumerate(pairs):
            lab.link(spaces[left], spaces[right], f"192.0.2.{4 * number + 1}/30", f"192.0.2.{4 * number + 2}/30")
        made = [
            AgentHost(space, lab.directory / f"hub-{number}", tunnel_name(f"k{number}"), "", f"10.9.0.{number + 1}")
            for number, space in enumerate(spaces)
        ]
        addresses = {(left, right): 4 * number for number, (left, right) in enumerate(pairs)}
        try:
            for here, host in enumerate(made):
                peers = []
                for there, other in enumerate(made):
                    if there != here:
                        last = addresses[min(here, there), max(here, there)] + (1 if there < here else 2)
                        peers.append(other.as_peer(endpoint=f"192.0.2.{last}:51820"))
                peers.append(f"[Peer]\nPublicKey = {STRANGER}\nAllowedIPs = 10.9.0.99/32\n")
                members = ",".join(f'{{ key = "{each.public_key}", address = "{each.overlay}" }}' for each in made)
                toml = f'schema = 1\n[host]\nname = "hub-{here + 1}"\nrole = "hub"\n'
                toml += f"[cluster]\nport = 51822\nmembers = [{members}]\n"
                host.apply(host.conf(*peers), toml=toml, cluster_key=KEY)
                host.call("daemon", "start", "--wait")
            yield made
        finally:
            for host in made:
                print(host.log[-4000:])
                host.close()


def moment_of(event: str, hub: AgentHost) -> datetime:
    """When the hub logged it first."""
    records = [json.loads(line) for line in hub.log.splitlines() if line.startswith("{")]
    return datetime.fromisoformat(next(each["timestamp"] for each in records if each["event"] == event))


def is_writable(*hubs: AgentHost) -> bool:
    return all(hub.call("cluster", "status")["is_writable"] for hub in hubs)


def test_three_agents_decide_together_over_their_tunnels_and_keep_it_over_a_restart_of_all(hubs):
    first, second, third = hubs
    wait_until(lambda: is_writable(*hubs), "a leader", 30)

    assert second.call("peer", "revoke", STRANGER, "--reason", "stolen")["changed"]
    wait_until(lambda: all(STRANGER not in hub.peers() for hub in hubs), "revoked everywhere")
    # Not by how soon three calls of the command line have their answers, on a machine with other work.
    moments = [moment_of("peer_revoked", hub) for hub in hubs]
    assert max(moments) - min(moments) < timedelta(seconds=2)

    pids = [hub.daemon_pid() for hub in hubs]
    for pid in pids:  # all at once, as a power cut would
        os.kill(pid, signal.SIGKILL)
    for hub in hubs:
        hub.call("daemon", "start", "--wait")
        assert STRANGER not in hub.peers()
    wait_until(lambda: is_writable(*hubs), "a leader", 30)
    assert third.call("peer", "restore", STRANGER)["changed"]
    wait_until(lambda: all(STRANGER in hub.peers() for hub in hubs), "restored everywhere")

    assert first.call("health", "--wait", "--timeout", "20")["has_quorum"]
    for hub in (second, third):
        hub.call("daemon", "stop")
    wait_until(lambda: not is_writable(first), "no quorum", 15)
    reply = first.call("drain", exit_code=5)
    assert reply["error"]["code"] == "no_quorum"
    assert first.call("cluster", "status")["has_quorum"] is False
    health = first.call("health", exit_code=4)
    assert health["has_quorum"] is False
    assert "the hubs have no quorum" in health["error"]["message"]
    assert KEY not in first.log + second.log + third.log
