# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The lock of a tunnel, between real processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import wirefleet_agent
from wirefleet_agent.errors import RefusedError
from wirefleet_agent.host.file_lock import FileLock

HOLD = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from wirefleet_agent.host.file_lock import FileLock
lock = FileLock(Path(sys.argv[1]))
print(lock.try_acquire(), flush=True)
sys.stdin.read(1)
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run" / "上海-01.pid"


@pytest.fixture
def other(path):
    """Another process that has the lock."""
    source = str(Path(wirefleet_agent.__file__).parents[1])
    command = [sys.executable, "-c", HOLD, str(path), source]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout.readline().strip() == b"True"
        yield process
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()
        process.stdin.close()


def test_while_one_process_has_it_no_other_gets_it_and_everybody_sees_who(path, other):
    lock = FileLock(path)

    assert not lock.try_acquire()
    assert lock.holder() == other.pid
    assert path.read_text().strip() == str(other.pid)
    with pytest.raises(RefusedError, match=f"process {other.pid} is at work"):
        lock.acquire(0.05)


def test_a_killed_process_holds_nothing_though_its_number_stays_in_the_file(path, other):
    other.kill()
    other.wait(10)
    lock = FileLock(path)

    lock.acquire(5)

    assert lock.holder() == os.getpid()
    lock.release()
    assert lock.holder() is None


def test_looking_does_not_lock(path):
    lock = FileLock(path)
    assert lock.holder() is None
    assert not path.exists()
    with lock:
        pass

    assert lock.holder() is None
    assert FileLock(path).try_acquire()


def test_a_second_lock_of_the_same_process_is_refused_too(path):
    with FileLock(path) as lock:
        assert lock.is_held
        assert not FileLock(path).try_acquire()
        assert FileLock(path).holder() == os.getpid()
    assert not lock.is_held


def test_a_shorter_number_leaves_nothing_of_a_longer_one(path):
    path.parent.mkdir(mode=0o700)
    path.write_text("9" * 20)
    path.chmod(0o600)

    with FileLock(path) as lock:
        assert lock.holder() == os.getpid()
