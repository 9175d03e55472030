# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the ways to install and run the agent need of an action, and what the action needs of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.agent_reply import AgentError
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.bundles import Bundle

T = TypeVar("T")


class HostCalls(Protocol):
    """The agent's verbs, and modules, on the host. options: ``root tunnel python`` at least."""

    options: dict[str, Any]

    @property
    def is_check(self) -> bool:
        """Whether nothing may change."""

    def call_agent(
        self, verb: Sequence[str], request: Mapping[str, Any] | None = None, *, check: bool = False
    ) -> dict[str, Any]:
        """Run one verb of the agent; raises AgentError."""

    def run_module(self, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Run a module on the host, in the check mode of the task."""

    def run_module_in_check_mode(self, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Ask a module what it would change."""

    def run_action(self, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Run a module that has an action plugin."""

    def run_command(self, argv: Sequence[str], stdin: str = "") -> dict[str, Any]:
        """Run a program on the host, in check mode too."""

    def copy_to_temporary(self, source: str) -> str:
        """Copy a file to the host; returns where it is until the task ends."""

    def until_back(self, call: Callable[[], T], *, timeout_s: float = ..., is_lost: bool = False) -> T:
        """Repeat the call over new connections as long as they break. is_lost: the present one has broken."""

    def sleep(self, seconds: float) -> None:
        """Wait."""

    def progress(self, message: str) -> None:
        """Say under -v what takes its time."""

    def warn(self, message: str) -> None:
        """Say it at once."""


class ServiceBackend(Protocol):
    """One way to keep the agent of a tunnel running. bool: whether it changed anything."""

    name: str

    def define(self, release: str, *, is_wanted: bool) -> list[str]:
        """Make the service known to the host, so that it runs this release and starts with the host from now on.

        is_wanted: else only a service that is known already is brought to the release. Returns what changed, in words.
        """

    def start(self) -> bool:
        """Start the agent and wait until it answers. Raises AgentError if it does not."""

    def stop(self) -> bool:
        """Stop the agent and wait until it is gone."""

    def restart(self, release: str) -> None:
        """Let the agent that runs make room for this release, and wait until that one answers. Raises AgentError."""

    def remove(self) -> bool:
        """Forget the service; it has been stopped."""


class Installer(Protocol):
    """How releases come to a host and go."""

    def unpack(self, bundle: Bundle) -> str:
        """Copy the bundle to the host and let it install itself; returns the release's name. Raises AgentError."""

    def remove(self, *, purge: bool) -> bool:
        """Remove all releases; with purge keys, configurations and logs too. Returns whether anything was there."""


def changed_or_error(raw: Mapping[str, Any], purpose: str, *, path: str = "", hint: str = "") -> bool:
    """Whether the module changed anything; raises AgentError if it failed."""
    if raw.get("failed"):
        raise AgentError(f"cannot {purpose}: {raw.get('msg')}", code="service", path=path, hint=hint)
    return bool(raw.get("changed"))
