#!/usr/bin/python
# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is implemented by the action plugin of the same name; this file is its documentation.

from __future__ import annotations

DOCUMENTATION = r"""
module: agent_health
short_description: Wait until a host's peers answer
version_added: 0.1.0
description:
  - The agent on the host waits until the last handshake with every peer is young enough, or fails after O(timeout_s).
  - A peer that a change concerned (keys, endpoint, listen port, fwmark) has to answer after the change; a new endpoint
    only counts if the handshake shows the peer to be there. The agent calls peers that do not answer.
  - A peer that heartbeats go to (a hub, seen from a spoke or from another hub) has to answer those as well, and a hub
    may be asked whether the hubs have a quorum.
  - The failure names the peers that did not answer.
extends_documentation_fragment:
  - wirefleet.wireguard.attributes
  - wirefleet.wireguard.agent
attributes:
  check_mode:
    support: full
    details: Looks once without waiting. A host without a running agent is reported as not healthy and does not fail.
  diff_mode:
    support: none
options:
  timeout_s:
    description: Seconds to wait.
    type: int
    default: 30
  peers:
    description:
      - Public keys of the peers to wait for. An empty list waits for nobody.
      - The default is every peer that has an endpoint or a keepalive.
    type: list
    elements: str
  max_handshake_age_s:
    description:
      - Seconds after which a handshake is too old.
      - Peers with a keepalive get as much longer as its interval is, since that keepalive may be what renews a session.
    type: int
    default: 180
  quorum:
    description:
      - Whether the hubs have to have a quorum, so that they can decide something together. Hosts that are no hub do not
        mind.
      - The default is V(true) where O(peers) is not given.
    type: bool
author:
  - WireFleet (@wirefleet)
"""

EXAMPLES = r"""
- name: All peers answer within a minute
  wirefleet.wireguard.agent_health:
    tunnel: wf0
    timeout_s: 60

- name: The hubs can decide something together
  wirefleet.wireguard.agent_health:
    tunnel: wf0
    peers: []
    quorum: true
"""

RETURN = r"""
healthy:
  description: Whether every peer that was asked for answers.
  returned: always
  type: bool
waited_s:
  description: Seconds for which the agent waited.
  returned: always
  type: float
peers:
  description: The peers that were asked for.
  returned: always
  type: list
  elements: dict
  contains:
    public_key:
      description: Public key of the peer.
      type: str
    name:
      description: Name of the peer.
      type: str
    ok:
      description:
        - Whether its last handshake is young enough and not older than the last change that concerned it, and whether
          it answers heartbeats if any go to it.
      type: bool
    last_handshake_age_s:
      description: Seconds since the last handshake; null if there was none.
      type: float
    is_proven:
      description: Whether the peer has answered since the last change that concerned it.
      type: bool
    answers_heartbeats:
      description: Whether it answers heartbeats; null if none go to it.
      type: bool
has_quorum:
  description: Whether the hubs have a quorum; null if the host is no hub, or if it was not asked.
  returned: always
  type: bool
error:
  description: What the agent or the action could not do.
  returned: failure
  type: dict
  contains:
    code:
      description: Kind of the error, such as V(not_installed), V(invalid_config), V(not_reachable) or V(refused).
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
