# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The six operations of a remote shell: Create, Command, Send, Receive, Signal, Delete. Source: MS-WSMV 3.1.4."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from xml.sax.saxutils import escape, quoteattr

from wirefleet_wsman.envelope import (
    NAMES,
    SHELL,
    EnvelopeRefusedError,
    Request,
    WsmanFault,
    read_duration,
    read_request,
    write_fault,
    write_reply,
)
from wirefleet_wsman.shells import (
    Command,
    CommandBody,
    CommandNotFoundError,
    InputRefusedError,
    Output,
    QuotaExceededError,
    Shell,
    ShellNotFoundError,
    Shells,
    TooManyShellsError,
)

TIMED_OUT = 2150858793  # ERROR_WSMAN_OPERATION_TIMEDOUT: the client asks again
INVALID_SELECTORS = 2150858843  # ERROR_WSMAN_INVALID_SELECTORS: shell or command not found
QUOTA_MAX_OPERATIONS = 0x803381A6  # ERROR_WSMAN_QUOTA_MAX_OPERATIONS: the client makes a new shell
DEFAULT_IDLE_TIMEOUT_S = 7200.0
MAX_OPERATION_TIMEOUT_S = 600.0
# What an envelope needs besides the base64 of the output.
_ENVELOPE_MARGIN_BYTES = 2048


