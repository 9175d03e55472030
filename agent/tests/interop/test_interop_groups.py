# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""A spoke with a group of hubs that know nothing of groups: wireguard-go and wirefleet-tun, set up by wg(8).

::

    spoke --- hub-1 (wireguard-go) --- server
        \\---- hub-2 (wirefleet-tun) ---/

The server answers by hub-1, whichever hub the spoke uses: what comes back is taken from any member.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.agent_host import AgentHost, tunnel_name
from support.netns import Lab, wait_until
from support.traffic import GENTLE_WINDOW_BYTES, PingStream, Transfer
from support.wireguard import OURS, THEIRS, TunnelEnd

pytestmark = pytest.mark.netns

SPOKE, SPOKE6 = "10.86.0.9", "fd86::9"
SERVER, SERVER6 = "10.86.200.1", "fd86::c801"
SERVER_LAN = ("172.16.{0}.2/24 fdc0:{0}::2/64", "172.16.{0}.1/24 fdc0:{0}::1/64")
GROUP = ("10.86.0.0/16", "fd86::/64")
TRANSFER_BYTES = 480 << 20


class Star:
    """See the module's docstring; ``close`` ends the spoke's daemon."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.spoke_net, self.server = lab.namespace("spoke"), lab.namespace("server")
        for address in (f"{SERVER}/32", f"{SERVER6}/128"):
            self.server.run("ip", "address", "add", address, "dev", "lo")
        self.hubs = [self._hub(number, kind) for number, kind in enumerate((THEIRS, OURS), start=1)]
        for scope in ("all", "default"):
            self.server.run("sysctl", "-qw", f"net.ipv4.conf.{scope}.rp_filter=0")
        self.server.run("ip", "route", "add", f"{SPOKE}/32", "via", "172.16.1.1", "src", SERVER)
        self.server.run("ip", "route", "add", f"{SPOKE6}/128", "via", "fdc0:1::1", "src", SERVER6)
        self.spoke = AgentHost(self.spoke_net, lab.directory / "spoke", tunnel_name("s"), "192.0.2.1", SPOKE)
        for hub in self.hubs:
            peer = ("peer", self.spoke.public_key, "allowed-ips", f"{SPOKE}/32,{SPOKE6}/128")
            hub.wg("set", hub.name, *peer)
            hub.up()
            for route in (f"{SPOKE}/32", f"{SPOKE6}/128"):
                hub.namespace.run("ip", "route", "add", route, "dev", hub.name)
        self.move_to(0)
        self.spoke.call("daemon", "start", "--wait")
        self.spoke.call("health", "--wait", "--timeout", "20")

    def _hub(self, number: int, kind: str) -> TunnelEnd:
        net = self.lab.namespace(f"hub-{number}")
        self.lab.link(self.spoke_net, net, f"192.0.{number}.1/24", f"192.0.{number}.2/24")
        self.lab.link(self.server, net, *(text.format(number) for text in SERVER_LAN))
        net.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        net.run("ip", "route", "add", f"{SERVER}/32", "via", f"172.16.{number}.2")
        net.run("ip", "route", "add", f"{SERVER6}/128", "via", f"fdc0:{number}::2")
        hub = TunnelEnd(self.lab, net, kind, f"192.0.{number}.2", f"10.86.0.{number}/32 fd86::{number}/128")
        hub.start()
        return hub

    def files(self, start: int) -> tuple[str, str]:
        """The spoke's two files; ``start`` is the hub that starts active, in the order of ``hubs``."""
        peers = [
            f"[Peer]\nPublicKey = {hub.public_key}\nEndpoint = {hub.endpoint}\nPersistentKeepalive = 1\n"
            f"AllowedIPs = {', '.join((*hub.host_prefixes.split(','), *(GROUP if number == start else ())))}\n"
            for number, hub in enumerate(self.hubs)
        ]
        conf = f"[Interface]\nListenPort = 51820\nAddress = {SPOKE}/32, {SPOKE6}/128\n\n" + "\n".join(peers)
        members = ", ".join(f'"{hub.public_key}"' for hub in self.hubs)
        prefixes = ", ".join(f'"{prefix}"' for prefix in GROUP)
        names = "\n".join(f'"{hub.public_key}" = "hub-{number}"' for number, hub in enumerate(self.hubs, start=1))
        toml = (
            f'schema = 1\n[[groups]]\nname = "hubs"\nmembers = [{members}]\nallowed_ips = [{prefixes}]\n'
            f"[peers]\n{names}\n"
        )
        return conf, toml

    def move_to(self, hub: int) -> dict[str, object]:
        """The operator says which hub the spoke is to use."""
        conf, toml = self.files(hub)
        return self.spoke.apply(conf, toml=toml)

    def wg(self, *arguments: str, text: str | None = None) -> str:
        return self.spoke_net.run("wg", *arguments, text=text).stdout

    def allowed_ips(self) -> list[set[str]]:
        """As wg shows them, by hub."""
        shown = dict(line.split("\t") for line in self.wg("show", self.spoke.tunnel, "allowed-ips").splitlines())
        return [set(shown[hub.public_key].split()) for hub in self.hubs]

    @property
    def active(self) -> int:
        (group,) = self.spoke.call("status")["groups"]  # type: ignore[misc]
        return [hub.public_key for hub in self.hubs].index(group["active"])

    def received(self) -> list[int]:
        """Bytes that each hub has got from the spoke."""
        return [int(hub.show("transfer")[self.spoke.public_key].split()[0]) for hub in self.hubs]

    def assert_active(self, hub: int) -> None:
        """Everything says so: status, wg, and where packets go."""
        own = [set(each.host_prefixes.split(",")) for each in self.hubs]
        own[hub] |= set(GROUP)
        assert self.active == hub
        assert self.allowed_ips() == own
        before = self.received()
        for address in (SERVER, SERVER6):
            self.spoke_net.run("ping", "-c", "5", "-i", "0.05", "-s", "1000", "-W", "5", address)
        grown = [now - then for now, then in zip(self.received(), before, strict=True)]
        assert grown[hub] > 10_000 > grown[1 - hub]


