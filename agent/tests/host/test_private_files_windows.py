# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The decisions about files on Windows, on recorded calls; and the real calls, by what is read back.

Wine turns lists of rights into mode bits, so there "Everyone" is the only other reader that can be seen.
"""

from __future__ import annotations

import os
import stat
import sys
import threading

import pytest
from support.windows_files import ADMIN_JOE, EVE, FULL, FakeFileApi, windows_error
from wirefleet_agent.errors import DriverError, RefusedError
from wirefleet_agent.host import private_files
from wirefleet_agent.host.access_windows import (
    ADMINISTRATORS,
    FULL_CONTROL,
    USERS,
    Entry,
    FileSecurity,
    is_exactly_private,
    may_be_read_by_others,
)
from wirefleet_agent.host.private_files import (
    create_private,
    make_private_dir,
    read_private,
    remove_file,
    stage_private,
    write_private,
)
from wirefleet_agent.host.private_files_windows import WindowsFiles

if sys.platform == "win32":
    from wirefleet_agent.host.win32.security import PywinFileApi

SHARING_VIOLATION, ACCESS_DENIED, DISK_FULL = (windows_error(code) for code in (32, 5, 112))


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def now(self) -> float:
        return self.now_s

    def pause(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def api(clock, monkeypatch):
    api = FakeFileApi()
    monkeypatch.setattr(private_files, "files", WindowsFiles(api, clock.pause, clock.now))
    return api


@pytest.fixture
def folder(api, tmp_path):
    return make_private_dir(tmp_path / "Program Files" / "WireFleet" / "state")


def found(*more: Entry, owner: str = ADMINISTRATORS, is_directory: bool = False, is_link: bool = False):
    return FileSecurity(owner, FULL + more, is_directory, is_reparse_point=is_link)


def test_a_directory_is_private_from_its_first_moment(api, folder):
    assert ("create_directory", folder) in api.calls
    assert ("set_security", folder) not in api.calls
    assert is_exactly_private(api.found[folder], ADMIN_JOE)


def test_a_directory_that_others_may_read_is_closed(api, folder):
    api.found[folder] = found(Entry(0, 3, 0x1200A9, USERS), is_directory=True)

    make_private_dir(folder)

    assert is_exactly_private(api.found[folder], ADMIN_JOE)


@pytest.mark.parametrize(
    "security",
    [found(is_directory=True, is_link=True), found(), found(owner=EVE, is_directory=True)],
    ids=["a junction", "a file", "somebody else's"],
)
def test_what_is_no_directory_of_ours_is_refused_and_left_alone(api, folder, security):
    api.found[folder] = security

    with pytest.raises(RefusedError):
        make_private_dir(folder)
    assert api.found[folder] == security


def test_a_file_is_private_before_anything_is_written_and_keeps_that_when_it_is_renamed(api, folder):
    write_private(folder / "上海-01.key", b"secret")

    assert read_private(folder / "上海-01.key") == b"secret"
    assert is_exactly_private(api.found[folder / "上海-01.key"], ADMIN_JOE)
    assert [path.name for path in folder.iterdir()] == ["上海-01.key"]


@pytest.mark.parametrize(
    ("security", "complaint"),
    [
        (found(Entry(0, 0, 0x1200A9, USERS)), "others may read"),
        (found(owner=EVE), f"belongs to {EVE}"),
        (found(is_link=True), "reparse point"),
        (found(is_directory=True), "regular file"),
    ],
    ids=["readers", "owner", "link", "directory"],
)
def test_a_secret_file_that_is_not_ours_alone_is_not_believed(api, folder, security, complaint):
    write_private(folder / "a", b"secret")
    api.found[folder / "a"] = security

    with pytest.raises(RefusedError, match=complaint):
        read_private(folder / "a")


def test_a_file_in_a_directory_where_others_may_swap_it_is_not_believed(api, folder):
    write_private(folder / "a", b"secret")
    api.found[folder] = found(Entry(0, 3, 0x40, USERS), is_directory=True)

    with pytest.raises(RefusedError, match="others may replace") as caught:
        read_private(folder / "a")
    assert caught.value.hint == "wirefleet-agent secure"


def test_a_missing_file_is_none_and_no_error(folder):
    assert read_private(folder / "a") is None
    assert not remove_file(folder / "a")


def test_a_file_that_must_be_new_does_not_replace_another(folder):
    assert create_private(folder / "a", b"first")
    assert not create_private(folder / "a", b"second")

    assert read_private(folder / "a") == b"first"
    assert [path.name for path in folder.iterdir()] == ["a"]


@pytest.mark.parametrize("refusal", [SHARING_VIOLATION, ACCESS_DENIED])
@pytest.mark.parametrize(("call", "act"), [("rename", write_private), ("open_file", read_private)])
def test_what_a_virus_scanner_holds_open_is_tried_again(api, clock, folder, refusal, call, act):
    write_private(folder / "a", b"old")
    api.refusals[call] = [refusal() for _ in range(5)]

    outcome = act(folder / "a", b"new") if act is write_private else act(folder / "a")

    assert outcome in (None, b"old")
    assert api.refusals[call] == []
    assert 0 < clock.now_s < 1


def test_a_file_that_stays_open_elsewhere_is_given_up_after_a_second_and_the_old_content_stays(api, clock, folder):
    write_private(folder / "a", b"old")
    api.refusals["rename"] = [SHARING_VIOLATION() for _ in range(1000)]

    with pytest.raises(DriverError, match="Windows error 32") as caught:
        write_private(folder / "a", b"new")

    assert (caught.value.os_code, caught.value.call) == (32, "rename")
    assert "virus scanner" in caught.value.hint
    assert 1 <= clock.now_s < 1.2
    assert read_private(folder / "a") == b"old"
    assert [path.name for path in folder.iterdir()] == ["a"]


def test_other_errors_are_not_tried_again(api, clock, folder):
    api.refusals["rename"] = [DISK_FULL()]

    with pytest.raises(DriverError):
        write_private(folder / "a", b"new")
    assert clock.now_s == 0


def test_a_file_marked_read_only_is_replaced_and_removed_all_the_same(api, folder):
    path = folder / "a"
    write_private(path, b"old")
    path.chmod(stat.S_IREAD)

    write_private(path, b"new")
    assert read_private(path) == b"new"
    path.chmod(stat.S_IREAD)
    assert remove_file(path)


def test_a_lock_file_that_belongs_to_somebody_else_is_refused(api, folder):
    (folder / "a.lock").touch()
    api.found[folder / "a.lock"] = found(owner=EVE)

    with pytest.raises(RefusedError, match="belongs to"):
        private_files.files.open_lock(folder / "a.lock", create=True)


@pytest.mark.parametrize("check", [True, False])
def test_securing_changes_what_is_open_and_only_says_so_in_check_mode(api, folder, check):
    path = folder / "a"
    write_private(path, b"secret")
    before = api.found[path] = found(Entry(0, 0, FULL_CONTROL, USERS))

    assert private_files.files.secure_file(path, check=check)

    assert (api.found[path] == before) == check
    assert private_files.files.secure_file(path, check=False) == check
    assert not private_files.files.secure_file(path, check=False)


def test_a_program_directory_is_only_touched_where_others_may_change_programs(api, folder):
    api.found[folder] = found(Entry(0, 3, 0x1200A9, USERS), is_directory=True)
    assert not private_files.files.secure_program_dir(folder, check=False)

    api.found[folder] = found(Entry(0, 3, 0x1301BF, USERS), is_directory=True)
    assert private_files.files.secure_program_dir(folder, check=False)

    assert Entry(0, 3, 0x1200A9, USERS) in api.found[folder].entries
    assert not private_files.files.secure_program_dir(folder, check=False)


# The real calls


@pytest.fixture
def real(tmp_path):
    return make_private_dir(tmp_path / "Program Files 上海")


@pytest.mark.windows_only
def test_what_windows_reads_back_of_our_files_is_private(real):
    write_private(real / "上海-01.key", b"secret")
    api = PywinFileApi()

    assert read_private(real / "上海-01.key") == b"secret"
    for path in (real, real / "上海-01.key"):
        assert is_exactly_private(api.security(path), api.account())


@pytest.mark.windows_only
def test_a_file_made_by_others_without_care_is_seen_closed_and_believed_again(real):
    path = real / "a"
    path.write_bytes(b"secret")
    api = PywinFileApi()
    sddl = f"D:P(A;;FA;;;{api.account().sid})(A;;FA;;;SY)(A;;FA;;;BA)(A;;FR;;;WD)"
    api.set_security(path, sddl)
    assert may_be_read_by_others(api.security(path), api.account())

    with pytest.raises(RefusedError, match="others may read"):
        read_private(path)
    assert private_files.files.secure_file(path, check=True)
    assert private_files.files.secure_file(path, check=False)

    assert not may_be_read_by_others(api.security(path), api.account())
    assert not private_files.files.secure_file(path, check=False)
    assert read_private(path) == b"secret"


@pytest.mark.windows_only
def test_a_directory_is_not_a_file_and_a_file_is_no_directory(real):
    write_private(real / "a", b"x")

    with pytest.raises(RefusedError, match="regular file"):
        read_private(real)
    with pytest.raises(RefusedError, match="directory of its own"):
        make_private_dir(real / "a")


@pytest.mark.windows_only
def test_a_file_that_another_program_has_open_is_replaced_as_soon_as_it_lets_go(real):
    path = real / "a"
    write_private(path, b"old")
    reader = path.open("rb")  # shares reading and writing, but no renaming over it
    timer = threading.Timer(0.2, reader.close)
    timer.start()

    write_private(path, b"new")

    timer.join()
    assert reader.closed
    assert read_private(path) == b"new"


@pytest.mark.windows_only
def test_a_file_that_another_program_keeps_open_is_not_changed(real, monkeypatch):
    path = real / "a"
    write_private(path, b"old")
    monkeypatch.setattr("wirefleet_agent.host.private_files_windows._RETRY_FOR_S", 0.1)

    with path.open("rb"), pytest.raises(DriverError) as caught:
        write_private(path, b"new")

    assert caught.value.os_code in (5, 32)
    assert read_private(path) == b"old"
    assert [each.name for each in real.iterdir()] == ["a"]


@pytest.mark.windows_only
def test_read_only_files_are_replaced_and_removed(real):
    path = real / "a"
    write_private(path, b"old")
    path.chmod(stat.S_IREAD)

    write_private(path, b"new")

    assert read_private(path) == b"new"
    path.chmod(stat.S_IREAD)
    assert remove_file(path)


@pytest.mark.windows_only
def test_contents_are_bytes_and_not_lines(real):
    write_private(real / "a", b"1\n2\r\n\x1a3")

    assert read_private(real / "a") == b"1\n2\r\n\x1a3"


@pytest.mark.windows_only
def test_a_path_longer_than_windows_takes_by_default_works_with_the_prefix(tmp_path):
    deep = type(tmp_path)("\\\\?\\" + str(tmp_path.joinpath(*["a" * 60] * 5)))
    folder = make_private_dir(deep)

    write_private(folder / "a", b"x")

    assert len(str(folder)) > 300
    assert read_private(folder / "a") == b"x"


@pytest.mark.windows_only
def test_a_staged_file_is_not_inherited_by_the_processes_that_we_start(real):
    staged = stage_private(real / "a", b"x")
    descriptor = private_files.files.open_lock(staged, create=False)

    assert not os.get_inheritable(descriptor)
    os.close(descriptor)
