# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib
import shutil

import pytest
from ansible_collections.wirefleet.wireguard.plugins.module_utils.plan_diff import diff_plans
from ansible_collections.wirefleet.wireguard.plugins.module_utils.plan_files import PlanFiles, read_slice
from ansible_collections.wirefleet.wireguard.plugins.module_utils.planner import Lock, make_plan
from ansible_collections.wirefleet.wireguard.plugins.module_utils.problems import PlanFilesError
from ansible_collections.wirefleet.wireguard.tests.unit.plugins.fleets import fleet


@pytest.fixture
def files(tmp_path):
    return PlanFiles(str(tmp_path / "inventory" / ".wirefleet"), str(tmp_path / "inventory" / "wirefleet.lock.json"))


def write(files, request):
    plan = make_plan(request, files.read_lock())
    changes = files.compare(plan)
    files.write(plan, changes)
    return plan, changes


def tree(directory):
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_the_first_plan_writes_everything_and_the_second_nothing(files):
    plan, changes = write(files, fleet(spokes=2))
    before = tree(files.plan_dir)
    _plan, again = write(files, fleet(spokes=2))

    assert changes.changed_slices == ("hub-1", "hub-2", "hub-3", "spoke-1", "spoke-2")
    assert not again
    assert tree(files.plan_dir) == before
    assert files.lock_path.read_text() == plan.lock_text


def test_only_slices_that_differ_are_written(files):
    write(files, fleet(spokes=2))
    untouched = files.plan_dir / "slices" / "spoke-1.json"
    inode = untouched.stat().st_ino

    _plan, changes = write(files, fleet(spokes=3))

    assert changes.changed_slices == ("hub-1", "hub-2", "hub-3", "spoke-3")
    assert untouched.stat().st_ino == inode


def test_the_slice_of_a_removed_host_is_deleted(files):
    write(files, fleet(spokes=2))

    _plan, changes = write(files, fleet(spokes=1))

    assert changes.deleted_slices == ("spoke-2",)
    assert not (files.plan_dir / "slices" / "spoke-2.json").exists()


def test_a_slice_edited_by_hand_is_made_good(files):
    write(files, fleet(spokes=1))
    (files.plan_dir / "slices" / "spoke-1.json").write_text("{}")

    _plan, changes = write(files, fleet(spokes=1))

    assert changes.changed_slices == ("spoke-1",)
    assert not changes.is_lock_changed


def test_a_scratch_plan_touches_nothing_and_is_removed_by_the_next_write(files):
    write(files, fleet(spokes=1))
    before = tree(files.plan_dir.parent)
    plan = make_plan(fleet(spokes=2), files.read_lock())

    scratch = files.write_scratch(plan)

    assert read_slice(str(scratch), "spoke-2")["host"] == "spoke-2"
    shutil.copytree(scratch, files.plan_dir.parent / "kept")
    shutil.rmtree(files.plan_dir.parent / "kept")
    inside = f"{scratch.name}/"
    assert {path: raw for path, raw in tree(files.plan_dir.parent).items() if not path.startswith(inside)} == before
    write(files, fleet(spokes=2))
    assert not scratch.exists()


def test_something_else_in_the_place_of_the_scratch_directory_is_left_alone(files):
    files.scratch_dir.mkdir(parents=True)
    (files.scratch_dir / "mine").write_text("x")

    write(files, fleet(spokes=1))

    assert (files.scratch_dir / "mine").exists()


def test_a_lost_lock_is_noticed(files):
    assert not files.is_lock_lost()
    write(files, fleet(spokes=1))
    assert not files.is_lock_lost()
    files.lock_path.unlink()
    assert files.is_lock_lost()


def test_an_unreadable_lock_names_its_path(files):
    files.lock_path.parent.mkdir()
    files.lock_path.write_text("{")
    with pytest.raises(PlanFilesError, match=r"wirefleet\.lock\.json:1: the file is not JSON"):
        files.read_lock()


