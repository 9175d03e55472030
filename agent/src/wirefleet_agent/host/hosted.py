# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""From the service control manager's call to the running service: its logs, its parts, its exit code."""

# ruff: noqa: E402
from __future__ import annotations

import contextlib
import sys

assert sys.platform == "win32"  # nothing below means anything elsewhere

from ..errors import WireFleetError
from ..observe import EVENT_SOURCE, get_logger
from .log_setup import configured_logs
from .paths import TunnelPaths
from .private_files import create_private, make_private_dir
from .service_manager import ExitCode, StatusReporter
from .service_windows import WindowsService
from .win32.event_log import EventSources, WindowsEventLog
from .win32.scm import TakeHandler, host_service
from .wiring import open_process


def host_tunnel(tunnel: TunnelPaths) -> None:
    """Serve the tunnel until the manager has it stopped. Raises RefusedError if no manager started us."""

    def body(reporter: StatusReporter, take_handler: TakeHandler) -> ExitCode:
        return _run(tunnel, reporter, take_handler)

    host_service(body)


def _run(tunnel: TunnelPaths, reporter: StatusReporter, take_handler: TakeHandler) -> ExitCode:
    """On the service's own thread. Whatever goes wrong becomes an exit code: nobody reads a traceback here."""
    with contextlib.suppress(OSError):  # its entries are shown less nicely then
        EventSources().register(EVENT_SOURCE)
    service: WindowsService | None = None
    try:
        make_private_dir(tunnel.log.parent)
        create_private(tunnel.log, b"")
        logs = configured_logs(tunnel.log, WindowsEventLog())
        with open_process(tunnel, logs, WindowsService) as service:
            take_handler(service.control)
            code = service.run_as_service(reporter)
    except Exception as error:  # noqa: BLE001  # the service's main
        kind = type(error).__name__
        shown = str(error) if isinstance(error, WireFleetError) else kind
        get_logger("host").critical("service_failed", error=shown, kind=kind)
        code = ExitCode.INTERNAL_ERROR
    if service is not None:
        service.finish()
    return code
