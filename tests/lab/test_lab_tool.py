# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab itself: up, down, status, and the way in without root."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT / "lab"))

from wirefleet_lab.topology import HOSTS, LANS, Lab, LabError  # noqa: E402

NOBODY = "65534"


@pytest.fixture
def lab(tmp_path):
    """lab(*arguments): the lab tool on a lab of this test's own."""
    prefix = f"wf-u-{os.getpid() % 256:02x}"

    def run(*arguments: str, state: Path = tmp_path / "state") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(CHECKOUT / "lab" / "lab.py"), "--prefix", prefix, "--state", str(state)]
        return subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=120, check=False)

    run.prefix, run.state = prefix, tmp_path / "state"
    yield run
    run("down")


@pytest.mark.lab
def test_second_up_and_second_down_change_nothing(lab):
    changed = [json.loads(lab(command, "--json").stdout)["changed"] for command in ("up", "up", "down", "down")]

    assert changed == [True, False, True, False]


@pytest.mark.lab
def test_down_leaves_nothing_behind(lab):
    lab("up")
    sleeper = subprocess.Popen(["nsenter", f"--net=/run/netns/{lab.prefix}-hub-1", "--", "sleep", "300"])
    try:
        reply = json.loads(lab("down", "--json").stdout)
    finally:
        sleeper.kill()
        sleeper.wait()

    assert sleeper.pid in reply["ended_processes"]
    assert not list(Path("/run/netns").glob(f"{lab.prefix}-*"))
    assert not Path(f"/run/wirefleet-lab/{lab.prefix}.json").exists()
    assert not lab.state.exists()


@pytest.mark.parametrize("left", ["plan/plan.json", "plan.check/plan.json", "wirefleet.lock.json", "preshared.secret"])
def test_down_takes_along_what_the_playbooks_keep_with_the_lab(lab, left):
    """The paths of inventories/lab; a secret above all must not outlive its lab."""
    path = lab.state / left
    path.parent.mkdir(parents=True)
    path.write_text("left behind")

    reply = json.loads(lab("down", "--json").stdout)

    assert reply["changed"] is True
    assert not lab.state.exists()


def test_inventory_keeps_everything_with_the_lab():
    variables = yaml.safe_load((CHECKOUT / "inventories" / "lab" / "group_vars" / "lab.yml").read_text())
    kept = [variables[f"wirefleet_{name}"] for name in ("plan_dir", "lock_path", "preshared_secret_path")]

    assert kept == [
        f"{{{{ wirefleet_lab_state }}}}/{name}" for name in ("plan", "wirefleet.lock.json", "preshared.secret")
    ]


@pytest.mark.parametrize("arguments", [["status"], ["status", "--json"], ["--help"]])
def test_reader_that_has_seen_enough_gets_no_traceback(lab, arguments):
    reader, writer = os.pipe()
    os.close(reader)

    command = [sys.executable, str(CHECKOUT / "lab" / "lab.py"), "--prefix", lab.prefix, "--state", str(lab.state)]
    done = subprocess.run([*command, *arguments], stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)

    assert done.stderr == ""


