# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""``status`` and ``health``: what the tunnel is, and whether its peers answer."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ...errors import RefusedError, UnreachableError, WireFleetError
from ..call import Answer, Call, VerbTable, seconds
from ..control_client import ControlClient, control_of
from ..control_protocol import Json
from ..paths import TunnelPaths
from ..requests import HealthRequest

_POLL_S = 0.2
_HEALTH_EPILOG = """Which peers count may be said in a JSON object on stdin:
  {"peers": [PUBLIC, ...], "max_handshake_age_s": 180, "quorum": true}
Without one: every peer that has an endpoint or a keepalive, and on a hub the quorum of the hubs.

examples:
  wirefleet-agent health                       exit code 0 if all is well, else 4
  wirefleet-agent health --wait --timeout 60   wait for the first handshakes
"""


def register(verbs: VerbTable) -> None:
    verbs.add("status", "interface, peers, handshakes and counters", _status)
    health = verbs.add("health", "whether the peers answer", _health, epilog=_HEALTH_EPILOG)
    health.add_argument("--wait", action="store_true", help="wait until they do")
    health.add_argument("--timeout", type=seconds, default=30.0, metavar="S", help="with --wait: seconds (default 30)")


def _status(call: Call) -> Answer:
    tunnel = call.tunnel()
    reply = control_of(tunnel).try_call("status") or _status_on_disk(tunnel)
    return Answer(reply, _status_text(reply))


def _status_on_disk(tunnel: TunnelPaths) -> Json:
    from ..deadline import BootClock
    from ..keystore import KeyStore
    from ..replies import NOT_RUNNING, configured_reply
    from ..restart_record import RestartRecord
    from ..store import ConfigStore

    store = ConfigStore(tunnel, BootClock.of_system())
    try:
        public_key = str(KeyStore(tunnel.host).show(tunnel.name).public_key)
    except RefusedError:
        public_key = None
    return {
        "tunnel": tunnel.name,
        **NOT_RUNNING,
        "public_key": public_key,
        **configured_reply(store.current().digest),
        "pending": store.pending() is not None,
        "restart": RestartRecord(tunnel).read(),
    }


def _why_not_running(reply: Json) -> str:
    if reply["configured"]:
        return "not running"
    if reply["public_key"]:
        return "not running, and not configured"
    return "there is no such tunnel: neither a key nor a configuration"


def _health(call: Call) -> Answer:
    arguments, tunnel = call.arguments, call.tunnel()
    request = call.request(is_required=False)
    HealthRequest.from_json(request)
    began = time.monotonic()
    limit = began + (arguments.timeout if arguments.wait else 0.0)
    client = control_of(tunnel, timeout_s=max(1.0, arguments.timeout))
    while True:
        reply, error = _ask_health(client, request)
        if error is None or time.monotonic() >= limit:
            break
        time.sleep(_POLL_S)
    reply = {"healthy": reply["healthy"], "waited_s": round(time.monotonic() - began, 3)} | reply
    return Answer(reply, _health_text(reply), error)


def _ask_health(client: ControlClient, request: Json) -> tuple[Json, WireFleetError | None]:
    try:
        reply = client.call("health", request)
    except UnreachableError as error:
        return {"healthy": False, "peers": [], "has_quorum": None}, error
    if reply["healthy"]:
        return reply, None
    peers = reply["peers"]
    assert isinstance(peers, list)
    parts = _complaints([peer for peer in peers if not peer["ok"]])
    if reply.get("has_quorum") is False:
        parts.append("the hubs have no quorum")
    return reply, UnreachableError("; ".join(parts) or "the tunnel is not up", hint="wirefleet-agent status")


def _complaints(silent: list[Json]) -> list[str]:
    """Each peer once: whoever had no handshake can answer no heartbeat either.

    The daemon may still be of a release that tells nothing about heartbeats.
    """
    known = [peer for peer in silent if peer["last_handshake_age_s"] is not None]
    since = [peer for peer in known if not peer["is_proven"]]
    mute = [peer for peer in known if peer["is_proven"] and peer.get("answers_heartbeats") is False]
    never = [peer for peer in silent if peer not in since and peer not in mute]
    kinds = (
        ("no handshake since the last change with", since),
        ("no fresh handshake with", never),
        ("no answer to heartbeats from", mute),
    )
    return [f"{what} {_names(peers)}" for what, peers in kinds if peers]


def _names(peers: list[Json]) -> str:
    return ", ".join(str(peer["name"] or peer["public_key"]) for peer in peers[:10])


