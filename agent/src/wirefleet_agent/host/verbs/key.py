# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""``key ensure|rotate|show``: the tunnel's private key stays on this host; only its public half is ever shown."""

from __future__ import annotations

from ..by_daemon import by_daemon_or_alone
from ..call import Answer, Call, VerbTable
from ..control_protocol import Json

_EPILOG = """examples:
  wirefleet-agent --tunnel wf0 key ensure        make a key if there is none, print the public one
  wirefleet-agent --tunnel wf0 --json key show   the public key and the host's signature over it
"""


def register(verbs: VerbTable) -> None:
    actions = verbs.actions_of(verbs.add("key", "the tunnel's private key on this host", epilog=_EPILOG))
    actions.add("ensure", "make the key unless it exists", _ensure)
    actions.add("rotate", "replace the key; a running daemon uses it at once", _rotate)
    actions.add("show", "print the public key", _show)


def _ensure(call: Call) -> Answer:
    """By the service if there is one and it can seal the key better; it is asked only where a key has to be made."""
    from ..keystore import KeyStore
    from ..replies import key_reply

    tunnel, keys = call.tunnel(), KeyStore(call.paths)
    if call.check or not keys.is_for_service or keys.public_key(tunnel.name) is not None:
        return _answer(key_reply(keys.ensure(tunnel.name, check=call.check)))
    return _answer(by_daemon_or_alone(tunnel, "key.ensure", {}, lambda: key_reply(keys.ensure(tunnel.name))))


def _rotate(call: Call) -> Answer:
    from ..keystore import KeyStore
    from ..replies import key_reply

    tunnel, keys = call.tunnel(), KeyStore(call.paths)
    if call.check:
        return _answer(key_reply(keys.rotate(tunnel.name, check=True)))
    return _answer(by_daemon_or_alone(tunnel, "key.rotate", {}, lambda: key_reply(keys.rotate(tunnel.name))))


def _show(call: Call) -> Answer:
    from ..keystore import KeyStore
    from ..replies import key_reply

    return _answer(key_reply(KeyStore(call.paths).show(call.tunnel().name)))


def _answer(reply: Json) -> Answer:
    return Answer(reply, str(reply["public_key"] or "no key yet; one would be made"))
