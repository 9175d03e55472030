# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-ins for ansible.windows.win_reg_stat and win_regedit, on the registry of the prefix."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from wirefleet_wsman.call import Call, ModuleFailedError, Result

_PATH = re.compile(r"^HK(CC|CR|CU|LM|U):\\(.*)$", re.IGNORECASE | re.DOTALL)
_REG_NAMES = {
    "none": "REG_NONE", "binary": "REG_BINARY", "dword": "REG_DWORD", "qword": "REG_QWORD",
    "multistring": "REG_MULTI_SZ", "expandstring": "REG_EXPAND_SZ", "string": "REG_SZ",
}  # fmt: skip
_DOTNET_NAMES = {
    "none": "None", "binary": "Binary", "dword": "DWord", "qword": "QWord", "multistring": "MultiString",
    "expandstring": "ExpandString", "string": "String",
}  # fmt: skip
_LIMITS = {"dword": 0xFFFFFFFF, "qword": 0xFFFFFFFFFFFFFFFF}


@dataclass(frozen=True, slots=True)
class _Key:
    """A key as it is now. values: name -> (type, data), names as the registry has them."""

    hive: str
    path: str
    exists: bool
    values: dict[str, tuple[str, Any]]
    sub_keys: list[str]

    def find(self, name: str) -> tuple[str, Any] | None:
        """The value of a name, whatever its case."""
        return next((value for known, value in self.values.items() if known.casefold() == name.casefold()), None)


def _read(call: Call) -> _Key:
    path = str(call.arguments["path"])
    match = _PATH.match(path)
    if match is None:
        raise ModuleFailedError(f"path: {path} is not a valid registry path, see module documentation for examples.")
    hive, key = f"HK{match[1].upper()}", match[2].strip("\\")
    found = call.host.inside.call("key_read", hive=hive, key=key)
    values = {name: (str(kind), data) for name, (kind, data) in found["values"].items()}
    return _Key(hive, key, bool(found["exists"]), values, list(found["sub_keys"]))


def win_reg_stat(call: Call) -> Result:
    """A key with its values, or one value."""
    key = _read(call)
    if not key.exists:
        return {"exists": False}
    name = call.arguments.get("name")
    if name is None:
        properties = {known: _describe(call, *value) for known, value in key.values.items()}
        return {"exists": True, "properties": properties, "sub_keys": key.sub_keys}
    value = key.find(str(name))
    return {"exists": False} if value is None else {"exists": True, **_describe(call, *value)}


def _describe(call: Call, kind: str, data: Any) -> Result:
    raw = data
    if kind in ("binary", "none"):
        data = list(data or [])
        raw = [f"0x{byte:02x}" for byte in data]
    elif kind == "expandstring":
        data = call.host.paths.expand(str(data))
    return {"type": _REG_NAMES[kind], "value": data, "raw_value": raw}


def win_regedit(call: Call) -> Result:
    """A key or value exists with this data, or is gone."""
    if call.arguments.get("hive"):
        raise ModuleFailedError("rehearsal: loading a hive from a file has no stand-in")
    key = _read(call)
    result: Result = {"changed": False, "data_changed": False, "data_type_changed": False}
    if call.arguments["state"] == "absent":
        return _absent(call, key, result)
    return _present(call, key, result)


def _absent(call: Call, key: _Key, result: Result) -> Result:
    name, path = call.arguments.get("name"), str(call.arguments["path"])
    result["diff"] = {"before": "", "after": ""}
    if not key.exists:
        return result
    if call.arguments["delete_key"] and not name:
        result["diff"] = {"before": {path: {}}, "after": {}}
        if not call.check:
            call.host.inside.call("key_delete", hive=key.hive, key=key.path)
        return {**result, "changed": True}
    value = key.find(str(name or ""))
    if value is None:
        return result
    result["diff"] = {"before": {path: {name: _diff_value(*value)}}, "after": {path: {}}}
    if not call.check:
        call.host.inside.call("value_delete", hive=key.hive, key=key.path, name=str(name or ""))
    return {**result, "changed": True}


def _present(call: Call, key: _Key, result: Result) -> Result:
    name, path, kind = str(call.arguments.get("name") or ""), str(call.arguments["path"]), str(call.arguments["type"])
    data = _convert(kind, call.arguments.get("data"), name)
    before: Result = {path: {}} if key.exists else {}
    after: Result = {path: {}}
    result["diff"] = {"before": before, "after": after}
    if not key.exists:
        result["changed"] = True
        if not call.check:
            call.host.inside.call("key_create", hive=key.hive, key=key.path)
    if data is None:
        return result
    old = key.find(name)
    after[path][name] = _diff_value(kind, data)
    if old is not None:
        before[path][name] = _diff_value(*old)
        result["data_type_changed"] = old[0] != kind
        result["data_changed"] = old[1] != data
        if old == (kind, data):
            return result
    result["changed"] = True
    if not call.check:
        call.host.inside.call("value_set", hive=key.hive, key=key.path, name=name, type=kind, data=data)
    return result


def _diff_value(kind: str, data: Any) -> Result:
    if kind in ("binary", "none"):
        data = [f"0x{byte:02x}" for byte in data or []]
    elif kind in _LIMITS:
        data = f"0x{data:0{8 if kind == 'dword' else 16}x}"
    return {"type": _DOTNET_NAMES[kind], "value": data}


def _convert(kind: str, data: Any, name: str) -> Any:
    if kind in ("binary", "none"):
        return _bytes(data)
    if kind in _LIMITS:
        return _number(kind, data)
    if kind == "multistring":
        if data is None:
            return []
        return [str(item) for item in data] if isinstance(data, list) else [str(data)]
    if data is None:
        return "" if name else None
    return str(data)


def _bytes(data: Any) -> list[int]:
    if data is None:
        return []
    if isinstance(data, int):
        data = [data]
    if isinstance(data, str):
        text = data.strip().removeprefix("hex:").replace("\\", "").replace("\n", "")
        pieces = re.split(r"[,:\s]+", text) if re.search(r"[,:\s]", text) else re.findall("..?", text)
        try:
            data = [int(piece, 16) for piece in pieces if piece]
        except ValueError as error:
            raise ModuleFailedError(f"cannot convert binary data {text!r} to byte array") from error
    values = [int(item) for item in data]
    if any(not 0 <= value <= 255 for value in values):
        raise ModuleFailedError(f"cannot convert binary data '{data}' to byte array")
    return values


def _number(kind: str, data: Any) -> int:
    try:
        value = int(str(data if data is not None else 0), 0)
    except ValueError as error:
        raise ModuleFailedError(f"data '{data}' cannot be converted when type is dword or qword") from error
    if not 0 <= value <= _LIMITS[kind]:
        raise ModuleFailedError(f"data cannot be larger than {_LIMITS[kind]:#x} when type is {kind}")
    return value
