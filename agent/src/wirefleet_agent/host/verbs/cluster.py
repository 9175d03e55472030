# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""``drain``, ``resume``, ``cluster status|epoch`` and ``peer revoke|restore|place``: what the hubs decide together."""

from __future__ import annotations

import argparse
import getpass
import os
import time

from ...errors import UnreachableError
from ..call import Answer, Call, VerbTable, seconds
from ..control_client import ControlClient, control_of
from ..control_protocol import Json

_POLL_S = 0.02
_POLL_SPOKES_S = 0.5
_OUTCOME_S = 15.0
_DRAIN_EPILOG = """The hubs agree on it: without a majority of them it is refused (exit code 5, no_quorum). With --local
this hub alone asks its spokes to leave, until its daemon ends or `resume --local`; nobody else is asked or told.

examples:
  wirefleet-agent drain --wait --timeout 60    until no spoke uses this hub any more
  wirefleet-agent resume
"""
_PEER_EPILOG = """PEER is a public key, or the name of a peer in the tunnel's .toml.

examples:
  wirefleet-agent peer revoke spoke-17 --reason 'laptop stolen, ticket 4711'
  wirefleet-agent peer restore spoke-17
  wirefleet-agent peer place spoke-17 --hub hub-2
  wirefleet-agent peer place spoke-17 --planned
"""


def register(verbs: VerbTable) -> None:
    drain = verbs.add("drain", "ask the spokes to leave this hub", _drain, epilog=_DRAIN_EPILOG)
    drain.add_argument("--wait", action="store_true", help="wait until no spoke uses it")
    drain.add_argument("--timeout", type=seconds, default=60.0, metavar="S", help="with --wait: seconds (default 60)")
    resume = verbs.add("resume", "let the spokes come back to this hub", _resume)
    for each in (drain, resume):
        each.add_argument("--local", action="store_true", help="this hub only, and only until its daemon ends")
    cluster = verbs.actions_of(verbs.add("cluster", "what the hubs share"))
    cluster.add("status", "who leads, who is there, what was decided", _status)
    epoch = cluster.add("epoch", "advance the epoch of the fleet's configuration", _epoch)
    epoch.add_argument("epoch", type=_whole_number, metavar="EPOCH", help="never lower than the present one")
    peers = verbs.actions_of(verbs.add("peer", "peers that all hubs refuse, or place", epilog=_PEER_EPILOG))
    revoke = peers.add("revoke", "all hubs refuse this peer until it is restored", _revoke)
    revoke.add_argument("--reason", required=True, metavar="TEXT", help="kept and shown; at most 200 characters")
    restore = peers.add("restore", "the configuration counts again for this peer", _restore)
    place = peers.add("place", "the hub that a spoke prefers, whatever the plan says", _place)
    where = place.add_mutually_exclusive_group(required=True)
    where.add_argument("--hub", metavar="HUB", help="public key or name")
    where.add_argument("--planned", action="store_true", help="the plan's again")
    for each in (revoke, restore, place):
        each.add_argument("peer", metavar="PEER", help="public key or name")


def _whole_number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 16):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def _drain(call: Call) -> Answer:
    client, is_waiting = _client(call), call.arguments.wait and not call.check
    if is_waiting:
        client.call("cluster.spokes")  # refused before anything is changed where it cannot be known
    reply = _alone(call, client, is_on=True) if call.arguments.local else _change(call, client, {"op": "drain"})
    text = _told(call, reply, "drained: its spokes are asked to leave", "was drained before")
    if not is_waiting:
        return Answer(reply, text)
    began = time.monotonic()
    while True:
        left = client.call("cluster.spokes")["spokes"]
        waited_s = time.monotonic() - began
        reply |= {"spokes": left, "waited_s": round(waited_s, 3)}
        if not left:
            return Answer(reply, f"{text}\nno spoke uses it any more")
        if waited_s >= call.arguments.timeout:
            message = f"{left} spokes still use this hub" if left != 1 else "1 spoke still uses this hub"
            return Answer(reply, text, UnreachableError(message, hint="is another hub well? wirefleet-agent status"))
        time.sleep(_POLL_SPOKES_S)