class ShellOperations:
    """Answers envelopes. run: decides what runs for a command line."""

    def __init__(self, shells: Shells, run: CommandBody) -> None:
        self._shells = shells
        self._run = run
        self._operations: dict[str, Callable[[Request], str]] = {
            "Create": self._create,
            "Command": self._command,
            "Send": self._send,
            "Receive": self._receive,
            "Signal": self._signal,
            "Delete": self._delete,
        }

    def answer(self, data: bytes) -> tuple[int, bytes]:
        """HTTP status and reply to one envelope; never raises for what a client can send."""
        try:
            request = read_request(data)
        except EnvelopeRefusedError as error:
            return 500, write_fault("", WsmanFault("w:SchemaValidationError", str(error)))
        try:
            return 200, write_reply(request, self._perform(request))
        except WsmanFault as fault:
            return 500, write_fault(request.message_id, fault)

    def _perform(self, request: Request) -> str:
        operation = self._operations.get(request.operation)
        if operation is None:
            raise WsmanFault("a:ActionNotSupported", f"The action {request.operation!r} is not supported.")
        try:
            return operation(request)
        except ShellNotFoundError as error:
            raise WsmanFault(
                "w:InvalidSelectors", f"The shell {error} was not found on the server.", code=INVALID_SELECTORS
            ) from error
        except CommandNotFoundError as error:
            raise WsmanFault(
                "w:InvalidSelectors", f"The command {error} was not found in the shell.", code=INVALID_SELECTORS
            ) from error
        except QuotaExceededError as error:
            raise WsmanFault("w:QuotaLimit", f"Quota: {error}", wmi_code=QUOTA_MAX_OPERATIONS) from error
        except TooManyShellsError as error:
            raise WsmanFault("w:QuotaLimit", f"Quota: {error}") from error
        except InputRefusedError as error:
            raise WsmanFault("w:InvalidParameter", str(error)) from error

    def _create(self, request: Request) -> str:
        body = request.body
        idle = body.findtext("rsp:Shell/rsp:IdleTimeOut", "", NAMES).strip()
        variables = body.findall("rsp:Shell/rsp:Environment/rsp:Variable", NAMES)
        shell = self._shells.create(
            idle_timeout_s=read_duration(idle, default_s=DEFAULT_IDLE_TIMEOUT_S),
            environment={variable.get("Name", ""): variable.text or "" for variable in variables},
            directory=body.findtext("rsp:Shell/rsp:WorkingDirectory", "", NAMES).strip(),
        )
        return (
            f'<rsp:Shell><w:SelectorSet><w:Selector Name="ShellId">{shell.shell_id}</w:Selector></w:SelectorSet>'
            f"<rsp:ShellId>{shell.shell_id}</rsp:ShellId><rsp:InputStreams>stdin</rsp:InputStreams>"
            "<rsp:OutputStreams>stdout stderr</rsp:OutputStreams></rsp:Shell>"
        )

    def _command(self, request: Request) -> str:
        shell = self._shells.use(request.shell_id)
        line = request.body.find("rsp:CommandLine", NAMES)
        if line is None:
            raise WsmanFault("w:SchemaValidationError", "CommandLine is missing.")
        words = [line.findtext("rsp:Command", "", NAMES)]
        words += [argument.text or "" for argument in line.findall("rsp:Arguments", NAMES)]
        command = Command(
            " ".join(words),
            takes_input=request.options.get("WINRS_CONSOLEMODE_STDIN", "").upper() != "TRUE",
            environment=shell.environment,
            directory=shell.directory,
        )
        self._shells.add_command(shell, command)
        command.start(self._run)
        return f"<rsp:CommandResponse><rsp:CommandId>{command.command_id}</rsp:CommandId></rsp:CommandResponse>"

    def _send(self, request: Request) -> str:
        shell = self._shells.use(request.shell_id)
        for stream in request.body.findall("rsp:Send/rsp:Stream", NAMES):
            command = self._shells.find_command(shell, stream.get("CommandId"))
            try:
                data = base64.b64decode("".join((stream.text or "").split()), validate=True)
            except (binascii.Error, ValueError) as error:
                raise WsmanFault("w:EncodingLimit", "The input is not base64.") from error
            if not command.is_running:
                continue  # it has ended without reading everything, as a program may
            command.add_input(data, is_last=stream.get("End", "").lower() == "true")
        return "<rsp:SendResponse/>"

    def _receive(self, request: Request) -> str:
        shell = self._shells.use(request.shell_id)
        stream = request.body.find("rsp:Receive/rsp:DesiredStream", NAMES)
        command = self._shells.find_command(shell, stream.get("CommandId") if stream is not None else None)
        max_bytes = max((request.max_envelope_bytes - _ENVELOPE_MARGIN_BYTES) * 3 // 4, 1024)
        output = command.take_output(max_bytes, min(request.operation_timeout_s, MAX_OPERATION_TIMEOUT_S))
        self._touch(shell)
        if output is None:
            raise WsmanFault(
                "w:TimedOut",
                "The WS-Management service cannot complete the operation within the time specified in "
                "OperationTimeout.",
                code=TIMED_OUT,
            )
        return _receive_response(command.command_id, output)

    def _touch(self, shell: Shell) -> None:
        """A Receive that took long has kept the shell in use until now."""
        self._shells.use(shell.shell_id)

    def _signal(self, request: Request) -> str:
        shell = self._shells.use(request.shell_id)
        signal = request.body.find("rsp:Signal", NAMES)
        if signal is None:
            raise WsmanFault("w:SchemaValidationError", "Signal is missing.")
        code = signal.findtext("rsp:Code", "", NAMES).rsplit("/", 1)[-1].lower()
        if code not in {"terminate", "ctrl_c", "ctrl_break"}:
            raise WsmanFault("w:InvalidParameter", f"The signal {code!r} is not known.")
        self._shells.end_command(shell, signal.get("CommandId"))
        return "<rsp:SignalResponse/>"

    def _delete(self, request: Request) -> str:
        self._shells.delete(request.shell_id)
        return ""


def _receive_response(command_id: str, output: Output) -> str:
    identity = quoteattr(command_id)
    streams = ""
    for name, data in (("stdout", output.stdout), ("stderr", output.stderr)):
        if data:
            streams += f'<rsp:Stream Name="{name}" CommandId={identity}>{base64.b64encode(data).decode()}</rsp:Stream>'
        elif output.exit_code is not None:
            streams += f'<rsp:Stream Name="{name}" CommandId={identity} End="true"></rsp:Stream>'
    state = "Running" if output.exit_code is None else "Done"
    exit_code = "" if output.exit_code is None else f"<rsp:ExitCode>{escape(str(output.exit_code))}</rsp:ExitCode>"
    return (
        f"<rsp:ReceiveResponse>{streams}<rsp:CommandState CommandId={identity} "
        f'State="{SHELL}/CommandState/{state}">{exit_code}</rsp:CommandState></rsp:ReceiveResponse>'
    )
