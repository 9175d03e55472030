# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Pickles without classes, in the place of PySyncObj's own ``pickle`` module.

A pickle is a program: it names functions and calls them. Ours may hold None, truth values, numbers, texts, bytes,
tuples, lists, dictionaries and sets, for which no name is needed; ``ALLOWED`` lists what may be named besides, which
is nothing. PySyncObj falls back to the unrestricted, pure Python unpickler whenever the first attempt fails, so
wrapping ``pickle.loads`` would not do: its four functions are replaced.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from typing import IO, NoReturn

import pysyncobj.journal  # type: ignore[import-untyped]
import pysyncobj.pickle  # type: ignore[import-untyped]

PROTOCOL = 4  # bytes and sets without naming a function
MAX_BYTES = 4 * 1024 * 1024
ALLOWED: frozenset[tuple[str, str]] = frozenset()
# Opcodes that name, make or fill objects of classes, or look outside of the pickle. What is left builds plain values.
_REFUSED = frozenset(
    (
        "GLOBAL", "STACK_GLOBAL", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "REDUCE", "BUILD", "EXT1", "EXT2", "EXT4",
        "PERSID", "BINPERSID", "NEXT_BUFFER", "READONLY_BUFFER",
    )
)  # fmt: skip
# The unpickler makes a table as long as the highest number a value was put under: one opcode could take gigabytes.
_MAX_MEMO = 1 << 20


class UnpicklingRefused(pickle.UnpicklingError):
    """The bytes are no pickle, or one that would do more than hold values."""


class _ValuesOnly(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> NoReturn:
        raise UnpicklingRefused(f"a pickle may not name {module_name}.{global_name}"[:200])

    def persistent_load(self, pid: object) -> NoReturn:
        raise UnpicklingRefused("a pickle may not refer to what is outside of it")


def loads(data: bytes) -> object:
    """The value. Raises UnpicklingRefused, whatever the bytes are; nothing was called or imported then."""
    if len(data) > MAX_BYTES:
        raise UnpicklingRefused(f"a pickle of more than {MAX_BYTES} bytes")
    try:
        _check_opcodes(data)
        return _ValuesOnly(io.BytesIO(data)).load()
    except UnpicklingRefused:
        raise
    except Exception as error:  # what the unpickler raises for bytes that are no pickle is not limited to one class
        raise UnpicklingRefused(f"not a pickle: {type(error).__name__}") from error


def load(file: IO[bytes]) -> object:
    """See ``loads``."""
    return loads(file.read(MAX_BYTES + 1))


def dumps(value: object, protocol: int | None = None) -> bytes:
    """protocol: what callers of the replaced function say; not heard."""
    return pickle.dumps(value, PROTOCOL)


def dump(value: object, file: IO[bytes], protocol: int | None = None) -> None:
    file.write(dumps(value))


def install() -> None:
    """Put these four in the place of PySyncObj's. Idempotent.

    ``tcp_connection``, ``serializer`` and ``syncobj`` look them up in the module at each call; ``journal`` has copies.
    """
    for module in (pysyncobj.pickle, pysyncobj.journal):
        for function in (load, loads, dump, dumps):
            if hasattr(module, function.__name__):
                setattr(module, function.__name__, function)


def _check_opcodes(data: bytes) -> None:
    """Before anything is built: no opcode that we do not need, no memo beyond reason."""
    for opcode, argument, _position in pickletools.genops(data):
        if opcode.name in _REFUSED:
            raise UnpicklingRefused(f"a pickle may not use {opcode.name}")
        is_memo = opcode.name in ("PUT", "BINPUT", "LONG_BINPUT", "GET", "BINGET", "LONG_BINGET")
        if is_memo and not 0 <= int(str(argument)) <= _MAX_MEMO:
            raise UnpicklingRefused("a pickle with a table without limits")
