# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from support.agent_host import AgentHost, tunnel_name
from support.netns import Lab, can_make_namespaces, wait_until

pytestmark = pytest.mark.netns


@pytest.fixture
def hosts() -> Iterator[tuple[AgentHost, AgentHost]]:
    """Two hosts on one underlay, each with a key, neither configured nor running."""
    if not can_make_namespaces():
        if os.environ.get("CI") == "true":
            pytest.fail("needs root, /dev/net/tun and ip")
        pytest.skip("needs root, /dev/net/tun and ip")
    with Lab() as lab:
        left, right = lab.namespace("left"), lab.namespace("right")
        lab.link(left, right, "192.0.2.1/24", "192.0.2.2/24")
        # A root as long as those of real checkouts: sockets must not mind.
        deep = (
            lab.directory / "a-very-long-directory-name-that-exceeds-the-limits" / "of-a-unix-socket-address" / "hosts"
        )
        made = (
            AgentHost(left, deep / "left", tunnel_name("a"), "192.0.2.1", "10.9.0.1"),
            AgentHost(right, deep / "right", tunnel_name("b"), "192.0.2.2", "10.9.0.2"),
        )
        try:
            yield made
        finally:
            for host in made:
                print(host.log[-6000:])
                host.close()


def join(a: AgentHost, b: AgentHost) -> None:
    for here, there in ((a, b), (b, a)):
        here.apply(here.conf(there.as_peer()))
        here.call("daemon", "start", "--wait")
    for host in (a, b):
        host.call("health", "--wait", "--timeout", "20")


def test_two_daemons_reach_each_other_and_leave_nothing_behind(hosts):
    a, b = hosts

    join(a, b)

    assert a.ping("10.9.0.2")
    status = a.call("status")
    assert status["running"]
    assert status["interface"]["is_up"]
    assert not status["pending"]
    assert status["peers"][0]["public_key"] == b.public_key
    assert status["peers"][0]["last_handshake_age_s"] < 60
    assert a.call("daemon", "start")["changed"] is False
    assert a.call("daemon", "stop") == {"changed": True, "running": False, "pid": None}
    assert a.call("daemon", "stop")["changed"] is False
    assert a.leftovers() == []


def test_a_daemon_without_a_configuration_waits_for_one(hosts):
    a, b = hosts
    a.call("daemon", "start", "--wait")
    b.call("daemon", "start")
    assert a.call("status")["interface"] is None

    replies = [here.apply(here.conf(there.as_peer())) for here, there in ((a, b), (b, a))]

    assert all(reply["changed"] and reply["running"] for reply in replies)
    assert a.call("health", "--wait", "--timeout", "20")["healthy"]
    assert a.apply(a.conf(b.as_peer()))["changed"] is False


def test_a_change_that_nobody_confirms_is_taken_back_and_other_peers_keep_their_sessions(hosts):
    a, b = hosts
    join(a, b)
    sent = a.peers()[b.public_key]["tx_bytes"]
    stranger = "[Peer]\nPublicKey = aGVsbG8gd29ybGQgaGVsbG8gd29ybGQgaGVsbG8gd28=\nAllowedIPs = 10.9.0.99/32\n"

    reply = a.apply(a.conf(b.as_peer(), stranger), confirm_timeout_s=8)  # longer than a busy machine takes to ask
    assert reply["pending"]
    assert len(a.peers()) == 2
    assert [change["op"] for change in reply["changes"]] == ["add_peer", "replace_allowed_ips"]
    wait_until(lambda: len(a.peers()) == 1, "the change is taken back")

    assert a.call("config", "show")["pending"] is False
    assert "10.9.0.99" not in (a.root / f"etc/wirefleet/{a.tunnel}.conf").read_text()
    assert a.peers()[b.public_key]["tx_bytes"] >= sent
    assert a.ping("10.9.0.2")
    assert a.log.count('"event":"config_reverted"') + a.log.count('"event": "config_reverted"') == 1
    assert '"event": "handshake_completed"' not in a.log.split("config_applied", 1)[1]
    assert a.call("config", "confirm", request={"confirm_id": reply["confirm_id"]}, exit_code=5)


def test_a_confirmed_change_stays_and_the_session_survives_it(hosts):
    a, b = hosts
    join(a, b)
    handshake = a.namespace.run("wg", "show", a.tunnel, "latest-handshakes").stdout

    reply = a.apply(a.conf(b.as_peer(allowed_ips="10.9.0.2/32, 10.77.0.0/16")), confirm_timeout_s=30)
    confirmed = a.call("config", "confirm", request={"confirm_id": reply["confirm_id"]})

    assert confirmed == {"changed": True, "digest": reply["digest"]}
    assert a.call("config", "confirm", request={"confirm_id": reply["confirm_id"]})["changed"] is False
    assert "10.77.0.0/16" in a.namespace.run("ip", "route").stdout
    assert a.namespace.run("wg", "show", a.tunnel, "latest-handshakes").stdout == handshake
    assert a.ping("10.9.0.2")


