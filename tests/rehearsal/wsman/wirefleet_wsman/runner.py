# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a decoded PowerShell to a stand-in and its result, as a command of a shell."""

from __future__ import annotations

import json
import secrets
import threading
import time
from pathlib import Path
from typing import Any

from wirefleet_wsman.call import Call, ModuleFailedError, Result
from wirefleet_wsman.commandline import split
from wirefleet_wsman.core_scripts import remove_path, run_core_script
from wirefleet_wsman.documentation import ArgumentsRefusedError, check_arguments
from wirefleet_wsman.host import Host
from wirefleet_wsman.inside.client import InsideError
from wirefleet_wsman.modules import NO_CHECK_MODE, STAND_INS
from wirefleet_wsman.paths import PathRefusedError
from wirefleet_wsman.powershell import (
    AsyncJob,
    CoreScript,
    ModuleCall,
    NotUnderstoodError,
    RemovePath,
    decode,
    is_powershell,
)
from wirefleet_wsman.processes import ProcessScope, ScopeEndedError
from wirefleet_wsman.shells import Command

_SECRET_ARGUMENTS = frozenset({"stdin", "password", "content", "failure_command"})
_CENSORED = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"


class CommandRunner:
    """The body of every command of a host."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def __call__(self, command: Command) -> int:
        """Run a command line to its end; returns the exit code."""
        if not is_powershell(command.line):
            return self._run_program(command)
        try:
            request = decode(command.line, command.wait_input())
        except NotUnderstoodError as error:
            self._host.trace.write(refused=str(error))
            command.write("stderr", f"rehearsal: {error}\r\n".encode())
            return 1
        exit_code, stdout, stderr = self._run_powershell(request, command.processes)
        command.write("stdout", stdout)
        command.write("stderr", stderr)
        return exit_code

    def _run_powershell(
        self, request: RemovePath | CoreScript | ModuleCall, scope: ProcessScope
    ) -> tuple[int, bytes, bytes]:
        if isinstance(request, RemovePath):
            self._host.trace.write(removed=request.path)
            return remove_path(self._host, request)
        if isinstance(request, CoreScript):
            self._host.trace.write(core_script=request.name, path=request.parameters.get("Path"))
            return run_core_script(self._host, request)
        result = run_module(self._host, request, scope) if request.job is None else self._start_job(request)
        return int(bool(result.get("failed"))), json.dumps(result).encode() + b"\r\n", b""

    def _run_program(self, command: Command) -> int:
        """A plain command line, as `winrs` sends it: streamed, through cmd.exe unless it names a program."""
        self._host.trace.write(program=split(command.line)[:1])
        return self._host.wine.stream(
            ["cmd.exe", "/c", *split(command.line)],
            command.processes,
            directory=command.directory or None,
            environment=command.environment,
            next_input=command.next_input,
            write=command.write,
        )

    def _start_job(self, request: ModuleCall) -> Result:
        assert request.job is not None
        directory = self._host.paths.to_local(request.job.directory, writing=True)
        directory.mkdir(parents=True, exist_ok=True)
        job_id = f"{request.job.job_id}.{1000 + secrets.randbelow(60000)}"
        started: Result = {
            "started": True,
            "finished": False,
            "results_file": self._host.paths.to_windows(directory / job_id),
            "ansible_job_id": job_id,
            "_ansible_suppress_tmpdir_delete": True,
        }
        _write_result(directory / job_id, started)
        scope = self._host.jobs.new()
        threading.Thread(
            target=self._run_job, args=(request, request.job, directory / job_id, started, scope), daemon=True
        ).start()
        return started

    def _run_job(self, request: ModuleCall, job: AsyncJob, file: Path, started: Result, scope: ProcessScope) -> None:
        watchdog = threading.Timer(job.timeout_s, scope.end)
        watchdog.daemon = True
        watchdog.start()
        result = run_module(self._host, request, scope)
        watchdog.cancel()
        if scope.ended.is_set():
            result = {"failed": True, "msg": "failure during async watchdog: timed out waiting for module completion"}
        scope.end()
        _write_result(file, {**started, **result, "finished": True})


def _write_result(file: Path, result: Result) -> None:
    temporary = file.with_name(file.name + ".new")
    temporary.write_text(json.dumps(result), "utf-8")
    temporary.replace(file)


def run_module(host: Host, request: ModuleCall, scope: ProcessScope) -> Result:
    """The result of a module, failed or not; every call leaves a line in the trace."""
    internal = {name: value for name, value in request.arguments.items() if _is_internal(name)}
    given = {name: value for name, value in request.arguments.items() if not _is_internal(name)}
    began_s = time.monotonic()
    result = _judge_and_run(host, request, given, internal, scope)
    result.setdefault("changed", False)
    shown = _redact(given, hide_all=bool(internal.get("_ansible_no_log")))
    host.trace.write(
        module=request.module,
        check=bool(internal.get("_ansible_check_mode")),
        arguments=shown,
        changed=result["changed"],
        failed=bool(result.get("failed")),
        rc=result.get("rc"),
        msg=None if internal.get("_ansible_no_log") else result.get("msg"),
        seconds=round(time.monotonic() - began_s, 3),
        background=request.job is not None,
    )
    result["invocation"] = {"module_args": shown}
    return result


def _is_internal(name: str) -> bool:
    return name.startswith("_") and name != "_raw_params"


def _judge_and_run(
    host: Host, request: ModuleCall, given: dict[str, Any], internal: dict[str, Any], scope: ProcessScope
) -> Result:
    stand_in = STAND_INS.get(request.module)
    if stand_in is None:
        return _failed(f"rehearsal: there is no stand-in for the module {request.module}")
    try:
        arguments = check_arguments(request.module, given)
        if internal.get("_ansible_check_mode") and request.module in NO_CHECK_MODE:
            return {"changed": False, "skipped": True, "msg": NO_CHECK_MODE[request.module]}
        return stand_in(Call(arguments, internal, host, scope, request.environment))
    except ArgumentsRefusedError as error:
        return _failed(f"the real module would refuse these arguments: {error}")
    except ModuleFailedError as error:
        return {**_failed(str(error)), **error.result}
    except (PathRefusedError, ScopeEndedError, InsideError, OSError) as error:
        return _failed(f"{type(error).__name__}: {error}")


def _failed(message: str) -> Result:
    return {"changed": False, "failed": True, "msg": message}


def _redact(arguments: dict[str, Any], *, hide_all: bool) -> dict[str, Any]:
    return {
        name: _CENSORED if value is not None and (hide_all or name in _SECRET_ARGUMENTS) else value
        for name, value in arguments.items()
    }
