# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import builtins
import io
import os
import pickle
import struct
import subprocess
import sys
from pathlib import Path

import pysyncobj.journal
import pysyncobj.pickle
import pysyncobj.serializer
import pysyncobj.syncobj
import pysyncobj.tcp_connection
import pytest
from pysyncobj.node import TCPNode
from support.hostile import HOSTILE, Marker, hostile_pickles
from wirefleet_agent.cluster import restricted_pickle
from wirefleet_agent.cluster.restricted_pickle import UnpicklingRefused, dumps, loads

PLAIN = [
    None,
    True,
    -(2**70),
    1.5,
    "text",
    b"\x00\xff" * 300,
    (1, ("a", b"b")),
    [1, [2]],
    {"type": "append_entries", "entries": [(b"\x01", 2, 3)]},
    {1, 2},
    frozenset({"a"}),
]


@pytest.mark.parametrize("value", PLAIN, ids=repr)
def test_plain_values_come_back_as_they_were(value):
    assert loads(dumps(value)) == value
    assert type(loads(dumps(value))) is type(value)


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_hostile_pickle_is_refused_and_nothing_of_it_runs(name, protocol, tmp_path):
    marker = Marker(tmp_path)
    hostile = hostile_pickles(marker, protocol)[name]
    assert loads is not pickle.loads

    with pytest.raises(UnpicklingRefused):
        loads(hostile)

    assert not marker.was_touched


def test_the_hostile_pickles_do_harm_where_nothing_restricts_them(tmp_path):
    """Or the tests above would prove nothing."""
    harmless = ("a class that is not on the list", "an extension code", "a persistent id", "subprocess.Popen")
    for name in (name for name in HOSTILE if name not in harmless):
        marker = Marker(tmp_path / name.replace(" ", "-"))
        marker.path.parent.mkdir()

        pickle.loads(hostile_pickles(marker, 2)[name])

        assert marker.was_touched, name


def test_what_pysyncobj_calls_is_the_restricted_one_everywhere(tmp_path):
    restricted_pickle.install()
    marker = Marker(tmp_path)
    hostile = hostile_pickles(marker, 2)["os.system"]
    assert {
        pysyncobj.tcp_connection.pickle,
        pysyncobj.serializer.pickle,
        pysyncobj.syncobj.pickle,
    } == {pysyncobj.pickle}

    for function in (pysyncobj.pickle.loads, pysyncobj.journal.loads):
        with pytest.raises(UnpicklingRefused):
            function(hostile)
    with pytest.raises(UnpicklingRefused):
        pysyncobj.pickle.load(io.BytesIO(hostile))

    assert not marker.was_touched


def test_no_module_of_pysyncobj_that_we_load_has_an_unpickler_of_its_own():
    """A new version may unpickle in a new place; then this fails, and somebody has to look."""
    folder = Path(pysyncobj.__file__).parent
    users = {path.name for path in folder.glob("*.py") if "pickle" in path.read_text()}

    assert users == {
        "pickle.py",
        "journal.py",
        "serializer.py",
        "syncobj.py",
        "tcp_connection.py",
    }
    for name in ("journal.py", "serializer.py", "syncobj.py", "tcp_connection.py"):
        lines = [line for line in (folder / name).read_text().splitlines() if "import" in line and "pickle" in line]
        assert all("pysyncobj.pickle" in line or "from .pickle" in line for line in lines), name


def test_a_class_that_is_harmless_is_refused_too():
    """PySyncObj would put its nodes into a snapshot; nothing is on our list."""
    assert frozenset() == restricted_pickle.ALLOWED

    with pytest.raises(UnpicklingRefused):
        loads(pickle.dumps(TCPNode("127.0.0.1:1"), 4))


@pytest.mark.parametrize("cut", range(0, 60, 3))
def test_bytes_that_are_no_pickle_are_refused(cut):
    good = dumps({"type": "request_vote", "term": 3, "last_log_index": 1, "last_log_term": 1})

    with pytest.raises(UnpicklingRefused):
        loads(good[: min(cut, len(good) - 1)])


def test_every_flipped_byte_is_a_value_or_a_refusal():
    good = dumps({"type": "append_entries", "entries": [(b"\x01", 2, 3)], "prevLogIdx": 1})

    for position in range(len(good)):
        for bit in (1, 0x10, 0x80):
            bad = bytearray(good)
            bad[position] ^= bit
            try:
                loads(bytes(bad))
            except UnpicklingRefused:
                continue


def test_a_pickle_that_would_take_all_memory_is_refused():
    huge_table = b"\x80\x04N" + pickle.LONG_BINPUT + struct.pack("<I", 2**31) + b"."
    huge_text = b"\x80\x04" + pickle.BINBYTES8 + struct.pack("<Q", 2**40) + b"x."

    for bad in (huge_table, huge_text, dumps(b"x" * (restricted_pickle.MAX_BYTES + 1))):
        with pytest.raises(UnpicklingRefused):
            loads(bad)


def test_a_deep_nest_is_a_value_or_a_refusal():
    nest = b"\x80\x04" + b"]" * 200_000 + b"a" * 199_999 + b"."

    try:
        found = loads(nest)
    except UnpicklingRefused:
        return
    assert isinstance(found, list)


def test_the_marker_is_what_the_hostile_pickles_touch(tmp_path):
    marker = Marker(tmp_path)
    assert not marker.was_touched

    os.system(marker.command)
    assert marker.was_touched
    assert builtins.eval is eval


def test_pysyncobj_leaves_the_rest_of_the_process_as_it_was():
    """Its own win_inet_pton would break every reading of addresses, on Linux too."""
    script = (
        "import socket; before = (socket.inet_ntop, socket.inet_pton);"
        "import wirefleet_agent.cluster.runner;"
        "assert before == (socket.inet_ntop, socket.inet_pton);"
        "assert socket.inet_ntop(socket.AF_INET, socket.inet_pton(socket.AF_INET, '10.9.0.1')) == '10.9.0.1';"
        "import pysyncobj.serializer, os; assert pysyncobj.serializer.atomicReplace.__module__.startswith('wirefleet')"
    )

    subprocess.run([sys.executable, "-c", script], check=True)