def _resume(call: Call) -> Answer:
    client = _client(call)
    if call.arguments.local:
        reply = _alone(call, client, is_on=False)
    else:
        reply = _change(call, client, {"op": "resume"})
        reply["changed"] = _alone(call, client, is_on=False)["changed"] or reply["changed"]
    return Answer(reply, _told(call, reply, "resumed", "was not drained"))


def _epoch(call: Call) -> Answer:
    reply = _change(call, _client(call), {"op": "advance", "epoch": call.arguments.epoch})
    return Answer(reply, _told(call, reply, f"the epoch is {call.arguments.epoch}", "it was before"))


def _revoke(call: Call) -> Answer:
    arguments = call.arguments
    request: Json = {"op": "revoke", "peer": arguments.peer, "reason": arguments.reason, "who": _caller()}
    reply = _change(call, _client(call), request)
    return Answer(reply, _told(call, reply, "revoked: all hubs refuse it", "was revoked before"))


def _restore(call: Call) -> Answer:
    reply = _change(call, _client(call), {"op": "restore", "peer": call.arguments.peer})
    return Answer(reply, _told(call, reply, "restored", "was not revoked"))


def _place(call: Call) -> Answer:
    arguments = call.arguments
    hub = "" if arguments.planned else arguments.hub
    reply = _change(call, _client(call), {"op": "place", "peer": arguments.peer, "hub": hub})
    return Answer(reply, _told(call, reply, "placed", "was placed so before"))


def _status(call: Call) -> Answer:
    reply = _client(call).call("cluster.status")
    return Answer(reply, _status_text(reply))


def _client(call: Call) -> ControlClient:
    return control_of(call.tunnel())


def _change(call: Call, client: ControlClient, request: Json) -> Json:
    """Propose, and wait for what becomes of it: the daemon gives up before we do."""
    if call.check:
        return {"changed": client.call("cluster.check", request)["changed"]}
    ticket = client.call("cluster.propose", request)["ticket"]
    limit = time.monotonic() + _OUTCOME_S
    while True:
        outcome = client.call("cluster.outcome", {"ticket": ticket})
        if outcome["is_done"]:
            return {"changed": outcome["changed"]}
        if time.monotonic() >= limit:
            raise UnreachableError("the daemon does not say what became of the change", hint="see its log")
        time.sleep(_POLL_S)


def _alone(call: Call, client: ControlClient, *, is_on: bool) -> Json:
    return {"changed": client.call("cluster.drain_alone", {"is_on": is_on, "check": call.check})["changed"]}


def _told(call: Call, reply: Json, done: str, was: str) -> str:
    if not reply["changed"]:
        return was
    return f"would be: {done}" if call.check else done


def _caller() -> str:
    """Who asks, as far as he says: for the record, not a proof."""
    try:
        found = os.environ.get("SUDO_USER") or getpass.getuser()
    except (OSError, KeyError, ImportError):
        found = ""
    return "".join(character for character in found if character.isprintable())[:100] or "somebody"


def _status_text(reply: Json) -> str:
    members, revoked, overrides, drains = (reply[name] for name in ("members", "revoked", "overrides", "drains"))
    assert isinstance(members, list)
    assert isinstance(revoked, list)
    assert isinstance(overrides, dict)
    assert isinstance(drains, list)
    names = {member["public_key"]: member["name"] or member["public_key"] for member in members}
    leader = reply["leader"]
    who = names.get(leader["public_key"], leader["public_key"]) if isinstance(leader, dict) else "nobody"
    lines = [f"{reply['state']}, term {reply['term']}, led by {who}"]
    if reply["problem"]:
        lines.append(f"  problem: {reply['problem']}")
    lines.append("  changes are possible" if reply["is_writable"] else "  too few hubs: changes are refused")
    for member in members:
        state = "this hub" if member["is_self"] else "there" if member["is_connected"] else "NOT there"
        drained = ", drained" if member["public_key"] in drains else ""
        lines.append(f"  {names[member['public_key']]} at {member['address']}: {state}{drained}")
    if reply["is_draining_alone"]:
        lines.append("  this hub drains alone")
    lines.append(f"  epoch {reply['epoch']}")
    lines += [f"  revoked {one['public_key']} by {one['who']}: {one['reason']}" for one in revoked]
    lines += [f"  {spoke} prefers {names.get(hub, hub)}" for spoke, hub in overrides.items()]
    return "\n".join(lines)
