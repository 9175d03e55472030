# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that answers as the agent's command line does, recorded call by call."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

NOT_FOUND = {"failed": True, "rc": 2, "stdout": "", "stderr": "", "msg": "Error executing command."}


@dataclass
class Call:
    """One module that an action ran on the host, and how the task was set at that moment."""

    module: str
    arguments: dict[str, Any]
    check_mode: bool
    no_log: bool

    @property
    def argv(self) -> list[str]:
        return self.arguments.get("argv", [])


@dataclass
class FakeHost:
    """Answers commands by the words they contain. replies: ("release", "list") -> document, or a list of them in order.

    An exception is raised, as a connection plugin does.
    A document with "error" makes the exit code 4. A verb without a reply is a program that is not installed.
    """

    replies: dict[tuple[str, ...], Any] = field(default_factory=dict)
    modules: dict[str, Any] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    is_windows: bool = False
    resets: int = 0
    slept: list[float] = field(default_factory=list)

    def execute(self, module: str, arguments: dict[str, Any], check_mode: bool, no_log: bool) -> dict[str, Any]:
        self.calls.append(Call(module, arguments, check_mode, no_log))
        if not module.endswith("command"):
            answer = self.modules.get(module, {"changed": False})
            return dict(_next(answer(arguments) if callable(answer) else answer))
        for words, answer in self.replies.items():
            argv = arguments["argv"]
            if any(tuple(argv[i : i + len(words)]) == words for i in range(len(argv))):
                document = _next(answer)
                if isinstance(document, dict) and "raw" in document:
                    return document["raw"]
                returncode = 4 if "error" in document else 0
                result = {"rc": returncode, "stdout": json.dumps(document), "stderr": "", "changed": True}
                # What a real command module repeats; it must never come back out of the action.
                result["invocation"] = {"module_args": arguments}
                return {**result, "failed": True, "msg": "non-zero return code"} if returncode else result
        return dict(NOT_FOUND)

    def reset(self) -> None:
        self.resets += 1

    def modules_called(self) -> list[str]:
        """Modules other than commands, without their collection, in the order of the calls."""
        return [call.module.rpartition(".")[2] for call in self.calls if not call.module.endswith("command")]

    def arguments_of(self, module: str) -> list[dict[str, Any]]:
        return [call.arguments for call in self.calls if call.module == module]

    def verbs(self) -> list[str]:
        """The agent's verbs in the order of the calls."""
        commands = [call.argv for call in self.calls if call.argv]
        return [" ".join(argv[argv.index("--json") + 1 :]) for argv in commands if "--json" in argv]

    def stdin_of(self, verb: str) -> dict[str, Any]:
        """The request that the last call of a verb got."""
        found = [call for call in self.calls if verb in " ".join(call.argv)]
        return json.loads(found[-1].arguments["stdin"])


def _next(answer: Any) -> Any:
    found = answer.pop(0) if isinstance(answer, list) else answer
    if isinstance(found, Exception):
        raise found
    return found


@pytest.fixture
def host() -> FakeHost:
    return FakeHost()


@pytest.fixture
def run_action(host, monkeypatch):
    """run_action(ActionModule, args, check_mode=, diff=): the result of the task on the fake host."""

    def run(action_class: Any, args: dict[str, Any], *, check_mode: bool = False, diff: bool = False) -> dict[str, Any]:
        task = SimpleNamespace(
            args=dict(args), check_mode=check_mode, diff=diff, no_log=False, async_val=0, action="under_test"
        )
        task.copy = lambda: SimpleNamespace(**vars(task))
        shell = SimpleNamespace(
            tmpdir="/tmp/ansible-tmp-1", _IS_WINDOWS=host.is_windows, join_path=lambda *parts: "/".join(parts)
        )
        connection = SimpleNamespace(_shell=shell, transport="fake", reset=host.reset)
        action = action_class(
            task=task, connection=connection, play_context=None, loader=None, templar=None, shared_loader_obj=None
        )

        def execute(module_name=None, module_args=None, task_vars=None, **_):
            return host.execute(module_name, module_args, task.check_mode, task.no_log)

        def get_action(name, task=None, **_):
            return SimpleNamespace(run=lambda task_vars: execute(name, task.args))

        loaders = SimpleNamespace(action_loader=SimpleNamespace(get=get_action))
        monkeypatch.setattr(action, "_shared_loader_obj", loaders)
        monkeypatch.setattr(action, "sleep", host.slept.append, raising=False)
        monkeypatch.setattr(action, "_execute_module", execute, raising=True)
        monkeypatch.setattr(action, "_transfer_file", lambda local, remote: host.transfers.append((local, remote)))
        monkeypatch.setattr(action, "_transfer_data", lambda remote, data: host.transfers.append((data, remote)))
        return action.run(task_vars={"inventory_hostname": "spoke-1"})

    host.transfers = []
    return run
