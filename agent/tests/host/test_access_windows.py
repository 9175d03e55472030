# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Lists of rights as Windows has them, and what we make of them."""

from __future__ import annotations

import pytest
from wirefleet_agent.host.access_windows import (
    ADMINISTRATORS,
    FULL_CONTROL,
    INHERIT_ONLY,
    INHERITED,
    SYSTEM,
    TRUSTED_INSTALLER,
    USERS,
    Account,
    Entry,
    FileSecurity,
    foreign_owner,
    is_exactly_private,
    is_safe_program_dir,
    may_be_read_by_others,
    may_be_replaced_by_others,
    private_sddl,
    program_sddl,
)

JOE = "S-1-5-21-1-2-3-1001"
EVE = "S-1-5-21-1-2-3-1002"
EVERYONE = "S-1-1-0"
CREATOR_OWNER = "S-1-3-0"
READ_EXECUTE = 0x1200A9
ADMIN_JOE = Account(JOE, ADMINISTRATORS, is_administrator=True)
PLAIN_JOE = Account(JOE, JOE, is_administrator=False)
SERVICE = Account(SYSTEM, ADMINISTRATORS, is_administrator=True)
OURS = (Entry(0, 3, FULL_CONTROL, SYSTEM), Entry(0, 3, FULL_CONTROL, ADMINISTRATORS))


def directory(*more: Entry, owner: str = ADMINISTRATORS, entries: tuple[Entry, ...] | None = OURS) -> FileSecurity:
    return FileSecurity(owner, None if entries is None else entries + more, is_directory=True, is_reparse_point=False)


def file(*more: Entry, owner: str = ADMINISTRATORS, entries: tuple[Entry, ...] = OURS) -> FileSecurity:
    return FileSecurity(owner, entries + more, is_directory=False, is_reparse_point=False)


def test_a_private_directory_is_for_system_and_administrators_and_hands_that_down():
    assert private_sddl(ADMIN_JOE, is_directory=True) == (
        "O:S-1-5-32-544D:P(A;OICI;FA;;;S-1-5-18)(A;OICI;FA;;;S-1-5-32-544)"
    )
    assert private_sddl(SERVICE, is_directory=False) == "O:S-1-5-32-544D:P(A;;FA;;;S-1-5-18)(A;;FA;;;S-1-5-32-544)"


def test_who_is_no_administrator_does_not_lock_himself_out():
    assert private_sddl(PLAIN_JOE, is_directory=False).endswith(f"(A;;FA;;;{JOE})")
    assert not private_sddl(PLAIN_JOE, is_directory=False).startswith("O:")


def test_programs_may_be_run_by_everybody_on_the_machine():
    assert program_sddl(SERVICE).endswith(f"(A;OICI;0x1200a9;;;{USERS})")


@pytest.mark.parametrize("owner", [SYSTEM, ADMINISTRATORS, TRUSTED_INSTALLER, JOE])
def test_the_system_its_installer_administrators_and_we_are_trusted_owners(owner):
    assert foreign_owner(file(owner=owner), ADMIN_JOE) is None


@pytest.mark.parametrize("owner", [EVE, USERS, EVERYONE])
def test_anybody_else_is_a_foreign_owner(owner):
    assert foreign_owner(file(owner=owner), ADMIN_JOE) == owner


def test_the_service_does_not_trust_what_belongs_to_one_administrator_only():
    assert foreign_owner(file(owner=JOE), SERVICE) == JOE


@pytest.mark.parametrize("sid", [EVERYONE, USERS, EVE, "S-1-5-11", "S-1-15-2-1"])
@pytest.mark.parametrize("mask", [READ_EXECUTE, 0x1, 0x2, 0x40000, 0x80000000, FULL_CONTROL])
def test_a_secret_that_anybody_else_may_read_or_change_is_no_secret(sid, mask):
    assert may_be_read_by_others(file(Entry(0, 0, mask, sid)), ADMIN_JOE)


