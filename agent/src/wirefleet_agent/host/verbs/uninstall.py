# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""``uninstall``: take away what a tunnel left in the system, before its files go."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from ...errors import RefusedError
from ..call import Answer, Call, VerbTable
from ..paths import TunnelPaths

if TYPE_CHECKING:
    from ..uninstall import LeftoverSource

_EPILOG = """The tunnel's service must be stopped. Adapters, addresses, registry keys and event log sources of ours go.
Files the root do not: keys and configuration stay until somebody deletes them.

examples:
  wirefleet-agent --tunnel wf0 uninstall
  wirefleet-agent --tunnel wf0 --check uninstall    only say what would go
"""


def register(verbs: VerbTable) -> None:
    verbs.add("uninstall", "remove what a stopped tunnel left in the system", _uninstall, epilog=_EPILOG)


def _uninstall(call: Call) -> Answer:
    from ..control_client import control_of
    from ..file_lock import FileLock
    from ..uninstall import remove_leftovers

    tunnel = call.tunnel()
    holder = FileLock(tunnel.pid).holder() or (control_of(tunnel, timeout_s=5.0).try_call("ping") or {}).get("pid")
    if holder is not None:
        raise RefusedError(
            f"process {holder} serves this tunnel", path=str(tunnel.pid), hint="wirefleet-agent daemon stop"
        )
    removed = remove_leftovers(_sources(tunnel), check=call.check)
    words = "would be removed" if call.check else "removed"
    text = "\n".join(f"{words}: {name}" for name in removed) or "nothing is left"
    return Answer({"changed": bool(removed), "removed": removed}, text)


def _sources(tunnel: TunnelPaths) -> list[LeftoverSource]:
    if sys.platform == "win32":
        from ...drivers.forwarding_windows import WindowsForwarding
        from ...drivers.win32.iphelper import load_ip_helper
        from ...drivers.win32_errors import Win32Error
        from ...observe import EVENT_SOURCE
        from ..doctor import configured_addresses
        from ..service_manager import service_name
        from ..uninstall import EventSources, Forwarding, OurAdapters, RememberedInterface, StrayAddresses
        from ..win32 import event_log
        from ..win32.devices import WintunDevices
        from ..win32.interface_keys import RegistryInterfaceKeys
        from ..wiring_windows import forwarding_memory, forwarding_note

        others = [name for name in tunnel.host.configured_tunnels() if name != tunnel.name]

        def put_back() -> None:
            try:
                WindowsForwarding(load_ip_helper(), forwarding_memory(tunnel)).switch(False)
            except Win32Error as error:
                raise error.as_driver_error(path="forwarding") from error

        return [
            Forwarding(forwarding_note(tunnel), put_back),
            StrayAddresses(load_ip_helper, configured_addresses(tunnel)),
            OurAdapters(tunnel, WintunDevices()),
            RememberedInterface(tunnel, RegistryInterfaceKeys()),
            # The second one is pywin32's, in case it had something to say.
            EventSources(event_log.EventSources(), [*([] if others else [EVENT_SOURCE]), service_name(tunnel.name)]),
        ]
    else:  # noqa: RET505  # mypy takes platforms apart by if and else
        from ...engine import uapi_server
        from ..control_posix import is_served
        from ..uninstall import StaleSocket

        return [StaleSocket(uapi_server.DEFAULT_DIRECTORY / f"{tunnel.name}.sock", is_served)]
