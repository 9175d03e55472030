# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arguments are judged by the documentation of the real modules, as installed on the controller."""

from __future__ import annotations

import ast
import threading
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator  # type: ignore[import-untyped]

_KEPT = ("type", "elements", "required", "choices", "default", "aliases")
# What the modules' own action plugins add without documenting it.
_BY_ACTION_PLUGIN = {"ansible.windows.win_copy": ("files", "directories", "symlinks")}
# What the documentation says in prose only.
_MUTUALLY_EXCLUSIVE = {"ansible.windows.win_command": [["_raw_params", "argv", "cmd"]]}
_REQUIRED_ONE_OF = {
    "ansible.windows.win_command": [["_raw_params", "argv", "cmd"]],
    "community.windows.win_firewall_rule": [["name", "group"]],
}
_REQUIRED_BY = {"ansible.windows.win_service": {"password": ["username"]}}
# Documented as raw, read as UInt32; also within the elements of a list.
_UNSIGNED = {
    "ansible.windows.win_service": frozenset({"delay_ms", "failure_reset_period_sec", "pre_shutdown_timeout_ms"})
}
# facts: whatever the controller adds to the call is accepted by the real module too.
_LENIENT = frozenset({"ansible.windows.setup"})

_specifications: dict[str, dict[str, Any] | None] = {}
_lock = threading.Lock()


class ArgumentsRefusedError(Exception):
    """The real module would refuse these arguments."""


def check_arguments(module: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments as the real module would see them: converted, aliases resolved, defaults filled in.

    module: its fully qualified name. Raises ArgumentsRefusedError; also for a module without documentation.
    """
    specification = _specification(module)
    if specification is None:
        raise ArgumentsRefusedError(f"no documentation of {module} is installed")
    given = dict(arguments)
    if module in _LENIENT:
        given = {name: value for name, value in given.items() if name in specification}
    validator = ArgumentSpecValidator(
        specification,
        mutually_exclusive=_MUTUALLY_EXCLUSIVE.get(module),
        required_one_of=_REQUIRED_ONE_OF.get(module),
        required_by=_REQUIRED_BY.get(module),
    )
    result = validator.validate(given)
    if result.error_messages:
        raise ArgumentsRefusedError("; ".join(result.error_messages))
    checked = {name: value for name, value in result.validated_parameters.items() if name in specification}
    return {name: _read_unsigned(value, name, _UNSIGNED.get(module, frozenset())) for name, value in checked.items()}


def _read_unsigned(value: Any, name: str, unsigned: frozenset[str]) -> Any:
    if isinstance(value, list):
        return [_read_unsigned(item, "", unsigned) for item in value]
    if isinstance(value, dict):
        return {key: _read_unsigned(item, key, unsigned) for key, item in value.items()}
    if name not in unsigned or value is None:
        return value
    try:
        number = int(str(value), 0)
    except ValueError as error:
        raise ArgumentsRefusedError(
            f"argument for {name} is of type {type(value)} and we were unable to convert to "
            f"UInt32: {value!r} is no number"
        ) from error
    if not 0 <= number <= 0xFFFFFFFF:
        raise ArgumentsRefusedError(f"argument for {name}: {number} is no UInt32")
    return number


def _specification(module: str) -> dict[str, Any] | None:
    with _lock:
        if module not in _specifications:
            _specifications[module] = _read_specification(module)
        return _specifications[module]


def _read_specification(module: str) -> dict[str, Any] | None:
    documentation = _read_documentation(module)
    if documentation is None:
        return None
    specification = _convert(documentation.get("options") or {})
    specification.pop("free_form", None)
    if module == "ansible.windows.win_command":
        specification["_raw_params"] = {"type": "str"}
    for name in _BY_ACTION_PLUGIN.get(module, ()):
        specification[name] = {"type": "raw"}
    return specification


def _convert(options: dict[str, Any]) -> dict[str, Any]:
    return {name: _convert_option(option) for name, option in options.items()}


def _convert_option(option: dict[str, Any]) -> dict[str, Any]:
    converted = {key: option[key] for key in _KEPT if key in option}
    if converted.get("required"):
        converted.pop("default", None)
    # Type path would expand "~" and variables as on the controller.
    for key in ("type", "elements"):
        if converted.get(key) == "path":
            converted[key] = "str"
    if option.get("suboptions"):
        converted["options"] = _convert(option["suboptions"])
    return converted


def _read_documentation(module: str) -> dict[str, Any] | None:
    import ansible_collections  # type: ignore[import-untyped]

    namespace, collection, name = module.split(".")
    for root in ansible_collections.__path__:
        base = Path(root) / namespace / collection / "plugins" / "modules"
        if (sidecar := base / f"{name}.yml").is_file():
            loaded = yaml.safe_load(sidecar.read_text("utf-8"))
            return dict(loaded["DOCUMENTATION"])
        if (source := base / f"{name}.py").is_file():
            return _documentation_in(source)
    return None


def _documentation_in(source: Path) -> dict[str, Any] | None:
    for node in ast.parse(source.read_text("utf-8")).body:
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Constant):
            continue
        if any(isinstance(target, ast.Name) and target.id == "DOCUMENTATION" for target in node.targets):
            return dict(yaml.safe_load(str(node.value.value)))
    return None
