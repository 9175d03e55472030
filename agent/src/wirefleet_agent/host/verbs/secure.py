# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""``secure``: directories and files have exactly the rights that they need."""

from __future__ import annotations

from ..call import Answer, Call, VerbTable

_EPILOG = """examples:
  wirefleet-agent secure
  wirefleet-agent --check secure    only say what would change
"""


def register(verbs: VerbTable) -> None:
    verbs.add("secure", "give our directories and files exactly the rights that they need", _secure, epilog=_EPILOG)


def _secure(call: Call) -> Answer:
    from ..secure import secure_host

    found = secure_host(call.paths, check=call.check)
    reply = {
        "changed": any(each.changed for each in found),
        "paths": [{"path": str(each.path), "changed": each.changed} for each in found],
    }
    lines = [str(each.path) for each in found if each.changed]
    if not lines:
        return Answer(reply, "nothing to change" if found else "there is nothing yet")
    return Answer(reply, "\n".join(["would be closed:" if call.check else "closed:", *lines]))
