# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""From the service control manager's call to the running service: its logs, its parts, its exit code.

Imported once the manager knows that we have started: it waits 30 s for that, and to read all of this from the disk of a
host that boots, with a virus scanner in between, may take longer.
"""

from __future__ import annotations

import contextlib

from ..errors import WireFleetError
from ..observe import EVENT_SOURCE, EventLog, EventSeverity, Logs, get_logger
from .event_sources import EventSourceStore
from .log_setup import service_logs
from .paths import TunnelPaths
from .private_files import create_private, make_private_dir
from .service_manager import ExitCode, StatusReporter, TakeHandler
from .service_windows import WindowsService
from .wiring import open_process


def serve(
    tunnel: TunnelPaths,
    reporter: StatusReporter,
    take_handler: TakeHandler,
    event_log: EventLog,
    sources: EventSourceStore,
) -> ExitCode:
    """Until the manager has the tunnel stopped. Whatever goes wrong becomes an exit code and an entry in the event log:
    nobody reads a traceback here."""
    with contextlib.suppress(OSError):  # its entries are shown less nicely then
        sources.register(EVENT_SOURCE)
    logs: Logs | None = None
    service: WindowsService | None = None
    try:
        make_private_dir(tunnel.log.parent)
        create_private(tunnel.log, b"")
        logs = service_logs(tunnel.log, event_log)
        with open_process(tunnel, logs, WindowsService) as service:
            take_handler(service.control)
            code = service.run_as_service(reporter)
    except Exception as error:  # noqa: BLE001  # the service's main
        _tell(error, tunnel, logs, event_log)
        code = ExitCode.INTERNAL_ERROR
    if service is not None:
        service.finish()
    return code


def _tell(error: Exception, tunnel: TunnelPaths, logs: Logs | None, event_log: EventLog) -> None:
    """In the log, which copies it to the event log; there alone while there is no log."""
    kind = type(error).__name__
    shown = str(error) if isinstance(error, WireFleetError) else kind
    if logs is not None:
        get_logger("host").critical("service_failed", error=shown, kind=kind)
        return
    with contextlib.suppress(OSError):
        event_log.report(EventSeverity.ERROR, f"the service of the tunnel {tunnel.name} has no log: {shown}")
