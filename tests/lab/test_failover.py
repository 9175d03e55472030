# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hubs die, are drained and come back; and a spoke that knows nothing of it all."""

from __future__ import annotations

import json
import subprocess
import time

import pytest

pytestmark = [pytest.mark.lab, pytest.mark.slow]


def address(fleet, host):
    lock = json.loads((fleet.state / "wirefleet.lock.json").read_text(encoding="utf-8"))
    return next(text for text in lock["hosts"][host]["addresses"] if "." in text)


def agent(fleet, host, *verb):
    program = str(fleet.root(host) / "opt" / "wirefleet" / "current" / "bin" / "wirefleet-agent")
    tunnel = f"{fleet.prefix}-{host}"
    done = fleet.inside(host, program, "--root", str(fleet.root(host)), "--tunnel", tunnel, "--json", *verb)
    return json.loads(done.stdout)


def active_hub(fleet, spoke):
    status = agent(fleet, spoke, "status")
    names = {peer["public_key"]: peer["name"] for peer in status["peers"]}
    return names[status["groups"][0]["active"]]


def settle(fleet, seconds=90):
    """Every hub is ready to take over from any other."""

    def well():
        groups = [group for spoke in ("spoke-1", "spoke-2") for group in agent(fleet, spoke, "status")["groups"]]
        return all(member["standing"] == "good" for group in groups for member in group["members"])

    assert fleet.wait_until(well, seconds)


def bring(fleet, spoke, hub):
    agent(fleet, hub, "peer", "place", spoke, "--hub", hub)
    try:
        assert fleet.wait_until(lambda: active_hub(fleet, spoke) == hub, 60)
    finally:
        agent(fleet, hub, "peer", "place", spoke, "--planned")


@pytest.fixture
def as_planned_afterwards(fleet):
    yield
    for spoke, hub in (("spoke-1", "hub-1"), ("spoke-2", "hub-2"), ("spoke-3", "hub-3")):
        if active_hub(fleet, spoke) != hub:
            bring(fleet, spoke, hub)


def drilled(fleet, **options):
    words = [word for key, value in options.items() for word in ("-e", f"wirefleet_drill_{key}={value}")]
    words += ["-e", "wirefleet_confirm_drill=yes"] if options.get("on") == "fleet" else []
    run = fleet.play("failover_drill", *words)
    assert run.returncode == 0, run.tail
    assert run.changed == {} or options.get("on") == "fleet"
    return json.loads((fleet.state / "plan" / "drill.json").read_text(encoding="utf-8"))


@pytest.mark.usefixtures("as_planned_afterwards")
def test_a_killed_hub_is_noticed_for_less_than_two_seconds_and_a_drained_one_not_at_all(fleet):
    report = drilled(fleet, kinds="kill,drain", hubs="hub-1")

    kill, drain = report["summary"]["kill"], report["summary"]["drain"]
    assert 0.1 < kill["worst_s"] < 2.0
    assert kill["pings_lost"] > 0
    assert kill["streams_broken"] == drain["streams_broken"] == 0
    assert drain["pings_lost"] == 0
    assert all(fault["hub"] == "hub-1" != fault["moved_to"] for fault in report["faults"])


@pytest.mark.usefixtures("as_planned_afterwards")
def test_loss_of_one_direction_is_noticed_as_well(fleet):
    report = drilled(fleet, kinds="one-way-in,one-way-out,blackhole", hubs="hub-1")

    for kind, row in report["summary"].items():
        assert 0.1 < row["worst_s"] < 2.0, kind
        assert row["streams_broken"] == 0, kind


@pytest.mark.usefixtures("as_planned_afterwards")
def test_the_drill_of_real_fleets_works_and_leaves_nothing_behind(fleet):
    report = drilled(fleet, on="fleet", kinds="drain", hubs="hub-2", hold_s=2, **{"from": "spoke-2", "to": "spoke-1"})
    assert report["faults"] != []
    assert report["summary"]["drain"]["pings_lost"] == 0


def test_verify_names_a_drained_hub_as_a_warning_and_a_spoke_that_stays_away_as_an_error(fleet):
    settle(fleet)
    bring(fleet, "spoke-1", "hub-1")
    agent(fleet, "hub-1", "drain", "--wait")
    drained = fleet.play("verify")
    agent(fleet, "hub-1", "resume")
    assert fleet.wait_until(lambda: "draining" not in json.dumps(standings(fleet)), 20)
    away = fleet.play("verify", "--limit", "spoke-1,hubs")
    site = fleet.play("site", "--limit", "spoke-1")
    bring(fleet, "spoke-1", "hub-1")
    back = fleet.play("verify")

    assert drained.returncode == 0, drained.tail
    assert "active_hub_drained" in drained.output
    assert away.returncode != 0
    assert "active_hub_mismatch" in away.output
    assert site.returncode == 0, site.tail
    assert back.returncode == 0, back.tail


def standings(fleet):
    return [member["standing"] for member in agent(fleet, "spoke-1", "status")["groups"][0]["members"]]


