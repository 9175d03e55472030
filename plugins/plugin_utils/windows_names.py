# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names by which Windows knows what belongs to a tunnel. The role ``firewall`` has the same ones in its variables."""

from __future__ import annotations

import ntpath

from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.host_paths import release_program

EVENT_LOG, EVENT_SOURCE = "Application", "WireFleet"
REGISTRY_KEY = "HKLM:\\SOFTWARE\\WireFleet"
# What the role av_exclusions has to remember until the exclusions are gone; it removes the key itself.
AV_EXCLUSIONS_KEY = "AvExclusions"


def service_name(tunnel: str) -> str:
    return f"wirefleet-{tunnel}"


def image_path(root: str, release: str, tunnel: str) -> str:
    """The service's command line: one certain release, so that a change of ``current`` starts nothing new by itself."""
    program = release_program(root, release)
    return f'"{program}" -I -m wirefleet_agent --root "{root}" --tunnel "{tunnel}" service'


def program_rules(tunnel: str) -> tuple[str, ...]:
    """Display names of the firewall rules that are bound to the program of a release."""
    rules = ("tunnel (UDP in)", "heartbeat (UDP in)", "cluster (TCP in)")
    return tuple(f"WireFleet {tunnel}: {rule}" for rule in rules)


def is_protected_place(root: str) -> bool:
    """Whether ordinary users can create nothing there, by what Windows itself sets up."""
    return ntpath.normcase(ntpath.dirname(root)) == "c:\\program files"
