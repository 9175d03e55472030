#!/usr/bin/python
# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is implemented by the action plugin of the same name; this file is its documentation.

from __future__ import annotations

DOCUMENTATION = r"""
module: agent_peer
short_description: Let all hubs refuse a peer, or wish it at another hub
version_added: 0.3.0
description:
  - A revoked public key is refused by all hubs within two seconds, whatever their configuration says, until it is
    restored. It is for a host that is lost or stolen; then take it out of the inventory.
  - A placed spoke moves to the hub at once, without a lost packet, as long as that hub is well. It prefers it until it
    is planned again; then it stays or goes as its policy says.
  - Runs on any one hub; the hubs agree on it. While too few of them reach each other, it is refused.
extends_documentation_fragment:
  - wirefleet.wireguard.attributes
  - wirefleet.wireguard.agent
attributes:
  check_mode:
    support: full
    details: The agent says what it would change, and refuses what it would refuse.
  diff_mode:
    support: full
options:
  peer:
    description: The peer, by its name in the plan or by its public key.
    type: str
    required: true
  state:
    description:
      - V(revoked) refuses the peer.
      - V(restored) lets the configuration count again.
      - V(placed) lets a spoke prefer O(hub), whatever the plan says.
      - V(planned) lets the plan count again.
    type: str
    choices: [revoked, restored, placed, planned]
    required: true
  hub:
    description: The hub, by its name in the plan or by its public key. Required with O(state=placed).
    type: str
  reason:
    description: Why, on one line of at most 200 characters. The hubs keep and show it. Required with O(state=revoked).
    type: str
author:
  - WireFleet (@wirefleet)
seealso:
  - module: wirefleet.wireguard.agent_drain
"""

EXAMPLES = r"""
- name: Stolen laptop is refused by all hubs
  wirefleet.wireguard.agent_peer:
    peer: spoke-17
    state: revoked
    reason: stolen, ticket 4711
  delegate_to: hub-1
  run_once: true

- name: Laptop was found again
  wirefleet.wireguard.agent_peer:
    peer: spoke-17
    state: restored
  delegate_to: hub-1
  run_once: true
"""

RETURN = r"""
peer:
  description: The peer, as it was named.
  returned: success
  type: str
error:
  description: What the agent or the action could not do.
  returned: failure
  type: dict
  contains:
    code:
      description: >-
        Kind of the error, such as V(not_installed), V(not_reachable), V(refused), or V(no_quorum) if too few hubs reach
        each other to decide anything.
      type: str
    message:
      description: What is wrong.
      type: str
    path:
      description: The file, key or command which it is about.
      type: str
    hint:
      description: What to do.
      type: str
    errors:
      description: Every single error with the same keys, if there are several at once.
      type: list
      elements: dict
"""
