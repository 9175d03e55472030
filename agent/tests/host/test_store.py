# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import contextlib
import sys

import pytest
from support.fake_time import FakeTime
from wirefleet_agent.errors import ConfigError, DriverError, RefusedError
from wirefleet_agent.host import store as store_module
from wirefleet_agent.host.deadline import BootClock, Deadline
from wirefleet_agent.host.paths import Paths
from wirefleet_agent.host.private_files import files
from wirefleet_agent.host.sealing import NoSealing
from wirefleet_agent.host.store import ConfigFiles, ConfigStore

OLD = ConfigFiles("[Interface]\n# old\n", "schema = 1\n")
NEW = ConfigFiles("[Interface]\n# new\n", "schema = 1\n# new\n")


@pytest.fixture
def time():
    return FakeTime()


@pytest.fixture
def paths(tmp_path):
    return Paths(tmp_path).tunnel("wf0")


@pytest.fixture
def store(paths, time):
    return ConfigStore(paths, time.boot_clock())


def put(store: ConfigStore, files: ConfigFiles, confirm_timeout_s: float = 0):
    return store.commit(store.stage(files), confirm_timeout_s)


def all_files(paths) -> dict[str, str]:
    return {path.name: path.read_text() for path in paths.host.root.rglob("*") if path.is_file()}


def test_both_files_are_written_and_nothing_else(store, paths):
    assert put(store, NEW) is None

    assert store.current() == NEW
    assert set(all_files(paths)) == {"wf0.conf", "wf0.toml"}


def test_the_digest_covers_both_texts_and_their_border():
    digests = {ConfigFiles(conf, toml).digest for conf, toml in (("ab", "c"), ("a", "bc"), ("ab", ""), ("", "ab"))}

    assert len(digests) == 4
    assert ConfigFiles().digest is None
    assert "old" not in repr(OLD)


def test_a_pending_change_is_reverted_to_the_confirmed_files(store, time):
    put(store, OLD)
    pending = put(store, NEW, 60)

    assert pending.remaining_s == 60
    assert (store.current(), store.wanted()) == (NEW, NEW)
    store.revert()

    assert store.current() == store.wanted() == OLD
    assert store.pending() is None


def test_a_first_change_is_reverted_to_nothing(store, paths):
    put(store, NEW, 60)

    store.revert()

    assert store.current() == ConfigFiles()
    assert all_files(paths) == {}


def test_a_confirmed_change_cannot_be_reverted(store):
    put(store, OLD)
    pending = put(store, NEW, 60)

    assert store.confirm(pending.confirm_id, check=True)
    assert store.pending() is not None
    assert store.confirm(pending.confirm_id)
    assert not store.confirm(pending.confirm_id)
    store.revert()

    assert store.current() == NEW


def test_a_wrong_id_confirms_nothing(store):
    put(store, NEW, 60)

    with pytest.raises(RefusedError, match="not the id"):
        store.confirm("0" * 32)
    assert store.pending() is not None


def test_an_id_is_refused_when_nothing_is_pending(store):
    put(store, NEW)

    with pytest.raises(RefusedError, match="nothing is waiting"):
        store.confirm("0" * 32)


def test_a_confirmation_after_the_deadline_is_refused(store, time):
    put(store, OLD)
    pending = put(store, NEW, 60)
    time.pass_s(60)

    with pytest.raises(RefusedError, match="too late"):
        store.confirm(pending.confirm_id)
    assert (store.current(), store.wanted()) == (NEW, OLD)
    assert store.recover() == "expired"
    assert store.current() == OLD


def test_ids_differ_each_time(store):
    assert len({put(store, NEW, 60).confirm_id for _ in range(5)}) == 5


def test_recovery_leaves_an_unexpired_change_alone(store, time):
    put(store, OLD)
    put(store, NEW, 60)
    time.pass_s(59)

    assert store.recover() is None
    assert store.current() == NEW
    assert store.pending().remaining_s == pytest.approx(1)