def test_taking_the_lab_down_installs_nothing():
    make = shutil.which("make")
    if make is None:
        pytest.skip("needs make")

    commands = subprocess.run([make, "-n", "lab-down"], cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout

    assert "setup.sh" not in commands
    assert "lab/lab.py down" in commands


def test_lab_needs_nothing_but_the_standard_library(lab):
    command = [sys.executable, "-E", "-s", "-S", str(CHECKOUT / "lab" / "lab.py"), "--prefix", lab.prefix]

    done = subprocess.run([*command, "--state", str(lab.state), "down"], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, "There is no lab.\n"), done.stderr


@pytest.mark.lab
def test_underlay_joins_all_hosts_and_knows_no_site(lab):
    lab("up")

    def ping(source, address):
        command = ["nsenter", f"--net=/run/netns/{lab.prefix}-{source}", "--", "ping", "-n", "-c1", "-W2", address]
        return subprocess.run(command, capture_output=True, check=False, timeout=20).returncode == 0

    for host in HOSTS[1:]:
        assert ping("hub-1", str(host.underlay.near4.ip))
        assert ping("hub-1", str(host.underlay.near6.ip))
    assert not ping("hub-1", str(LANS[0].site.near4.ip))
    assert ping("spoke-1", str(LANS[0].site.near4.ip))


@pytest.mark.lab
def test_reach_without_tunnels_names_nobody_as_reached(lab):
    lab("up")

    done = lab("reach", "--json")

    assert done.returncode == 1
    answered = {(p["from"], p["to"]) for p in json.loads(done.stdout)["paths"] if p["latency_ms"] is not None}
    assert answered == {("spoke-1", "lan-1"), ("spoke-2", "lan-2")}


@pytest.mark.lab
def test_lab_of_another_directory_is_not_touched(lab, tmp_path):
    lab("up")

    for command in ("up", "down"):
        done = lab(command, state=tmp_path / "other")
        assert done.returncode == 1
        assert "belong to the lab of" in done.stderr
    assert json.loads(lab("status", "--json").stdout)["is_up"] is True


@pytest.mark.lab
def test_ordinary_user_gets_a_lab_in_a_kept_user_namespace(tmp_path):
    if os.geteuid() == 0:
        home = Path("/tmp") / f"wirefleet-rootless-{os.getpid()}"
        # Whatever this machine allows: a /dev/net/tun that is open to all, seen by these commands alone.
        opened = 'mount -t tmpfs tmpfs /dev/net && mknod -m 0666 /dev/net/tun c 10 200 && exec "$@"'
        as_user = ["unshare", "--mount", "sh", "-c", opened, "sh"]
        as_user += ["setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"]
        python = "/usr/bin/python3"
    else:
        home, as_user, python = tmp_path, [], sys.executable
    environment = {
        "PATH": "/usr/bin:/bin",
        "WIREFLEET_LAB_STATE": str(home / "state"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    home.mkdir(exist_ok=True)
    home.chmod(0o777)
    shutil.copytree(CHECKOUT / "lab", home / "lab", ignore=shutil.ignore_patterns("__pycache__"))

    def enter(*arguments):
        command = [*as_user, python, str(home / "lab" / "enter"), *arguments]
        done = subprocess.run(
            command, env=environment, cwd=home, capture_output=True, text=True, timeout=120, check=False
        )
        return done.returncode, done.stdout + done.stderr

    try:
        assert enter("id", "-u") == (0, "0\n")
        returncode, output = enter(python, str(home / "lab" / "lab.py"), "up")
        assert returncode == 0, output
        script = "ip -n wf-hub-1 tuntap add t0 mode tun && nsenter --net=/run/netns/wf-hub-1 ping -c1 203.0.113.6"
        returncode, output = enter("sh", "-c", script)
        assert returncode == 0, output
        assert enter(python, str(home / "lab" / "lab.py"), "down")[0] == 0
    finally:
        stopped = enter("--stop")
        shutil.rmtree(home, ignore_errors=True)
    assert stopped == (0, "The user namespace is gone.\n")


@pytest.mark.parametrize("prefix", ["", "wf_lab", "-wf", "eight-ch", "a/b"])
def test_prefix_that_makes_no_interface_name_is_refused(prefix, tmp_path):
    with pytest.raises(LabError):
        Lab(prefix, tmp_path)


def test_longest_tunnel_name_fits_an_interface(tmp_path):
    lab = Lab("1234567", tmp_path)

    assert max(len(lab.tunnel(host.name)) for host in lab.hosts) <= 15


def test_no_two_links_share_a_network():
    links = [host.underlay for host in HOSTS] + [lan.site for lan in LANS]
    networks = [near.network for link in links for near in (link.near4, link.near6)]

    assert not [(a, b) for a in networks for b in networks if a is not b and a.version == b.version and a.overlaps(b)]


def test_inventory_says_the_same_as_the_topology():
    document = yaml.safe_load((CHECKOUT / "inventories" / "lab" / "hosts.yml").read_text(encoding="utf-8"))
    inventory = {}
    for group in document["lab"]["children"].values():
        inventory |= group["hosts"]
    sites = {lan.behind: [str(lan.site.near4.network), str(lan.site.near6.network)] for lan in LANS}

    assert set(inventory) == {host.name for host in HOSTS}
    for host in HOSTS:
        variables = inventory[host.name]
        assert variables["wirefleet_region"] == host.region
        assert variables.get("wirefleet_site_prefixes", []) == sites.get(host.name, [])
        if "wirefleet_endpoint" in variables:
            ours = {str(host.underlay.near4.ip), f"[{host.underlay.near6.ip}]"}
            assert variables["wirefleet_endpoint"] in ours
