# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-in for ansible.windows.win_ping."""

from __future__ import annotations

from wirefleet_wsman.call import Call, ModuleFailedError, Result


def win_ping(call: Call) -> Result:
    """Answers; data=crash raises, as the real one does."""
    data = call.arguments["data"]
    if data == "crash":
        raise ModuleFailedError("boom")
    return {"ping": data}