def _health_text(reply: Json) -> str:
    peers = reply["peers"]
    assert isinstance(peers, list)
    lines = ["healthy" if reply["healthy"] else "not healthy"]
    for peer in peers:
        age = "never" if peer["last_handshake_age_s"] is None else f"{peer['last_handshake_age_s']:.0f} s ago"
        mute = ", no answer to heartbeats" if peer.get("answers_heartbeats") is False else ""
        lines.append(f"  {'ok ' if peer['ok'] else 'BAD'} {peer['name'] or peer['public_key']}: handshake {age}{mute}")
    has_quorum = reply.get("has_quorum")
    if has_quorum is not None:
        lines.append("  ok  quorum of the hubs" if has_quorum else "  BAD the hubs have no quorum")
    return "\n".join(lines)


def _status_text(reply: Json) -> str:
    if not reply["running"]:
        return "\n".join([f"{reply['tunnel']}: {_why_not_running(reply)}", *_restart_lines(reply)])
    interface, peers, error = reply["interface"], reply["peers"], reply["error"]
    assert isinstance(peers, list)
    lines = [f"{reply['tunnel']}: running, process {reply['pid']}, release {reply['release'] or 'not installed'}"]
    if isinstance(error, dict):
        lines.append(f"  problem: {error['path'] or ''} {error['message']} {error['hint'] or ''}".rstrip())
    lines += _restart_lines(reply) + _process_lines(reply)
    if isinstance(interface, dict):
        lines.append(f"  public key {reply['public_key']}, port {reply['listen_port']}")
        state = "up" if interface["is_up"] else "down"
        lines.append(f"  {state}, MTU {interface['mtu_bytes']}, {', '.join(interface['addresses'])}")
    if reply["pending"]:
        lines.append("  the configuration waits for its confirmation")
    for peer in peers:
        age = "never" if peer["last_handshake_age_s"] is None else f"{peer['last_handshake_age_s']:.0f} s ago"
        lines.append(f"  peer {peer['name'] or peer['public_key']}")
        lines.append(f"    at {peer['endpoint'] or 'no known address'}, handshake {age}")
        lines.append(f"    received {peer['rx_bytes']} bytes, sent {peer['tx_bytes']}")
        lines.append(f"    allowed {', '.join(peer['allowed_ips']) or 'nothing'}")
    lines += _group_lines(reply)
    drops = reply["drops"]
    if isinstance(drops, dict) and drops:
        lines.append("  dropped: " + ", ".join(f"{reason} {count}" for reason, count in drops.items()))
    return "\n".join(lines)


def _group_lines(reply: Json) -> list[str]:
    """A hub's spokes are groups too: those that come directly go without saying. Sites never do."""
    # A daemon that was started before an upgrade knows of none.
    groups, peers = reply.get("groups", []), reply["peers"]
    assert isinstance(groups, list)
    assert isinstance(peers, list)
    names = {peer["public_key"]: peer["name"] or peer["public_key"] for peer in peers}
    lines = []
    for group in groups:
        active, direct = group["active"], group["direct"]
        if group.get("gateways"):
            lines += _site_lines(group, names)
            continue
        if active == direct:
            continue
        name = group["name"] if direct is None else names.get(direct, direct)
        keys = [member["public_key"] for member in group["members"]]
        members = ", ".join(names.get(key, key) for key in keys if key != direct)
        lines.append(f"  group {name}: {names.get(active, active)} is active for {group['active_for_s']:.0f} s")
        lines.append(f"    of {members}; {', '.join(group['prefixes']) or 'nothing'}")
    return lines


def _site_lines(group: Mapping[str, Any], names: Mapping[str, str]) -> list[str]:
    """Without heartbeats nobody is known to be well or not."""
    active, direct = group["active"], group["direct"]
    way = names.get(direct, direct) if active == direct else f"{names.get(active, active)}, another hub,"
    gateways = ", ".join(
        names.get(each["public_key"], each["public_key"]) + ("" if each.get("is_well", True) else " (not well)")
        for each in group["gateways"]
    )
    lines = [f"  site {group['name']}: over {way} for {group['active_for_s']:.0f} s"]
    return [*lines, f"    gateways {gateways}; {', '.join(group['prefixes']) or 'nothing'}"]


def _restart_lines(reply: Json) -> list[str]:
    restart = reply["restart"]
    if not isinstance(restart, dict) or restart["state"] == "done":
        return []
    error = restart["error"]
    return [f"  last restart: {restart['state']}" + (f": {error['message']}" if isinstance(error, dict) else "")]


def _process_lines(reply: Json) -> list[str]:
    process = reply["process"]
    if not isinstance(process, dict) or not process["surplus_privileges"]:
        return []
    return [f"  privileges that should be gone: {', '.join(process['surplus_privileges'])}"]