def test_errors_of_the_system_name_the_path(files, monkeypatch):
    plan = make_plan(fleet(spokes=1), Lock())
    changes = files.compare(plan)
    files.plan_dir.parent.mkdir()
    files.plan_dir.write_text("a file")
    files.scratch_dir.write_text("a file")
    with pytest.raises(PlanFilesError, match=r"\.wirefleet"):
        files.write(plan, changes)
    with pytest.raises(PlanFilesError, match=r"\.wirefleet\.check"):
        files.write_scratch(plan)
    files.scratch_dir.unlink()
    files.write_scratch(plan)

    def refuse(_path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(shutil, "rmtree", refuse)
    with pytest.raises(PlanFilesError, match="Permission denied"):
        files.remove_scratch()
    monkeypatch.setattr(pathlib.Path, "open", lambda *_arguments: refuse(_arguments))
    with pytest.raises(PlanFilesError, match="Permission denied"):
        files.read_lock()


@pytest.mark.parametrize(
    ("host", "content", "complaint"),
    [
        ("../x", None, "a planned host has another kind of name"),
        ("a", None, "there is no slice for this host .* run wg_plan first"),
        ("a", "{", "the file is not JSON"),
        ("a", '{"schema": 1, "host": "b"}', "this is no slice of the host"),
        ("a", '{"schema": 2, "host": "a"}', "this is no slice of the host"),
    ],
)
def test_a_slice_that_is_missing_or_wrong_is_refused(tmp_path, host, content, complaint):
    (tmp_path / "slices").mkdir()
    if content is not None:
        (tmp_path / "slices" / "a.json").write_text(content)

    with pytest.raises(PlanFilesError, match=complaint):
        read_slice(str(tmp_path), host)


def test_a_diff_shows_only_what_differs_one_field_per_line(files):
    write(files, fleet(spokes=2, hosts={"spoke-1": {"site_prefixes": ["10.1.0.0/16", "10.2.0.0/16"]}}))
    everything = {"spoke-1": {"mtu": 1400, "site_prefixes": ["10.2.0.0/16", "10.3.0.0/16"]}}
    plan = make_plan(fleet(spokes=3, hosts=everything), files.read_lock())

    diff = diff_plans(files.read_plan(), plan)

    assert diff["before"].splitlines() == ["spoke-1 mtu: 1420", "spoke-1 site_prefixes: 10.1.0.0/16"]
    after = diff["after"].splitlines()
    assert after[:2] == ["spoke-1 mtu: 1400", "spoke-1 site_prefixes: 10.3.0.0/16"]
    assert {line.split()[0] for line in after[2:]} == {"spoke-3"}
    assert [line.split()[1] for line in after[2:]] == sorted(line.split()[1] for line in after[2:])
    assert "spoke-3 addresses: 10.86.0.6, fd86::6" in after
    assert max(len(line) for line in after) < 80


def test_a_diff_shows_what_changes_for_the_whole_fleet(files):
    write(files, fleet(spokes=1))
    everywhere = {"site_supernets": ["10.16.0.0/12"], "preshared_keys": True}
    plan = make_plan(fleet(spokes=1, everywhere=everywhere), files.read_lock())

    diff = diff_plans(files.read_plan(), plan)

    assert diff["before"].splitlines() == ["fleet preshared_keys: false"]
    assert diff["after"].splitlines() == ["fleet preshared_keys: true", "fleet site_supernets: 10.16.0.0/12"]


def test_a_diff_names_removed_hosts_and_is_bounded(files):
    write(files, fleet(spokes=1))
    plan = make_plan(
        fleet(spokes=[f"s{n}" for n in range(500)], everywhere={"overlay_prefixes": ["10.86.0.0/22", "fd86::/64"]}),
        files.read_lock(),
    )

    diff = diff_plans(files.read_plan(), plan)

    assert "removed spoke-1: addresses reserved" in diff["after"]
    assert diff["after"].splitlines()[-1].startswith("# and ")
    assert len(diff["after"].splitlines()) <= 401


def test_a_damaged_former_plan_counts_as_none_in_a_diff(files):
    plan, _changes = write(files, fleet(spokes=1))
    (files.plan_dir / "plan.json").write_text("{")

    assert diff_plans(files.read_plan(), plan)["before"] == ""
    assert diff_plans({"fleet": 1, "hosts": [], "removed": 2}, plan)["before"] == ""
    assert diff_plans({"hosts": {"x": 1}}, plan)["before"] == ""