@pytest.fixture
def star(lab: Lab) -> Iterator[Star]:
    made = Star(lab)
    try:
        yield made
    finally:
        print(made.spoke.log[-6000:])
        made.spoke.close()


def test_traffic_goes_by_the_active_hub_and_a_configuration_again_switches_nothing(star: Star) -> None:
    star.assert_active(0)

    assert star.move_to(1)["changed"]
    star.assert_active(1)
    assert not star.move_to(1)["changed"]

    star.assert_active(1)


def test_each_hub_is_reached_at_its_own_address_whoever_is_active(star: Star) -> None:
    star.move_to(1)
    before = star.received()

    star.spoke_net.run("ping", "-c", "5", "-i", "0.05", "-s", "1000", "-W", "5", "10.86.0.1")

    grown = [now - then for now, then in zip(star.received(), before, strict=True)]
    assert grown[0] > 5_000 > grown[1]


@pytest.mark.parametrize("address", [SERVER, SERVER6], ids=["v4", "v6"])
def test_switches_in_the_middle_of_traffic_lose_nothing(star: Star, tmp_path: Path, address: str) -> None:
    """Both hubs are alive: not one ping of 10 ms is missing, and the transfers are unharmed."""
    pings = PingStream(star.spoke_net, address, 0.01)
    pings.wait_for_replies(20)
    up = Transfer(star.spoke_net, star.server, address, tmp_path, size=TRANSFER_BYTES, window_bytes=GENTLE_WINDOW_BYTES)
    star.move_to(1)
    assert up.is_running, "the transfer was over before the switch"
    for hub in (0, 1, 0, 1):
        star.move_to(hub)
        pings.wait_for_replies(10)

    up.assert_unharmed()
    assert pings.missing() == []
    star.assert_active(1)


def test_wg_shows_a_group_at_its_active_member(star: Star) -> None:
    star.move_to(1)

    text = star.wg("show", star.spoke.tunnel)
    dump = star.wg("show", star.spoke.tunnel, "dump").splitlines()

    assert text.count("peer: ") == 2
    assert "group" not in text
    assert [line.split("\t")[0] for line in dump[1:]] == [hub.public_key for hub in star.hubs]
    assert set(GROUP) <= set(dump[2].split("\t")[3].split(","))


