# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lab up, down, status.

Two records say whose namespaces these are. The claim, /run/wirefleet-lab/<prefix>.json, is written before the first
namespace and names the state directory, so that two checkouts never tear each other's lab down. The marker,
<state>/lab.json, is written last: without it the lab is unfinished and is built again.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .machine import (
    add_namespace,
    ip_batch,
    namespace_exists,
    pids_in,
    require_programs,
    run,
    stop_processes,
    write_sysctls,
)
from .topology import LAN_LINK, UNDERLAY, UNDERLAY_LINK, Lab, LabError, Link

CLAIMS = Path("/run/wirefleet-lab")
UAPI_SOCKETS = Path("/var/run/wireguard")
MARKER = "lab.json"
# What hosts and playbooks keep in the state directory (inventories/lab); the rootless holder's record is not among it.
_KEPT_DIRECTORIES = ("hosts", "plan", "plan.check")
_KEPT_FILES = ("wirefleet.lock.json", "preshared.secret", MARKER)

# Duplicate address detection would hold every address back for a second; router advertisements have no place here.
_COMMON_SYSCTLS = {
    "ipv6/conf/all/disable_ipv6": "0",
    "ipv6/conf/default/disable_ipv6": "0",
    "ipv6/conf/all/accept_dad": "0",
    "ipv6/conf/default/accept_dad": "0",
    "ipv6/conf/all/accept_ra": "0",
    "ipv6/conf/default/accept_ra": "0",
    # Inherited from the machine otherwise: a container host forwards, a hardened one filters strictly.
    "ipv4/conf/all/rp_filter": "2",
    "ipv4/conf/default/rp_filter": "2",
}
_NO_FORWARDING = {**_COMMON_SYSCTLS, "ipv4/ip_forward": "0", "ipv6/conf/all/forwarding": "0"}
# The router asks nobody for the way back: where the way to a host is closed (a fault), that from it stays open.
_FORWARDING = {
    **_COMMON_SYSCTLS,
    "ipv4/conf/all/rp_filter": "0",
    "ipv4/conf/default/rp_filter": "0",
    "ipv4/ip_forward": "1",
    "ipv6/conf/all/forwarding": "1",
}


def up(lab: Lab, latency_ms: Mapping[str, int], *, check: bool = False) -> dict[str, Any]:
    """Build the lab unless it stands already. A failure leaves no namespace behind."""
    require_programs(["ip", "nsenter", "unshare", "ping", *(["tc"] if latency_ms else [])])
    with _claimed(lab, write=not check):
        if _is_complete(lab, latency_ms):
            return {"changed": False, **status(lab)}
        if check:
            return {"changed": True, **status(lab)}
        _remove_namespaces(lab)
        try:
            _build(lab, latency_ms)
        except BaseException:
            _remove_namespaces(lab)
            _release_claim(lab)
            raise
        _write_marker(lab, latency_ms)
    return {"changed": True, **status(lab)}


def down(lab: Lab, *, check: bool = False) -> dict[str, Any]:
    """Remove the lab whole: agents, namespaces, sockets, state. Nothing to remove is not an error."""
    standing = [name for name in lab.namespaces if namespace_exists(name)]
    kept = any((lab.state / name).exists() for name in (*_KEPT_DIRECTORIES, *_KEPT_FILES))
    changed = bool(standing) or _claim(lab).exists() or kept
    ended: list[int] = []
    if changed and not check:
        with _claimed(lab, write=bool(standing)):
            ended = _remove_namespaces(lab)
        _remove_state(lab)
        _release_claim(lab)
    return {"changed": changed, "removed": standing, "ended_processes": ended}


def status(lab: Lab) -> dict[str, Any]:
    """What stands and what runs; changes nothing."""
    hosts = [
        {
            "name": host.name,
            "region": host.region,
            "namespace": lab.namespace(host.name),
            "exists": namespace_exists(lab.namespace(host.name)),
            "endpoint4": str(host.underlay.near4.ip),
            "endpoint6": str(host.underlay.near6.ip),
            "tunnel": lab.tunnel(host.name),
            "tunnel_exists": _link_exists(lab.namespace(host.name), lab.tunnel(host.name)),
            "agent_pid": agent_pid(lab, host.name),
        }
        for host in lab.hosts
    ]
    lans = [
        {
            "name": lan.name,
            "behind": lan.behind,
            "namespace": lab.namespace(lan.name),
            "exists": namespace_exists(lab.namespace(lan.name)),
            "prefixes": [str(lan.site.near4.network), str(lan.site.near6.network)],
        }
        for lan in lab.lans
    ]
    standing = [name for name in lab.namespaces if namespace_exists(name)]
    return {
        "prefix": lab.prefix,
        "state": str(lab.state),
        "is_up": len(standing) == len(lab.namespaces) and (lab.state / MARKER).exists(),
        "hosts": hosts,
        "lans": lans,
    }


def agent_pid(lab: Lab, host: str) -> int | None:
    """The agent that a host's pid file names, if it really runs in that host's namespace."""
    path = lab.root(host) / "run" / "wirefleet" / f"{lab.tunnel(host)}.pid"
    try:
        pid = int(path.read_text(encoding="ascii").strip())
    except (OSError, ValueError):
        return None
    return pid if pid in pids_in(lab.namespace(host)) else None


def _link_exists(namespace: str, link: str) -> bool:
    if not namespace_exists(namespace):
        return False
    return run(["ip", "-n", namespace, "link", "show", "dev", link], check=False).returncode == 0


