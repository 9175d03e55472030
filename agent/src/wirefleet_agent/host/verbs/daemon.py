# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""``run`` and ``daemon start|stop``: the tunnel's service, in the foreground or on its own."""

from __future__ import annotations

import os
from pathlib import Path

from ...errors import UsageError
from ..call import Answer, Call, VerbTable, seconds
from ..control_protocol import Json
from ..private_files import os_failure

_RUN_EPILOG = """The service starts without a configuration too and waits for `config apply`. Signals: TERM and INT
end it and clean up, HUP reopens the log file. LOG_LEVEL (debug, info, warning, error, silent) goes before the
configuration's level.

example:
  wirefleet-agent --tunnel wf0 run
"""
_DAEMON_EPILOG = """examples:
  wirefleet-agent --tunnel wf0 daemon start --wait
  wirefleet-agent --tunnel wf0 daemon stop
"""


def register(verbs: VerbTable) -> None:
    run = verbs.add("run", "run the tunnel's service in the foreground", _run, epilog=_RUN_EPILOG)
    run.add_argument("--log-file", type=Path, metavar="FILE", help="JSON lines go there instead of stderr")
    actions = verbs.actions_of(verbs.add("daemon", "the service in the background", epilog=_DAEMON_EPILOG))
    start = actions.add("start", "start it; it runs and answers afterwards", _start)
    start.add_argument("--wait", action="store_true", help="wait until the stored configuration is applied")
    start.add_argument("--timeout", type=seconds, default=30.0, metavar="S", help="with --wait: seconds (default 30)")
    stop = actions.add("stop", "stop it and clean up", _stop)
    stop.add_argument("--timeout", type=seconds, default=30.0, metavar="S", help="then it is killed (default 30)")


def _run(call: Call) -> Answer:
    from ...observe import Logs, get_logger, parse_log_level

    if call.check:
        raise UsageError("to run has no check mode", path="--check", hint="daemon start --check tells if it runs")
    tunnel = call.tunnel()
    level = os.environ.get("LOG_LEVEL")
    logs = Logs()
    try:
        parse_log_level(level or "info")
    except ValueError as error:
        raise UsageError(str(error), path="LOG_LEVEL") from error
    log_file = call.arguments.log_file
    try:
        logs.configure(level=level or "info", is_level_fixed=level is not None, path=log_file)
    except OSError as error:
        raise os_failure("open", log_file, error) from error
    from ..wiring import open_service

    try:
        with open_service(tunnel, logs) as service:
            service.run()
    except Exception as error:
        get_logger("host").critical("service_failed", error=str(error), kind=type(error).__name__)
        raise
    reply: Json = {"changed": True, "running": False, "pid": None}
    return Answer(reply, "")


def _start(call: Call) -> Answer:
    from ..daemon import Daemon

    arguments = call.arguments
    wait_s = arguments.timeout if arguments.wait else None
    reply = Daemon(call.tunnel()).start(wait_s=wait_s, check=call.check)
    if not reply["running"]:
        return Answer(reply, "would be started")
    return Answer(reply, f"{'started' if reply['changed'] else 'was running'}, process {reply['pid']}")


def _stop(call: Call) -> Answer:
    from ..daemon import Daemon

    reply = Daemon(call.tunnel()).stop(timeout_s=call.arguments.timeout, check=call.check)
    if reply["running"]:
        return Answer(reply, "would be stopped")
    return Answer(reply, "stopped" if reply["changed"] else "was not running")
