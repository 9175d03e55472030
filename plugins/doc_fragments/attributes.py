# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Attributes that the modules of this collection share in their documentation."""

from __future__ import annotations


class ModuleDocFragment:
    """``wirefleet.wireguard.attributes`` and ``wirefleet.wireguard.attributes.controller_action``."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and say what would change without changing it.
  diff_mode:
    description: Shows what changed (or would change in C(check_mode)) in diff mode. Secrets are never part of a diff.
"""

    # Actions that work on the controller and never connect to the host.
    CONTROLLER_ACTION = r"""
options: {}
attributes:
  action:
    description: An action plugin; it runs on the controller and does not connect to the host.
    support: full
  connection:
    description: Uses no connection.
    support: none
  delegation:
    description: Can be delegated; it works on the controller all the same.
    support: full
"""
