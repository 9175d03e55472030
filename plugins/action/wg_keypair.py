# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hides secrets in the results of the module; its documentation is in plugins/modules/wg_keypair.py."""

from __future__ import annotations

from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.key_action import KeyAction


class ActionModule(KeyAction):
    """See KeyAction."""
