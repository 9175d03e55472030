# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""``service``: what the service control manager of Windows starts. Nobody else can."""

from __future__ import annotations

import sys

from ...errors import RefusedError, UsageError
from ..call import Answer, Call, VerbTable
from ..paths import TunnelPaths
from ..service_manager import ExitCode, StatusReporter, TakeHandler

_LOADING_HINT_S = 120.0

_EPILOG = """The service control manager calls this with the command line that the service is registered with:
  "ROOT\\releases\\RELEASE\\python.exe" -I -m wirefleet_agent --root "ROOT" --tunnel "NAME" service

exit codes of the service (beside 1066, service-specific error):
  1 a mistake of ours ended it           3 another process serves this tunnel
  2 it did not stop within 30 seconds    4 its control pipe could not be made
"""


def register(verbs: VerbTable) -> None:
    verbs.add("service", "serve a tunnel as a Windows service", _service, epilog=_EPILOG)


def _service(call: Call) -> Answer:
    if call.check:
        raise UsageError("a service has no check mode", path="--check")
    tunnel = call.tunnel()
    if sys.platform == "win32":
        from ..win32.scm import host_service

        def body(reporter: StatusReporter, take_handler: TakeHandler) -> ExitCode:
            return _serve(tunnel, reporter, take_handler)

        host_service(body)
        return Answer({"changed": True, "running": False, "pid": None}, "")
    raise RefusedError(
        f"services like this one exist on Windows only, not for {tunnel.name}", hint="wirefleet-agent run"
    )


if sys.platform == "win32":

    def _serve(tunnel: TunnelPaths, reporter: StatusReporter, take_handler: TakeHandler) -> ExitCode:
        """On the service's own thread. Most of the program is loaded here, after the manager has heard from us."""
        reporter.start_pending(_LOADING_HINT_S)
        from ..hosted import serve
        from ..win32.event_log import EventSources, WindowsEventLog

        return serve(tunnel, reporter, take_handler, WindowsEventLog(), EventSources())
