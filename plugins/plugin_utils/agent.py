# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Base of the actions that call the agent on a host."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from ansible.plugins.action import ActionBase  # type: ignore[import-untyped]
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.agent_reply import AgentError, parse_reply
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.host_paths import (
    agent_command,
    check_tunnel,
    host_root,
)
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.reconnect import RECONNECT_S, until_back

T = TypeVar("T")

COMMON_SPEC: dict[str, dict[str, Any]] = {
    "root": {"type": "str", "default": "/"},
    "tunnel": {"type": "str", "default": "wf0"},
}
# Facts that modules find out about the host's interpreter; without them every call would search for Python again.
_INTERPRETER_FACT = "discovered_interpreter_"


class AgentAction(ActionBase):  # type: ignore[misc]  # ansible-core has no types
    """One task, one call (or few) of the agent's command line over the host's own connection.

    A subclass names its options in ARGUMENT_SPEC and returns the task's result from act(). AgentError becomes a failed
    result; a host that is not reachable stays unreachable, because connection errors pass through.
    """

    _requires_connection = True
    _supports_check_mode = True
    _supports_async = False

    ARGUMENT_SPEC: ClassVar[Mapping[str, dict[str, Any]]] = {}
    SPEC_RULES: ClassVar[Mapping[str, Any]] = {}

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Validate the options, act, and return the task's result."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        self._task_vars: dict[str, Any] = task_vars or {}
        self._facts: dict[str, Any] = {}
        _dummy, self.options = self.validate_argument_spec({**COMMON_SPEC, **self.ARGUMENT_SPEC}, **self.SPEC_RULES)
        try:
            self.options["root"] = host_root(self.options["root"], is_windows=self.is_windows)
            check_tunnel(self.options["tunnel"], is_windows=self.is_windows)
            result.update(self.act())
        except AgentError as error:
            result.update(error.as_result())
        if self._facts:
            result["ansible_facts"] = self._facts
        return result

    def act(self) -> dict[str, Any]:
        """Do the task's work with self.options; return its result. Raises AgentError."""
        raise NotImplementedError

    @property
    def is_check(self) -> bool:
        return bool(self._task.check_mode)

    @property
    def is_windows(self) -> bool:
        return bool(getattr(self._connection._shell, "_IS_WINDOWS", False))

    @property
    def command(self) -> str:
        """Path of the agent's command on the host."""
        return agent_command(self.options["root"], is_windows=self.is_windows)

    def call_agent(
        self, verb: Sequence[str], request: Mapping[str, Any] | None = None, *, check: bool = False
    ) -> dict[str, Any]:
        """Run one verb of the agent; return its document. Raises AgentError.

        request: the JSON document for its stdin; it may hold secrets, the argument vector never does.
        check: ask the agent to change nothing. The call itself always runs, also in check mode.
        """
        argv = [self.command, "--root", self.options["root"], "--tunnel", self.options["tunnel"], "--json"]
        argv += ["--check"] if check else []
        stdin = "" if request is None else json.dumps(request)
        return parse_reply(self.run_command([*argv, *verb], stdin), self.command)

    def until_back(self, call: Callable[[], T], *, timeout_s: float = RECONNECT_S, is_lost: bool = False) -> T:
        """``call`` again over new connections as long as they break; for what may be asked twice. See reconnect."""
        return until_back(
            call, self._connection.reset, timeout_s=timeout_s, progress=self.warn, is_lost=is_lost, sleep=self.sleep
        )

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def progress(self, message: str) -> None:
        """Say under -v what takes its time."""
        self._display.v(f"{self._host_name()}: {message}")

    def warn(self, message: str) -> None:
        """Say it now: the task may take minutes before its result can."""
        self._display.warning(f"{self._host_name()}: {message}")

    def _host_name(self) -> str:
        return str(self._task_vars.get("inventory_hostname", "host"))

    def run_command(self, argv: Sequence[str], stdin: str = "") -> dict[str, Any]:
        """Run a program on the host, in check mode too; returns the module's raw result, which is not to be shown."""
        arguments: dict[str, Any] = {"argv": list(argv), "stdin": stdin}
        if self.is_windows:
            module = "ansible.windows.win_command"
        else:
            module = "ansible.builtin.command"
            arguments.update(stdin_add_newline=False, expand_argument_vars=False)
        # The command modules skip in check mode, but the agent has a check mode of its own.
        with self._task_settings(check_mode=False):
            return self.run_module(module, arguments)

    def run_module(self, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Run a module on the host without a trace of its arguments in the host's logs."""
        with self._task_settings(no_log=True):
            raw: dict[str, Any] = self._execute_module(
                module_name=name, module_args=dict(arguments), task_vars=self._task_vars
            )
        for fact, value in (raw.get("ansible_facts") or {}).items():
            if fact.startswith(_INTERPRETER_FACT):
                self._facts[fact] = value
        return raw

    def run_module_in_check_mode(self, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Ask a module what it would change."""
        with self._task_settings(check_mode=True):
            return self.run_module(name, arguments)

    def run_action(self, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Run a module that has an action plugin of its own, such as the copies from the controller."""
        task = self._task.copy()
        task.args = dict(arguments)
        action = self._shared_loader_obj.action_loader.get(
            name,
            task=task,
            connection=self._connection,
            play_context=self._play_context,
            loader=self._loader,
            templar=self._templar,
            shared_loader_obj=self._shared_loader_obj,
        )
        raw: dict[str, Any] = action.run(task_vars=self._task_vars)
        return raw

    def copy_to_temporary(self, source: str) -> str:
        """Copy a file to the host; returns where it is until the task ends."""
        shell = self._connection._shell
        target = str(shell.join_path(shell.tmpdir or self._make_tmp_path(), Path(source).name))
        self._transfer_file(source, target)
        return target

    @contextmanager
    def _task_settings(self, **settings: bool) -> Iterator[None]:
        before = {name: getattr(self._task, name) for name in settings}
        for name, value in settings.items():
            setattr(self._task, name, value)
        try:
            yield
        finally:
            for name, value in before.items():
                setattr(self._task, name, value)
