# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-in for ansible.windows.win_command: the program really runs, under Wine.

Output is decoded as UTF-8 unless output_encoding_override names another encoding, as the real module's
Process.cs does it. wexec takes arguments, not a command line: a raw command line is split by Windows' rules, and the
report lists those that cannot be put together again as they were.

Wine's cmd.exe now and then cannot start a program that is there (seen twice in some thousand calls; a batch file ends
with 9009 then, of which Linux passes on the lowest byte). Such a call is repeated once, and the report says so.
"""

from __future__ import annotations

import codecs
import datetime
import ntpath
from typing import Any

from wirefleet_wsman.call import Call, ModuleFailedError, Result
from wirefleet_wsman.commandline import join, split
from wirefleet_wsman.wine import Completed

_CANNOT_LAUNCH = 9009 & 0xFF
_CANNOT_LAUNCH_SAYS = b"as an internal or external command"
_NOT_FOUND = (
    'Exception calling "CreateProcess" with "7" argument(s): "CreateProcessW() failed '
    '(The system cannot find the file specified, Win32ErrorCode 2 - 0x00000002)"'
)


def win_command(call: Call) -> Result:
    """Run a program and wait for it."""
    directory = call.arguments.get("chdir")
    line, arguments = _command(call)
    if skipped := _skip(call, line):
        return skipped
    if directory and not call.host.paths.to_local(directory).is_dir():
        raise _not_started(line, f"Could not find specified -WorkingDirectory '{directory}'")
    program = call.host.wine.find_program(arguments[0], directory)
    if program is None:
        raise _not_started(line, _NOT_FOUND)
    stdin = call.arguments.get("stdin")
    decode = _decoder(call.arguments.get("output_encoding_override"))
    start = datetime.datetime.now(datetime.UTC)
    words, given = [program, *arguments[1:]], stdin.encode() if stdin else None
    completed = _run(call, words, directory, given)
    if _is_misfire(program, completed):
        call.host.not_shown.add("process start", f"Wine did not start what {ntpath.basename(program)} calls: repeated")
        completed = _run(call, words, directory, given)
    if not completed.has_read_input:
        raise ModuleFailedError(
            "rehearsal: the real module would wait for ever: the program ended and had not read its input",
            cmd=line,
            rc=2,
        )
    end = datetime.datetime.now(datetime.UTC)
    result: Result = {
        "changed": True,
        "cmd": line,
        "rc": completed.exit_code,
        "stdout": decode(completed.stdout),
        "stderr": decode(completed.stderr),
        "start": start.strftime("%Y-%m-%d %H:%M:%S.%f"),
        "end": end.strftime("%Y-%m-%d %H:%M:%S.%f"),
        "delta": str(end - start),
    }
    if completed.exit_code:
        raise ModuleFailedError("non-zero return code", **result)
    return result


def _run(call: Call, words: list[str], directory: str | None, stdin: bytes | None) -> Completed:
    return call.host.wine.run(words, call.scope, directory=directory, environment=call.environment, stdin=stdin)


def _is_misfire(program: str, completed: Completed) -> bool:
    """Whether a batch file's program was not started: nothing has happened then."""
    is_batch = ntpath.splitext(program)[1].lower() in (".cmd", ".bat")
    return is_batch and completed.exit_code == _CANNOT_LAUNCH and _CANNOT_LAUNCH_SAYS in completed.stderr


def _command(call: Call) -> tuple[str, list[str]]:
    if argv := call.arguments.get("argv"):
        program = call.host.wine.find_program(argv[0], call.arguments.get("chdir")) or argv[0]
        return join([program, *argv[1:]]), [program, *argv[1:]]
    line = str(call.arguments.get("cmd") or str(call.arguments.get("_raw_params") or "").strip())
    arguments = split(line)
    if not arguments:
        raise ModuleFailedError("the command line is empty", rc=2, cmd=line)
    if split(join(arguments)) != arguments or (join(arguments) != line and '"' in line):
        call.host.not_shown.add("raw command line", f"re-quoted by the rehearsal: {arguments[0]}")
    return line, arguments


def _skip(call: Call, line: str) -> Result | None:
    creates, removes = call.arguments.get("creates"), call.arguments.get("removes")
    if creates and call.exists(creates):
        reason = f"skipped, since {creates} exists"
    elif removes and not call.exists(removes):
        reason = f"skipped, since {removes} does not exist"
    else:
        return None
    return {"changed": False, "skipped": True, "msg": reason, "cmd": line, "rc": 0}


def _not_started(line: str, reason: str) -> ModuleFailedError:
    return ModuleFailedError(f"Failed to run: '{line}': {reason}", rc=2, cmd=line)


def _decoder(encoding: str | None) -> Any:
    try:
        codec = codecs.lookup(encoding or "utf-8")
    except LookupError as error:
        raise ModuleFailedError(f"'{encoding}' is not a supported encoding name.", rc=2) from error
    return lambda data: codec.decode(data, "replace")[0]
