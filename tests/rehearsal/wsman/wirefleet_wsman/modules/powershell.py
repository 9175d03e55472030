# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-in for ansible.windows.win_powershell: only the script of the collection's Defender role is known.

No PowerShell is parsed. The script has to be, to the letter, one that the role av_exclusions carries in its tasks; its
documented effect is played from its parameters. Everything else fails.
"""

from __future__ import annotations

from wirefleet_wsman.call import Call, ModuleFailedError, Result


def win_powershell(call: Call) -> Result:
    """Play a known script."""
    raise ModuleFailedError("rehearsal: this script has no stand-in; PowerShell does not run here")