def test_a_deadline_goes_on_by_the_wall_clock_after_a_reboot(store, paths, time):
    put(store, OLD)
    put(store, NEW, 60)
    rebooted = FakeTime(now_s=5.0, wall_s=time.wall_s + 30, boot_id="boot-2")

    assert ConfigStore(paths, rebooted.boot_clock()).pending().remaining_s == pytest.approx(30)
    rebooted.pass_s(31)
    assert ConfigStore(paths, rebooted.boot_clock()).recover() == "expired"


def test_a_wall_clock_that_was_set_back_does_not_stretch_the_deadline(time):
    deadline = Deadline.after(60, time.boot_clock())
    time.wall_s -= 100_000

    assert deadline.remaining_s(time.boot_clock()) == 60
    time.boot_id = "boot-2"
    assert deadline.remaining_s(time.boot_clock()) == 60
    time.wall_s += 200_000
    assert deadline.remaining_s(time.boot_clock()) == 0


def test_the_clock_of_this_system_has_a_boot_id():
    clock = BootClock.of_system()

    assert len(clock.boot_id) == (16 if sys.platform == "win32" else 36)
    assert clock.boot_id == BootClock.of_system().boot_id
    assert 0 < Deadline.after(5, clock).remaining_s(clock) <= 5


@pytest.mark.parametrize("survivors", range(7))
def test_a_crash_at_any_step_of_a_change_leaves_the_old_or_the_new_files(store, paths, time, monkeypatch, survivors):
    put(store, OLD)
    steps = iter(range(100))
    real = files.replace

    class Crash(BaseException):
        pass

    def replace_or_crash(staged, target):
        if next(steps) >= survivors:
            raise Crash
        return real(staged, target)

    monkeypatch.setattr(files, "replace", replace_or_crash)
    with contextlib.suppress(Crash):
        put(store, NEW, 60)
    monkeypatch.undo()

    restarted = ConfigStore(paths, time.boot_clock())
    restarted.recover()

    assert restarted.current() == (NEW if survivors == 6 else OLD)
    assert (restarted.pending() is not None) == (survivors == 6)
    assert not list(paths.host.root.rglob("*.new"))


def test_a_failure_to_put_the_second_file_in_place_takes_the_first_one_back(store, paths, monkeypatch):
    put(store, OLD)
    staged = store.stage(NEW)
    real = store_module.commit_staged

    def fail_on_toml(staged_file, path):
        if path == paths.toml:
            raise DriverError("disk on fire", call="rename")
        real(staged_file, path)

    monkeypatch.setattr(store_module, "commit_staged", fail_on_toml)
    with pytest.raises(DriverError, match="fire"):
        store.commit(staged, 60)
    monkeypatch.undo()

    assert store.current() == OLD
    assert store.pending() is None
    assert not list(paths.host.root.rglob("*.new"))


def test_staged_files_can_be_thrown_away(store, paths):
    store.stage(NEW).discard()

    assert all_files(paths) == {}


def test_an_unreadable_journal_is_refused_by_name(store, paths):
    put(store, NEW, 60)
    (paths.pending_dir / "journal.json").write_text("{")

    with pytest.raises(RefusedError, match="journal") as caught:
        store.recover()
    assert caught.value.path.endswith("journal.json")


def test_a_file_that_is_not_text_is_named_with_its_byte(store, paths):
    put(store, NEW)
    paths.conf.write_bytes(b"[Interface]\xff")

    with pytest.raises(ConfigError, match="byte 11"):
        store.current()


@pytest.mark.parametrize("writes", range(3))
def test_a_disk_that_is_full_before_the_first_rename_leaves_all_as_it_was(paths, time, monkeypatch, writes):
    store = ConfigStore(paths, time.boot_clock(), NoSealing())  # a second seal of the same text looks different
    put(store, OLD)
    put(store, NEW, 60)
    before = all_files(paths)
    staged = store.stage(OLD)
    left = iter(range(100))
    real = store_module.write_private

    def write_or_fail(path, content):
        if next(left) >= writes:
            raise DriverError("No space left on device", call="write")
        real(path, content)

    monkeypatch.setattr(store_module, "write_private", write_or_fail)
    with pytest.raises(DriverError, match="No space"):
        store.commit(staged, 60)

    assert all_files(paths) == before
