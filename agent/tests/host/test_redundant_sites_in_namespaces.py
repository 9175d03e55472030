# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""LANs behind two spokes and behind two hubs, with real agents in namespaces: whoever carries the traffic is killed.

Which of its gateways a LAN's hosts send to is not the agent's: the test moves their route, as VRRP would. The figures
are printed; docs/redundancy.md has some.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from support.failover_fleet import HEARTBEAT, FailoverHost, Fleet, fleet_of
from support.netns import Lab, Namespace, wait_until
from support.traffic import PingStream, TimedPings

pytestmark = pytest.mark.netns

_PING_S = 0.01
_INTERVAL_MS = 500
SITE, HUB_SITE = "10.1.0.0/24", "10.2.0.0/24"


def _keys(hosts: Sequence[FailoverHost]) -> str:
    return "[" + ", ".join(f'"{host.public_key}"' for host in hosts) + "]"


class SiteHost(FailoverHost):
    """h1 and h2 are on the hubs' LAN, s1 and s2 on the spokes'; h3, the hub that spokes use first, and s3 on none."""

    def configure(self, hubs: Sequence[FailoverHost], spokes: Sequence[FailoverHost], interval_ms: int) -> None:
        others, gateways = [hub for hub in hubs if hub is not self], spokes[:2]
        is_on_lan = self.label in ("h1", "h2", "s1", "s2")
        toml = f'schema = 1\n[host]\nname = "{self.label}"\nforwarding = {str(self.is_hub or is_on_lan).lower()}\n'
        if is_on_lan:
            toml += f'local_networks = ["{HUB_SITE if self.is_hub else SITE}"]\n'
        toml += HEARTBEAT.format(interval_ms=interval_ms)
        if self.is_hub:
            toml += f"[relays]\nmembers = {_keys(others)}\n"
            toml += f'[[sites]]\nname = "site"\nmembers = {_keys(gateways)}\nallowed_ips = ["{SITE}"]\n'
            lan = next(hub for hub in hubs if hub is not self)
            if not is_on_lan:
                toml += f'[[groups]]\nname = "hub-site"\nmembers = {_keys(others)}\nallowed_ips = ["{HUB_SITE}"]\n'
            peers = [hub.peer(f"{hub.overlay}/32" + (f", {HUB_SITE}" if hub is lan else "")) for hub in others]
            peers += [
                spoke.peer(f"{spoke.overlay}/32" + (f", {SITE}" if spoke is spokes[0] else ""), is_called=False)
                for spoke in spokes
            ]
        else:
            networks = f'["10.86.0.0/16", "{SITE}", "{HUB_SITE}"]'
            order = [*hubs[2:], *hubs[:2]]
            toml += f'[[groups]]\nname = "hubs"\nmembers = {_keys(order)}\nallowed_ips = {networks}\n'
            own = f", 10.86.0.0/16, {SITE}, {HUB_SITE}"
            peers = [hub.peer(f"{hub.overlay}/32" + (own if hub is order[0] else "")) for hub in order]
        self.apply("\n".join([f"[Interface]\nListenPort = 51820\nAddress = {self.overlay}/16\n", *peers]), toml=toml)

    def group(self, name: str) -> dict[str, object]:
        groups = self.call("status")["groups"]
        assert isinstance(groups, list)
        return next(group for group in groups if group["name"] == name)


class Lan:
    """A host, and a cable from it to each gateway; the gateways are .1 and .2, the host is .50."""

    def __init__(self, lab: Lab, label: str, network: str, gateways: Sequence[FailoverHost]) -> None:
        self.host: Namespace = lab.namespace(label)
        self.address = f"{network}.50"
        self._network = network
        self.host.run("ip", "link", "add", "br0", "type", "bridge")
        self.host.run("ip", "link", "set", "br0", "up")
        self.host.run("ip", "address", "add", f"{self.address}/24", "dev", "br0")
        for number, gateway in enumerate(gateways, start=1):
            _, port = lab.link(gateway.namespace, self.host, f"{network}.{number}/24", "")
            self.host.run("ip", "link", "set", port, "master", "br0")
        self.answer_over(1)

    def answer_over(self, number: int) -> None:
        self.host.run("ip", "route", "replace", "default", "via", f"{self._network}.{number}")


