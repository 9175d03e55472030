# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""``run`` and ``daemon start|stop|restart``: the tunnel's service, in the foreground or on its own."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from ...errors import UsageError
from ..call import Answer, Call, VerbTable, seconds
from ..control_protocol import Json

_RUN_EPILOG = """The service starts without a configuration too and waits for `config apply`. Signals: TERM and INT
end it and clean up, HUP reopens the log file. LOG_LEVEL (debug, info, warning, error, silent) goes before the
configuration's level.

example:
  wirefleet-agent --tunnel wf0 run
"""
_DAEMON_EPILOG = """examples:
  wirefleet-agent --tunnel wf0 daemon start --wait
  wirefleet-agent --tunnel wf0 daemon stop
  wirefleet-agent --tunnel wf0 daemon restart --detach    over the tunnel itself; `status` tells how it went
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
    restart = actions.add("restart", "stop it and start it, also over its own tunnel", _restart)
    restart.add_argument("--detach", action="store_true", help="return at once; `status` tells how it went")
    restart.add_argument("--wait", action="store_true", help="wait until the stored configuration is applied")
    restart.add_argument("--timeout", type=seconds, default=30.0, metavar="S", help="for each step (default 30)")
    restart.add_argument("--id", dest="restart_id", help=argparse.SUPPRESS)  # the process that --detach starts


def _run(call: Call) -> Answer:
    from ...observe import get_logger
    from ..log_setup import configured_logs

    if call.check:
        raise UsageError("to run has no check mode", path="--check", hint="daemon start --check tells if it runs")
    tunnel = call.tunnel()
    logs = configured_logs(call.arguments.log_file)
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
    from ..restart import daemon_of

    arguments = call.arguments
    wait_s = arguments.timeout if arguments.wait else None
    reply = daemon_of(call.tunnel()).start(wait_s=wait_s, check=call.check)
    if not reply["running"]:
        return Answer(reply, "would be started")
    return Answer(reply, f"{'started' if reply['changed'] else 'was running'}, process {reply['pid']}")


def _stop(call: Call) -> Answer:
    from ..restart import daemon_of

    reply = daemon_of(call.tunnel()).stop(timeout_s=call.arguments.timeout, check=call.check)
    if reply["running"]:
        return Answer(reply, "would be stopped")
    return Answer(reply, "stopped" if reply["changed"] else "was not running")


def _restart(call: Call) -> Answer:
    from ..restart import RestartOrder, daemon_of, is_restart_id, let_the_answer_leave, restart, restart_detached
    from ..restart_record import RestartRecord

    arguments, tunnel = call.arguments, call.tunnel()
    daemon, record = daemon_of(tunnel), RestartRecord(tunnel)
    if call.check:
        found = daemon.start(wait_s=None, check=True)
        return Answer(found | {"changed": True}, "would be restarted")
    order = RestartOrder.new(arguments.timeout, is_waiting=arguments.wait)
    if arguments.detach:
        found = daemon.start(wait_s=None, check=True)
        restart_detached(daemon, record, order)
        reply: Json = {"changed": True, "running": found["running"], "restart_id": order.restart_id}
        return Answer(reply, f"restart {order.restart_id} has begun: wirefleet-agent status")
    if arguments.restart_id is not None:
        if not is_restart_id(arguments.restart_id):
            raise UsageError("this is not the id of a restart", path="--id")
        order = replace(order, restart_id=arguments.restart_id)
        let_the_answer_leave()
    reply = restart(daemon, record, order)
    return Answer(reply, f"restarted, process {reply['pid']}")
