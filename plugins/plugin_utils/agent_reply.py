# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the agent answers, and what a missing or broken answer means. Pure: no connection, no Ansible.

The agent prints exactly one JSON document. Success is exit code 0; otherwise the document has "error" with code,
message, path and hint, and the exit code is 1 internal, 2 usage, 3 invalid configuration, 4 not reachable, 5 refused.
With exit code 0 "error" is part of the answer: status tells in it what keeps a tunnel from working.
"""

from __future__ import annotations

import errno
import json
import re
from collections.abc import Mapping
from typing import Any

SHOWN_STDERR_LINES = 20
_WINDOWS_NOT_FOUND = re.compile(r"\bWin32ErrorCode [23]\b")  # ERROR_FILE_NOT_FOUND, ERROR_PATH_NOT_FOUND
HINT_NOT_INSTALLED = "run the role wirefleet.wireguard.tunnel_service on this host"


class AgentError(Exception):
    """The agent could not do what was asked.

    code: not_installed, not_json, or the agent's own error code; path: the file, key or command it is about;
    reply: the whole document, if there was one.
    """

    def __init__(
        self, message: str, *, code: str, path: str = "", hint: str = "", reply: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.path = path
        self.hint = hint
        self.reply: Mapping[str, Any] = reply or {}

    def as_result(self) -> dict[str, Any]:
        """The part of a failed task's result that tells about this error."""
        each = self._each()
        lines = [_one_line(str(self), self.path, self.hint)]
        if len(each) > 1:
            lines = [_one_line(error["message"], error["path"], error["hint"]) for error in each]
        result: dict[str, Any] = {
            "failed": True,
            "msg": "\n".join(lines),
            "error": {"code": self.code, "message": str(self), "path": self.path, "hint": self.hint},
        }
        if each:
            result["error"]["errors"] = each
        return result

    def _each(self) -> list[dict[str, str]]:
        """Every single error, where the agent found several at once, such as in a configuration."""
        error = self.reply.get("error")
        errors = error.get("errors") if isinstance(error, Mapping) else None
        if not isinstance(errors, list):
            return []
        names = ("code", "message", "path", "hint")
        return [{name: str(one.get(name) or "") for name in names} for one in errors if isinstance(one, Mapping)]


def _one_line(message: str, path: str, hint: str) -> str:
    where = f"{path}: " if path else ""
    return f"{where}{message} ({hint})" if hint else f"{where}{message}"


def parse_reply(raw: Mapping[str, Any], command: str) -> dict[str, Any]:
    """Turn the raw result of a command module into the agent's document.

    Only rc, stdout, stderr and msg of the raw result are looked at, and nothing of stdout but a valid document ever
    leaves this function: the raw result repeats the request, which may hold keys. Raises AgentError.
    """
    returncode = raw.get("rc")
    stdout = str(raw.get("stdout") or "")
    try:
        reply = json.loads(stdout)
    except ValueError:
        reply = None
    if not isinstance(reply, dict):
        raise _no_document(raw, command, returncode, stdout)
    error = reply.get("error")
    if isinstance(error, dict) and returncode != 0:
        raise AgentError(
            str(error.get("message") or "the agent failed without a message"),
            code=str(error.get("code") or "unknown"),
            path=str(error.get("path") or ""),
            hint=str(error.get("hint") or ""),
            reply=reply,
        )
    if returncode:
        raise AgentError(
            f"the agent failed with exit code {returncode} and no error", code="unknown", path=command, reply=reply
        )
    return reply


def _no_document(raw: Mapping[str, Any], command: str, returncode: object, stdout: str) -> AgentError:
    stderr = str(raw.get("stderr") or raw.get("module_stderr") or "")
    said = f"{raw.get('msg') or ''}\n{stderr}"
    if not stdout.strip() and _is_not_found(said, returncode):
        return AgentError(
            "the agent is not installed on this host", code="not_installed", path=command, hint=HINT_NOT_INSTALLED
        )
    shown = "\n".join(said.strip().splitlines()[-SHOWN_STDERR_LINES:])
    return AgentError(
        f"the agent gave no JSON document (exit code {returncode}): {shown or 'it said nothing'}",
        code="not_json",
        path=command,
        hint="look into the agent's log on the host, or install it again",
    )


def _is_not_found(said: str, returncode: object) -> bool:
    """Whether the command module says that there is no such program (POSIX, Windows)."""
    # Ansible reports an OSError of the start as this message with the errno for exit code.
    if returncode == errno.ENOENT and "Error executing command" in said:
        return True
    # win_command names Win32's code among words in the language of the host. Its exit code is 2 for other failures too.
    if "Failed to run:" in said and _WINDOWS_NOT_FOUND.search(said):
        return True
    return any(text in said for text in ("No such file or directory", "cannot find the file", "cannot find the path"))