class SiteFleet(Fleet):
    host_type = SiteHost

    def __init__(self, lab: Lab) -> None:
        super().__init__(lab, spokes=3)
        self.lan = Lan(lab, "lan", "10.1.0", self.spokes[:2])
        self.hub_lan = Lan(lab, "hublan", "10.2.0", self.hubs[:2])
        self.far = self.spokes[2]
        self.start(_INTERVAL_MS)

    def site(self, hub: FailoverHost) -> dict[str, object]:
        assert isinstance(hub, SiteHost)
        return hub.group("site")

    def gateways_in_use(self) -> set[object]:
        return {self.site(hub)["direct"] for hub in self.hubs}

    def are_well(self, hub: FailoverHost) -> list[bool]:
        gateways = self.site(hub)["gateways"]
        assert isinstance(gateways, list)
        return [each["is_well"] for each in gateways]


@pytest.fixture
def fleet() -> Iterator[SiteFleet]:
    with fleet_of(SiteFleet) as made:
        yield made


def test_a_killed_gateway_costs_less_than_the_patience_and_two_intervals(fleet: SiteFleet) -> None:
    one, two = fleet.spokes[:2]
    outages = []
    for dies, other, router in ((one, two, 2), (two, one, 1)):
        wait_until(lambda: all(fleet.are_well(hub) == [True, True] for hub in fleet.hubs), "both gateways are well", 40)
        assert fleet.gateways_in_use() == {dies.public_key}
        pings = TimedPings(fleet.far.namespace, fleet.lan.address, _PING_S)
        pings.wait_for_replies(30)
        dies.kill()
        fleet.lan.answer_over(router)
        wait_until(
            lambda other=other: fleet.gateways_in_use() == {other.public_key}, "the other gateway is in use everywhere"
        )
        outages.append(round(pings.longest_outage_s(), 3))
        dies.start()

    print(f"outages: {outages}")
    # Not less than the patience minus an interval: it would mean that a gateway was left early.
    assert min(outages) >= 0.95
    assert max(outages) <= 3.0


def test_the_lan_answers_over_either_gateway_and_neither_routes_it_into_the_tunnel(fleet: SiteFleet) -> None:
    pings = PingStream(fleet.far.namespace, fleet.lan.address, _PING_S)
    pings.wait_for_replies(30)
    fleet.lan.answer_over(2)
    pings.wait_for_replies(30)

    assert pings.missing() == []
    assert fleet.gateways_in_use() == {fleet.spokes[0].public_key}
    for gateway in fleet.spokes[:2]:
        routes = gateway.namespace.run("ip", "route", "show", SITE).stdout.splitlines()
        assert len(routes) == 1
        assert gateway.tunnel not in routes[0]
    # A host of the LAN reaches the other gateway's tunnel address: the packet comes from the LAN through the tunnel.
    fleet.lan.host.run("ping", "-c", "2", "-W", "2", fleet.spokes[0].overlay)


def test_a_hub_that_hears_no_gateway_sends_over_another_hub(fleet: SiteFleet) -> None:
    hub, gateways = fleet.hubs[2], fleet.spokes[:2]
    assert fleet.hub_of(fleet.far) is hub
    pings = TimedPings(fleet.far.namespace, fleet.lan.address, _PING_S)
    pings.wait_for_replies(30)

    for gateway in gateways:
        hub.namespace.run("ip", "route", "add", "blackhole", f"{gateway.underlay}/32")
        gateway.namespace.run("ip", "route", "add", "blackhole", f"{hub.underlay}/32")
    wait_until(lambda: fleet.site(hub)["via"] is not None, "the hub sends over another one", 30)
    outage_s = round(pings.longest_outage_s(), 3)

    print(f"outage of a hub that lost both gateways: {outage_s}")
    assert fleet.site(hub)["reason"] == "claimed"
    assert fleet.site(hub)["via"] in [other.public_key for other in fleet.hubs[:2]]
    assert fleet.hub_of(fleet.far) is hub
    assert 2.4 <= outage_s <= 6.0


def test_a_killed_hub_of_two_on_a_lan_costs_less_than_the_patience(fleet: SiteFleet) -> None:
    first, second, third = fleet.hubs
    assert isinstance(third, SiteHost)
    assert third.group("hub-site")["active"] == first.public_key
    pings = TimedPings(fleet.far.namespace, fleet.hub_lan.address, _PING_S)
    pings.wait_for_replies(30)

    first.kill()
    fleet.hub_lan.answer_over(2)
    wait_until(lambda: third.group("hub-site")["active"] == second.public_key, "the third hub has switched")
    outage_s = round(pings.longest_outage_s(), 3)

    print(f"outage of a LAN of two hubs: {outage_s}")
    assert 0.95 <= outage_s <= 2.0
