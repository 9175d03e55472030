# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Access control lists as .NET changes them."""

from __future__ import annotations

import pytest
from wirefleet_wsman.security import FILE_RIGHTS, INHERITED, Descriptor, Entry, read_flags, read_inheritance

READ = Entry("S-1-5-18", FILE_RIGHTS["read"], "allow", 3, "None")
WRITE = Entry("S-1-5-18", FILE_RIGHTS["write"], "allow", 3, "None")


def test_rights_of_one_account_are_merged_into_one_entry_and_taken_out_again():
    both = Descriptor().add(READ).add(WRITE)

    assert [entry.rights for entry in both.entries] == [FILE_RIGHTS["read"] | FILE_RIGHTS["write"]]
    assert both.remove(WRITE).entries == (READ,)
    assert both.remove(WRITE).remove(READ).entries == ()


def test_entries_that_inherit_otherwise_stay_apart():
    other = Entry("S-1-5-18", FILE_RIGHTS["read"], "deny", 3, "None")

    assert Descriptor().add(READ).add(other).entries == (READ, other)


def test_what_was_inherited_is_kept_or_lost_when_inheritance_is_cut():
    kept = Descriptor().protect(keep_inherited=True)

    assert kept.entries == INHERITED
    assert Descriptor().protect(keep_inherited=False).entries == ()
    assert kept.unprotect(drop_duplicates=True) == Descriptor()
    assert kept.unprotect(drop_duplicates=False).entries == INHERITED


def test_a_descriptor_is_read_back_from_the_state():
    descriptor = Descriptor("S-1-5-18").add(READ).protect(keep_inherited=True)

    assert Descriptor.from_json(descriptor.to_json()) == descriptor


def test_names_of_rights_are_read_in_any_case_and_unknown_ones_refused():
    assert read_flags("Read, WRITE", FILE_RIGHTS) == FILE_RIGHTS["read"] | FILE_RIGHTS["write"]
    assert read_inheritance("ContainerInherit, ObjectInherit") == 3
    with pytest.raises(ValueError, match="Everything"):
        read_flags("Everything", FILE_RIGHTS)