@pytest.mark.parametrize("verb", ["syncconf", "setconf"])
def test_showconf_given_back_changes_nothing_and_switches_nothing(star: Star, verb: str) -> None:
    then = star.wg("showconf", star.spoke.tunnel)
    star.wg(verb, star.spoke.tunnel, "/dev/stdin", text=then)
    assert star.wg("showconf", star.spoke.tunnel) == then
    star.move_to(1)
    now = star.wg("showconf", star.spoke.tunnel)
    assert now != then

    star.wg(verb, star.spoke.tunnel, "/dev/stdin", text=now)
    assert star.wg("showconf", star.spoke.tunnel) == now
    star.wg(verb, star.spoke.tunnel, "/dev/stdin", text=then)  # written while the other hub was active

    assert star.wg("showconf", star.spoke.tunnel) == now
    # setconf makes the peers anew: a second handshake within 5 s of the last one has to wait.
    wait_until(lambda: star.spoke.ping(SERVER), "the sessions are there again", 20)
    star.assert_active(1)


def test_syncconf_again_and_again_harms_no_traffic(star: Star) -> None:
    star.move_to(1)
    text = star.wg("showconf", star.spoke.tunnel)
    pings = PingStream(star.spoke_net, SERVER, 0.01)
    pings.wait_for_replies(20)

    for _ in range(20):
        star.wg("syncconf", star.spoke.tunnel, "/dev/stdin", text=text)

    assert pings.missing() == []


def test_wg_set_of_a_groups_prefix_on_a_standby_member_switches_nothing(star: Star) -> None:
    star.wg(
        "set", star.spoke.tunnel, "peer", star.hubs[1].public_key, "allowed-ips", "10.86.0.2/32,fd86::2/128," + GROUP[0]
    )

    star.assert_active(0)


def test_a_member_that_wg_removes_is_put_back_with_the_next_configuration(star: Star) -> None:
    star.wg("set", star.spoke.tunnel, "peer", star.hubs[0].public_key, "remove")
    (group,) = star.spoke.call("status")["groups"]  # type: ignore[misc]
    assert [member["public_key"] for member in group["members"]] == [group["active"]] == [star.hubs[1].public_key]

    star.move_to(0)

    wait_until(lambda: star.received()[0] > 0, "hub-1 hears the spoke again")
    star.assert_active(1)


def test_status_tells_who_is_active_and_since_when(star: Star) -> None:
    (group,) = star.spoke.call("status")["groups"]  # type: ignore[misc]
    assert group["name"] == "hubs"
    assert [member["public_key"] for member in group["members"]] == [hub.public_key for hub in star.hubs]
    assert group["prefixes"] == list(GROUP)
    assert group["direct"] is None

    star.move_to(1)
    (after,) = star.spoke.call("status")["groups"]  # type: ignore[misc]
    command = ["-m", "wirefleet_agent", "--root", str(star.spoke.root), "--tunnel", star.spoke.tunnel, "status"]
    text = star.spoke_net.run(sys.executable, *command).stdout

    assert 0 <= after["active_for_s"] < 10
    assert "  group hubs: hub-2 is active for " in text
    assert f"    of hub-1, hub-2; {', '.join(GROUP)}" in text


def test_an_unconfirmed_move_to_another_hub_takes_itself_back(star: Star) -> None:
    conf, toml = star.files(1)
    star.spoke.apply(conf, toml=toml, confirm_timeout_s=8)  # longer than a busy machine takes to ask
    star.assert_active(1)

    wait_until(lambda: star.active == 0, "the change is taken back", 20)

    star.assert_active(0)


def test_a_check_shows_what_would_change(star: Star) -> None:
    conf, toml = star.files(1)

    reply = star.spoke.call("config", "check", request={"conf": conf, "toml": toml})

    ops = [change["op"] for change in reply["changes"]]  # type: ignore[union-attr, attr-defined]
    assert ops == ["set_group"]
    assert star.hubs[1].public_key + " active" in reply["changes"][0]["target"]  # type: ignore[index]
    star.assert_active(0)
