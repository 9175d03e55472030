# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from pathlib import Path

KEYPAIR, PSK = "wirefleet.wireguard.wg_keypair", "wirefleet.wireguard.wg_preshared_key"


def test_no_secret_is_in_any_output_whatever_the_verbosity(fleet):
    key, psk, copied = (fleet.root / name for name in ("a.key", "psk", "copied.key"))
    tasks = [
        {"name": "key", KEYPAIR: {"path": str(key)}},
        {"name": "drift", "ansible.builtin.file": {"path": str(key), "mode": "0644"}},
        {"name": "repair", KEYPAIR: {"path": str(key)}},
        {"name": "psk", PSK: {"path": str(psk)}},
        {"name": "returned", KEYPAIR: {}, "register": "made"},
        {"name": "returned psk", PSK: {}},
        {
            "name": "copy",
            "ansible.builtin.copy": {"content": "{{ made.private_key }}", "dest": str(copied), "mode": "0600"},
            "no_log": True,
        },
        {"name": "derive", KEYPAIR: {"private_key": "{{ made.private_key }}"}, "register": "derived"},
        {
            "name": "same",
            "ansible.builtin.assert": {"that": ["derived.public_key == made.public_key", "not derived.changed"]},
        },
    ]

    outcome = fleet.run(tasks, "-vvvv", "--diff", hosts="localhost", json_output=False)

    assert outcome.code == 0, outcome.text
    secrets = [path.read_text().strip() for path in (key, psk, copied)]
    assert all(re.fullmatch(r"[A-Za-z0-9+/]{43}=", secret) for secret in secrets)
    assert not any(secret in outcome.text for secret in secrets)
    assert outcome.text.count("the output has been hidden") >= 3


def test_check_mode_predicts_and_makes_nothing(fleet):
    path = Path(fleet.root / "new" / "a.key")
    tasks = [{"name": "key", KEYPAIR: {"path": str(path)}}]

    check = fleet.run(tasks, "--check", "--diff", hosts="localhost").of("key")
    assert not path.parent.exists()
    first = fleet.run(tasks, hosts="localhost").of("key")
    second = fleet.run(tasks, hosts="localhost").of("key")

    assert (check["changed"], first["changed"], second["changed"]) == (True, True, False)
    assert check["public_key"] is None
    assert first["public_key"] == second["public_key"]
