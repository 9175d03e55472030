#!/usr/bin/python
# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is implemented by the action plugin of the same name; this file is its documentation.

from __future__ import annotations

DOCUMENTATION = r"""
module: agent_drain
short_description: Take traffic away from a hub, or give it back
version_added: 0.3.0
description:
  - The agent on a hub asks its spokes to leave it. Each goes to another hub that is well before it leaves this one, so
    no packet is lost. Sessions stay warm.
  - The hubs agree on it. While too few of them reach each other, it is refused.
  - A hub that is active again gets its spokes back as their policy says, V(active_standby) ones when they leave the hub
    where they are.
extends_documentation_fragment:
  - wirefleet.wireguard.attributes
  - wirefleet.wireguard.agent
attributes:
  check_mode:
    support: full
    details: The agent says what it would change, and refuses what it would refuse. Nobody is waited for.
  diff_mode:
    support: full
options:
  state:
    description:
      - V(draining) takes the traffic away.
      - V(active) lets it come back.
    type: str
    choices: [draining, active]
    required: true
  wait:
    description: With O(state=draining), wait until no spoke uses the hub any more. Fails if one still does afterwards.
    type: bool
    default: true
  timeout_s:
    description: Seconds to wait.
    type: int
    default: 60
  local:
    description:
      - Ask nobody else. This hub alone drains, until its daemon ends or O(state=active).
      - For a hub that cannot reach the others.
    type: bool
    default: false
author:
  - WireFleet (@wirefleet)
seealso:
  - module: wirefleet.wireguard.agent_peer
  - module: wirefleet.wireguard.wg_verify
"""

EXAMPLES = r"""
- name: No traffic goes over the hub
  wirefleet.wireguard.agent_drain:
    state: draining
    timeout_s: 120

- name: Hub carries traffic again
  wirefleet.wireguard.agent_drain:
    state: active
"""

RETURN = r"""
draining:
  description: Whether the hub is being drained now, or would be in check mode.
  returned: success, or failure because of spokes that stay
  type: bool
spokes:
  description: How many spokes still use the hub.
  returned: when O(wait=true) and O(state=draining), outside of check mode
  type: int
waited_s:
  description: Seconds for which the agent waited.
  returned: when O(wait=true) and O(state=draining), outside of check mode
  type: float
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