def _claim(lab: Lab) -> Path:
    return CLAIMS / f"{lab.prefix}.json"


def _release_claim(lab: Lab) -> None:
    _claim(lab).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        CLAIMS.rmdir()


@contextlib.contextmanager
def _claimed(lab: Lab, *, write: bool) -> Iterator[None]:
    """Hold the lab's claim, alone, while it is built or removed. Refuses namespaces that are not this lab's."""
    claim = _claim(lab)
    standing = [name for name in lab.namespaces if namespace_exists(name)]
    if claim.exists():
        owner = json.loads(claim.read_text(encoding="utf-8") or "{}").get("state")
        if owner not in (None, str(lab.state)) and standing:
            raise LabError(f"the namespaces {lab.prefix}-* belong to the lab of {owner}", "choose another --prefix")
    elif standing:
        raise LabError(
            f"namespaces exist that no lab has claimed: {', '.join(standing)}",
            "choose another --prefix, or remove them with: ip netns delete NAME",
        )
    if not write:
        yield
        return
    try:
        CLAIMS.mkdir(exist_ok=True)
        handle = claim.open("a+", encoding="utf-8")
    except OSError as error:
        raise LabError(f"cannot write {claim}: {error.strerror}", "run it as root, or through lab/enter") from error
    with handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        handle.truncate(0)
        handle.write(json.dumps({"state": str(lab.state)}))
        handle.flush()
        yield


def _fingerprint(lab: Lab, latency_ms: Mapping[str, int]) -> str:
    shape = repr((lab.prefix, lab.hosts, lab.lans, sorted(latency_ms.items()), sorted(_FORWARDING.items())))
    return hashlib.sha256(shape.encode()).hexdigest()


def _is_complete(lab: Lab, latency_ms: Mapping[str, int]) -> bool:
    try:
        marker = json.loads((lab.state / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    is_same = marker.get("fingerprint") == _fingerprint(lab, latency_ms)
    return is_same and all(namespace_exists(name) for name in lab.namespaces)


def _write_marker(lab: Lab, latency_ms: Mapping[str, int]) -> None:
    for host in lab.hosts:
        lab.root(host.name).mkdir(parents=True, exist_ok=True)
    marker = {"schema": 1, "prefix": lab.prefix, "fingerprint": _fingerprint(lab, latency_ms)}
    (lab.state / MARKER).write_text(json.dumps(marker) + "\n", encoding="utf-8")


def _build(lab: Lab, latency_ms: Mapping[str, int]) -> None:
    for name in lab.namespaces:
        add_namespace(name)
    router = lab.namespace(UNDERLAY)
    write_sysctls(router, _FORWARDING)
    ip_batch(router, ["link set lo up"])
    for host in lab.hosts:
        write_sysctls(lab.namespace(host.name), _NO_FORWARDING)
        _join(router, host.name, lab.namespace(host.name), UNDERLAY_LINK, host.underlay)
        if host.region in latency_ms:
            _delay(router, host.name, latency_ms[host.region])
    for lan in lab.lans:
        write_sysctls(lab.namespace(lan.name), _NO_FORWARDING)
        _join(lab.namespace(lan.behind), LAN_LINK, lab.namespace(lan.name), UNDERLAY_LINK, lan.site)


def _join(gateway: str, gateway_link: str, namespace: str, link: str, addresses: Link) -> None:
    """A veth pair between two namespaces; the namespace's default routes point at the gateway."""
    ip_batch(
        gateway,
        [
            f"link add name {gateway_link} type veth peer name {link} netns {namespace}",
            f"address add {addresses.far4} dev {gateway_link}",
            f"address add {addresses.far6} dev {gateway_link} nodad",
            f"link set {gateway_link} up",
        ],
    )
    ip_batch(
        namespace,
        [
            "link set lo up",
            f"address add {addresses.near4} dev {link}",
            f"address add {addresses.near6} dev {link} nodad",
            f"link set {link} up",
            f"route add default via {addresses.far4.ip}",
            f"route add ::/0 via {addresses.far6.ip}",
        ],
    )


def _delay(router: str, link: str, latency_ms: int) -> None:
    argv = ["tc", "-n", router, "qdisc", "add", "dev", link, "root", "netem", "delay", f"{latency_ms}ms"]
    done = run(argv, check=False)
    if done.returncode != 0:
        raise LabError(
            f"no latency on this machine: {done.stderr.strip()}",
            "the kernel needs the module sch_netem (Debian: modprobe sch_netem); without --latency the lab works",
        )


def _remove_namespaces(lab: Lab) -> list[int]:
    """End what runs in the lab, then delete its namespaces; the agents are asked first, so that they tidy up."""
    ended: list[int] = []
    for host in lab.hosts:
        pid = agent_pid(lab, host.name)
        ended += stop_processes(lab.namespace(host.name), [pid] if pid else [])
        (UAPI_SOCKETS / f"{lab.tunnel(host.name)}.sock").unlink(missing_ok=True)
    for lan in lab.lans:
        ended += stop_processes(lab.namespace(lan.name))
    for name in lab.namespaces:
        if namespace_exists(name):
            run(["ip", "netns", "delete", name])
    (lab.state / MARKER).unlink(missing_ok=True)
    return ended


def _remove_state(lab: Lab) -> None:
    for name in _KEPT_DIRECTORIES:
        shutil.rmtree(lab.state / name, ignore_errors=True)
    for name in _KEPT_FILES:
        (lab.state / name).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        lab.state.rmdir()