@pytest.mark.usefixtures("as_planned_afterwards")
def test_verify_names_hubs_that_are_gone_and_the_quorum_with_them(fleet):
    for hub in ("hub-2", "hub-3"):
        agent(fleet, hub, "daemon", "stop")
    try:
        time.sleep(6)
        run = fleet.play("verify", "-e", "verify_settle_s=3")
        reached = fleet.inside("spoke-1", "ping", "-c", "3", "-i", "0.2", "-W", "2", address(fleet, "spoke-2"))
        refused = fleet.module("hub-1", "agent_drain", {**where(fleet, "hub-1"), "state": "draining"})
    finally:
        for hub in ("hub-2", "hub-3"):
            agent(fleet, hub, "daemon", "start", "--wait")
        settle(fleet, 180)

    assert run.returncode != 0
    for name in ("heartbeat_missing (hub-2)", "heartbeat_missing (hub-3)", "quorum_missing", "daemon_not_running"):
        assert name in run.output
    assert reached.returncode == 0, reached.stdout
    assert refused.returncode != 0
    assert "too few hubs" in refused.output


def where(fleet, host):
    return {"root": str(fleet.root(host)), "tunnel": f"{fleet.prefix}-{host}"}


def test_a_revoked_spoke_is_refused_and_a_restored_one_is_back(fleet):
    peer = {**where(fleet, "hub-2"), "peer": "spoke-3"}
    try:
        revoked = fleet.module("hub-2", "agent_peer", {**peer, "state": "revoked", "reason": "test"})
        again = fleet.module("hub-2", "agent_peer", {**peer, "state": "revoked", "reason": "test"})
        silent = fleet.inside("spoke-3", "ping", "-c", "3", "-i", "0.2", "-W", "1", address(fleet, "hub-1"))
    finally:
        restored = fleet.module("hub-1", "agent_peer", {**peer, **where(fleet, "hub-1"), "state": "restored"})

    assert revoked.returncode == restored.returncode == 0, revoked.tail + restored.tail
    assert "CHANGED" in revoked.output
    assert "SUCCESS" in again.output
    assert silent.returncode != 0
    answers = ("ping", "-c", "1", "-W", "1", address(fleet, "hub-1"))
    assert fleet.wait_until(lambda: fleet.inside("spoke-3", *answers).returncode == 0, 40)


class PlainWireGuard:
    """wireguard-go on a spoke of the lab, configured with the standard tools from what the plan renders."""

    def __init__(self, fleet, host) -> None:
        self._fleet, self._host = fleet, host
        self._link = f"{fleet.prefix}-go"
        self.private_key = self._wg("genkey")
        self.public_key = self._wg("pubkey", stdin=self.private_key)
        self._process = None

    def _wg(self, *words, stdin=""):
        done = subprocess.run(["wg", *words], input=stdin, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def start(self, conf):
        """conf: as rendered, in the syntax of wg-quick."""
        lines = conf.splitlines()
        addresses = next(line for line in lines if line.startswith("Address")).partition("=")[2].split(",")
        kept = [line for line in lines if not line.startswith(("Address", "MTU"))]
        kept.insert(kept.index("[Interface]") + 1, f"PrivateKey = {self.private_key}")
        enter = ["nsenter", f"--net=/run/netns/{self._fleet.prefix}-{self._host}", "--"]
        self._process = subprocess.Popen(
            [*enter, "wireguard-go", "--foreground", self._link], stderr=subprocess.DEVNULL
        )
        assert self._fleet.wait_until(
            lambda: self._fleet.inside(self._host, "wg", "show", self._link).returncode == 0, 10
        )
        subprocess.run(
            [*enter, "wg", "setconf", self._link, "/dev/stdin"], input="\n".join(kept), text=True, check=True
        )
        for text in addresses:
            subprocess.run([*enter, "ip", "address", "add", text.strip(), "dev", self._link], check=True)
        subprocess.run([*enter, "ip", "link", "set", self._link, "mtu", "1420", "up"], check=True)

    def stop(self):
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)


@pytest.mark.usefixtures("converged_afterwards")
def test_a_plain_wireguard_peer_can_be_a_spoke_and_talks_to_everybody(fleet, tmp_path):
    gone = fleet.play("decommission", "--limit", "spoke-3", "-e", "wirefleet_confirm_decommission=spoke-3")
    assert gone.returncode == 0, gone.tail
    plain = PlainWireGuard(fleet, "spoke-3")
    host = {"wirefleet_agent": False, "wirefleet_public_key": plain.public_key}
    try:
        site = fleet.play("site", inventory=fleet.inventory(spoke_3=host))
        assert site.returncode == 0, site.tail
        options = {"host": "spoke-3", "plan_dir": str(fleet.state / "plan"), "dest": str(tmp_path)}
        assert fleet.module("hub-1", "wg_config", options).returncode == 0
        plain.start((tmp_path / f"{fleet.prefix}-spoke-3.conf").read_text(encoding="utf-8"))

        answers = {
            target: fleet.inside(
                "spoke-3", "ping", "-c", "3", "-i", "0.2", "-W", "3", address(fleet, target)
            ).returncode
            for target in ("hub-1", "hub-2", "hub-3", "spoke-1", "spoke-2")
        }
        agent(fleet, "hub-1", "drain", "--wait")
        moved = fleet.inside("spoke-3", "ping", "-c", "3", "-i", "0.2", "-W", "3", address(fleet, "spoke-1"))
        agent(fleet, "hub-1", "resume")
        verified = fleet.play(
            "verify", "-e", "verify_fail_on_active_hub=false", inventory=fleet.inventory(spoke_3=host)
        )
    finally:
        plain.stop()

    assert set(answers.values()) == {0}, answers
    assert moved.returncode == 0, moved.stdout
    assert verified.returncode == 0, verified.tail