@pytest.mark.parametrize(
    "entry",
    [
        Entry(0, 0, 0x120088, EVERYONE),
        Entry(0, INHERIT_ONLY, FULL_CONTROL, EVERYONE),
        Entry(1, 0, FULL_CONTROL, EVERYONE),
        Entry(0, 0, FULL_CONTROL, JOE),
        Entry(0, 0, FULL_CONTROL, "S-1-3-4"),
    ],
    ids=["attributes", "for files to come", "denied", "ourselves", "the owner"],
)
def test_what_gives_the_content_to_nobody_else_is_fine(entry):
    assert not may_be_read_by_others(file(entry), ADMIN_JOE)


def test_a_missing_list_gives_everything_to_everybody():
    assert may_be_read_by_others(directory(entries=None), ADMIN_JOE)
    assert may_be_replaced_by_others(directory(entries=None), ADMIN_JOE)
    assert not is_exactly_private(directory(entries=None), ADMIN_JOE)


@pytest.mark.parametrize("mask", [0x2, 0x4, 0x40, 0x10000, 0x40000, 0x80000, 0x10000000, 0x40000000])
def test_each_right_that_puts_a_file_in_the_place_of_another_counts(mask):
    assert may_be_replaced_by_others(directory(Entry(0, 0, mask, EVE)), ADMIN_JOE)


def test_others_may_look_into_a_directory_without_replacing_anything():
    assert not may_be_replaced_by_others(directory(Entry(0, 0, READ_EXECUTE, USERS)), ADMIN_JOE)


def test_what_we_would_set_is_exactly_private():
    assert is_exactly_private(directory(), ADMIN_JOE)
    assert is_exactly_private(file(), SERVICE)


@pytest.mark.parametrize(
    "found",
    [
        directory(Entry(0, 0, 0x80, EVE)),
        directory(Entry(0, INHERIT_ONLY | 3, READ_EXECUTE, USERS)),
        directory(Entry(0, INHERITED | 3, FULL_CONTROL, SYSTEM)),
        directory(Entry(0, 3, FULL_CONTROL, JOE)),
        directory(owner=JOE),
        directory(entries=OURS[:1]),
        directory(entries=OURS[1:]),
        directory(entries=(OURS[0], Entry(0, 3, READ_EXECUTE, ADMINISTRATORS))),
    ],
    ids=["a stranger", "files to come", "from above", "one of us", "owner", "no administrators", "no system", "less"],
)
def test_anything_more_or_less_is_not(found):
    assert not is_exactly_private(found, ADMIN_JOE)


def test_a_file_may_have_its_rights_from_its_private_directory():
    inherited = tuple(Entry(0, INHERITED, FULL_CONTROL, entry.sid) for entry in OURS)

    assert is_exactly_private(file(entries=inherited), ADMIN_JOE)


def test_where_files_cannot_belong_to_the_administrators_their_owner_stands_for_them():
    entries = (Entry(0, 3, FULL_CONTROL, SYSTEM), Entry(0, 3, FULL_CONTROL, JOE))
    account = Account(JOE, "S-1-5-21-1-2-3-513", is_administrator=True)

    assert is_exactly_private(directory(owner=JOE, entries=entries), account)
    assert not is_exactly_private(directory(owner=JOE, entries=entries), ADMIN_JOE)


def test_the_rights_of_program_files_are_safe_for_programs():
    found = FileSecurity(
        TRUSTED_INSTALLER,
        (
            Entry(0, INHERITED, 0x1301BF, SYSTEM),
            Entry(0, INHERITED, 0x1301BF, ADMINISTRATORS),
            Entry(0, INHERITED | 3, READ_EXECUTE, USERS),
            Entry(0, INHERITED | INHERIT_ONLY | 3, 0x10000000, CREATOR_OWNER),
            Entry(0, INHERITED | 3, FULL_CONTROL, TRUSTED_INSTALLER),
            Entry(0, INHERITED | 3, READ_EXECUTE, "S-1-15-2-1"),
        ),
        is_directory=True,
        is_reparse_point=False,
    )

    assert is_safe_program_dir(found, ADMIN_JOE)


def test_the_rights_of_a_folder_at_the_top_of_a_disk_are_not():
    found = directory(Entry(0, INHERITED | INHERIT_ONLY | 3, 0x1301BF, "S-1-5-11"))

    assert not is_safe_program_dir(found, ADMIN_JOE)
