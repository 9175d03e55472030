# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""``release list|activate|rollback``: which installed version counts. Running daemons keep theirs until restarted."""

from __future__ import annotations

from ..call import Answer, Call, VerbTable
from ..releases import ReleaseStore
from ..replies import release_change_reply, release_list_reply

_EPILOG = """examples:
  wirefleet-agent release list
  wirefleet-agent release activate 0.2.0    by name, or by the first digits of the digest
  wirefleet-agent release rollback
"""


def register(verbs: VerbTable) -> None:
    actions = verbs.actions_of(verbs.add("release", "the installed versions of the agent", epilog=_EPILOG))
    actions.add("list", "what is installed", _list)
    activate = actions.add("activate", "make a release the current one", _activate)
    activate.add_argument("version", metavar="VERSION")
    actions.add("rollback", "back to the previous one", _rollback)


def _list(call: Call) -> Answer:
    releases = ReleaseStore(call.paths).list()
    lines = [
        f"{'*' if release.active else ' '} {release.version}  {release.digest[:12]}"
        + ("  (previous)" if release.version == releases.previous else "")
        for release in releases.releases
    ]
    return Answer(release_list_reply(releases), "\n".join(lines) or "nothing is installed")


def _activate(call: Call) -> Answer:
    change = ReleaseStore(call.paths).activate(call.arguments.version, check=call.check)
    return Answer(release_change_reply(change), f"current: {change.current}")


def _rollback(call: Call) -> Answer:
    change = ReleaseStore(call.paths).rollback(check=call.check)
    return Answer(release_change_reply(change), f"current: {change.current}")