def test_a_killed_daemon_starts_again_and_an_unconfirmed_change_that_expired_meanwhile_is_gone(hosts):
    a, b = hosts
    join(a, b)
    # Longer than a busy machine takes to kill it: else it reverts by itself before.
    a.apply(a.conf(b.as_peer(), extra="MTU = 1300"), confirm_timeout_s=6)

    os.kill(a.daemon_pid(), signal.SIGKILL)
    wait_until(lambda: not a.call("status")["running"], "the daemon is dead")
    wait_until(lambda: a.call("config", "show")["confirm_deadline_s"] == 0.0, "the deadline has passed")
    started = a.call("daemon", "start", "--wait")

    assert started["changed"]
    assert a.call("config", "show")["pending"] is False
    assert a.call("status")["interface"]["mtu_bytes"] == 1420
    assert a.call("health", "--wait", "--timeout", "30")["healthy"]
    assert a.ping("10.9.0.2")


def test_forwarding_goes_off_with_the_tunnel_even_if_the_daemon_that_switched_it_on_was_killed(hosts):
    a, b = hosts
    toml = f'schema = 1\n[host]\nname = "{a.tunnel}"\nrole = "hub"\nforwarding = true\n'

    def forwards() -> str:
        return a.namespace.run("sysctl", "-n", "net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding").stdout

    before = forwards()
    a.call("daemon", "start", "--wait")
    a.apply(a.conf(b.as_peer()), toml=toml)
    os.kill(a.daemon_pid(), signal.SIGKILL)
    wait_until(lambda: not a.call("status")["running"], "the daemon is dead")
    during = forwards()
    a.call("daemon", "start", "--wait")
    a.call("daemon", "stop")

    assert (before, during, forwards()) == ("0\n0\n", "1\n1\n", "0\n0\n")


def test_a_busy_port_fails_the_change_and_nothing_is_different(hosts):
    a, b = hosts
    join(a, b)
    before = a.call("config", "show")
    holder = a.namespace.call(lambda: _bound_socket(51999))

    try:
        a.apply(a.conf(b.as_peer(), port=51999, extra="MTU = 1300"), exit_code=1)
    finally:
        holder.close()

    assert a.call("config", "show") == before
    assert a.call("status")["interface"]["mtu_bytes"] == 1420
    assert a.ping("10.9.0.2")


def test_a_daemon_whose_port_is_busy_says_so_and_comes_up_when_it_is_free(hosts):
    a, b = hosts
    holder = a.namespace.call(lambda: _bound_socket(51820))
    try:
        a.apply(a.conf(b.as_peer()))
        reply = a.call("daemon", "start", "--wait", "--timeout", "1", exit_code=4)
        assert "use" in reply["error"]["message"]
        assert a.call("status")["error"] is not None
    finally:
        holder.close()

    wait_until(lambda: a.call("status")["interface"] is not None, "the tunnel came up")
    assert a.call("status")["error"] is None


def test_an_interface_that_somebody_deletes_comes_back(hosts):
    a, b = hosts
    join(a, b)

    a.namespace.run("ip", "link", "delete", a.tunnel)

    wait_until(lambda: "tunnel_opened" in a.log.split("interface_removed", 1)[-1], "the interface is made again")
    assert a.call("health", "--wait", "--timeout", "30")["healthy"]


def test_a_rotated_key_is_used_at_once(hosts):
    a, b = hosts
    join(a, b)

    rotated = a.call("key", "rotate")
    a.public_key = rotated["public_key"]
    b.apply(b.conf(a.as_peer()))

    assert a.namespace.run("wg", "show", a.tunnel, "public-key").stdout.strip() == rotated["public_key"]
    b.call("health", "--wait", "--timeout", "30")
    assert b.ping("10.9.0.1")


def test_a_second_daemon_for_the_same_tunnel_is_refused(hosts):
    a, _b = hosts
    a.call("daemon", "start")

    reply = a.call("run", exit_code=5)

    assert "at work" in reply["error"]["message"]


def test_preshared_keys_beside_the_request_reach_the_tunnel_and_no_reply_or_log(hosts):
    a, b = hosts
    psk = a.namespace.run("wg", "genpsk").stdout.strip()
    replies = []
    for here, there in ((a, b), (b, a)):
        here.call("daemon", "start")
        replies.append(here.apply(here.conf(there.as_peer()), preshared_keys={there.public_key: psk}))
        replies.append(here.call("config", "show"))
        replies.append(here.call("status"))

    assert a.call("health", "--wait", "--timeout", "20")["healthy"]
    assert psk in a.namespace.run("wg", "show", a.tunnel, "preshared-keys").stdout
    assert psk not in str(replies) + a.log + b.log
    private = a.namespace.run("wg", "show", a.tunnel, "private-key").stdout.strip()
    assert private
    assert private not in str(replies) + a.log
    conf = a.root / f"etc/wirefleet/{a.tunnel}.conf"
    assert psk in conf.read_text()
    assert oct(conf.stat().st_mode & 0o777) == "0o600"


def _bound_socket(port: int):
    import socket

    holder = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    holder.bind(("0.0.0.0", port))
    return holder
