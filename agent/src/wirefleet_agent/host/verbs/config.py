# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""``config check|apply|confirm|show``: one transaction for both files, taken back unless somebody confirms."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import UsageError
from ..by_daemon import by_daemon_or_alone
from ..call import Answer, Call, VerbTable
from ..control_protocol import Json
from ..paths import TunnelPaths
from ..requests import ConfigRequest, ConfirmRequest

if TYPE_CHECKING:
    from ..configuration import Configuration

_EPILOG = """The request is one JSON object on stdin:
  {"conf": TEXT, "toml": TEXT, "preshared_keys": {PUBLIC: PSK}, "confirm_timeout_s": SECONDS}

examples:
  wirefleet-agent --tunnel wf0 config check --conf wf0.conf --toml wf0.toml
  wirefleet-agent --tunnel wf0 config apply --conf wf0.conf --confirm-timeout 60
  echo '{"confirm_id": "..."}' | wirefleet-agent config confirm
"""


def register(verbs: VerbTable) -> None:
    actions = verbs.actions_of(verbs.add("config", "the tunnel's configuration", epilog=_EPILOG))
    check = actions.add("check", "validate a configuration and show what would change", _check)
    apply = actions.add("apply", "make it the tunnel's configuration", _apply)
    for action in (check, apply):
        action.add_argument("--conf", type=Path, help="read the .conf from a file instead of a request on stdin")
        action.add_argument("--toml", type=Path, help="with --conf: the .toml")
    apply.add_argument("--confirm-timeout", type=int, metavar="S", help="with --conf: revert unless confirmed in S s")
    confirm = actions.add("confirm", "keep the configuration that is pending", _confirm)
    confirm.add_argument("--id", dest="confirm_id", help="the confirm id; without it a request on stdin")
    actions.add("show", "print the configuration without its secrets", _show)


def _check(call: Call) -> Answer:
    reply = _on_disk(call.tunnel()).check(ConfigRequest.from_json(_config_request(call)))
    return Answer(reply, _diff_text(reply))


def _apply(call: Call) -> Answer:
    if call.check:
        return _check(call)
    request = _config_request(call)
    parsed = ConfigRequest.from_json(request)
    reply = _by_daemon_or_on_disk(
        call.tunnel(), "config.apply", request, lambda configuration: configuration.apply(parsed) | {"running": False}
    )
    lines = [_diff_text(reply)]
    if reply["pending"]:
        lines.append(f"pending: reverts in {reply['confirm_timeout_s']} s unless confirmed with {reply['confirm_id']}")
    if not reply["running"]:
        lines.append("written; the daemon is not running")
    return Answer(reply, "\n".join(lines))


def _confirm(call: Call) -> Answer:
    by_option = call.arguments.confirm_id
    request = call.request() if by_option is None else {"confirm_id": by_option}
    parsed = ConfirmRequest.from_json(request)
    reply = (
        _on_disk(call.tunnel()).confirm(parsed, check=True)
        if call.check
        else _by_daemon_or_on_disk(
            call.tunnel(), "config.confirm", request, lambda configuration: configuration.confirm(parsed)
        )
    )
    return Answer(reply, "confirmed" if reply["changed"] else "was confirmed before")


def _show(call: Call) -> Answer:
    reply = _on_disk(call.tunnel()).show()
    if reply["digest"] is None:
        return Answer(reply, "not configured")
    return Answer(reply, f"{reply['conf']}\n{reply['toml']}".rstrip())


def _config_request(call: Call) -> Json:
    arguments = call.arguments
    if arguments.conf is None:
        return call.request()
    request: Json = {"conf": _read(arguments.conf), "toml": "" if arguments.toml is None else _read(arguments.toml)}
    if getattr(arguments, "confirm_timeout", None) is not None:
        request["confirm_timeout_s"] = arguments.confirm_timeout
    return request


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot be read: {error}", path=str(path)) from error


def _on_disk(tunnel: TunnelPaths) -> Configuration:
    from ..configuration import Configuration
    from ..deadline import BootClock
    from ..keystore import KeyStore
    from ..store import ConfigStore

    return Configuration(tunnel, ConfigStore(tunnel, BootClock.of_system()), KeyStore(tunnel.host))


def _by_daemon_or_on_disk(
    tunnel: TunnelPaths, verb: str, request: Mapping[str, object], alone: Callable[[Configuration], Json]
) -> Json:
    def on_disk() -> Json:
        configuration = _on_disk(tunnel)
        configuration.recover()
        return alone(configuration)

    return by_daemon_or_alone(tunnel, verb, request, on_disk)


def _diff_text(reply: Json) -> str:
    if not reply["changed"]:
        return "unchanged"
    diff = reply["diff"]
    assert isinstance(diff, dict)
    before, after = (str(diff[side]).splitlines() for side in ("before", "after"))
    lines = list(difflib.unified_diff(before, after, "before", "after", lineterm=""))
    changes = reply["changes"]
    assert isinstance(changes, list)
    return "\n".join([*lines, *(f"{change['op']} {change['target']}" for change in changes)]) or json.dumps(reply)
