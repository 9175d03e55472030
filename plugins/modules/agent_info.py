#!/usr/bin/python
# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is implemented by the action plugin of the same name; this file is its documentation.

from __future__ import annotations

DOCUMENTATION = r"""
module: agent_info
short_description: Read the status of the agent and its tunnel
version_added: 0.1.0
description:
  - Returns what the agent on the host reports. It sets no facts, and there is no secret in it.
  - An agent that is not installed or does not run is a state to return, not a failure.
extends_documentation_fragment:
  - wirefleet.wireguard.attributes
  - wirefleet.wireguard.agent
attributes:
  check_mode:
    support: full
    details: Nothing is ever changed.
  diff_mode:
    support: none
options:
  cluster:
    description: Also ask for what the hubs share, see RV(status.cluster). Only hubs have it.
    type: bool
    default: false
  settle_s:
    description:
      - Ask again every second, for at most so many seconds, until every hub has answered heartbeats, hubs hear the
        gateways of redundant sites, and the hubs have a leader. Right after a start or a change none of it is so.
      - The last answer is returned, whatever it says. In check mode nothing is waited for.
    type: int
    default: 0
author:
  - WireFleet (@wirefleet)
seealso:
  - module: wirefleet.wireguard.wg_verify
"""

EXAMPLES = r"""
- name: The agent's status is known
  wirefleet.wireguard.agent_info:
    tunnel: wf0
  register: wirefleet_info
"""

RETURN = r"""
installed:
  description: Whether an agent is installed on the host.
  returned: success
  type: bool
status:
  description: >-
    What the agent reports. Only RV(status.tunnel) and RV(status.running) are there if the agent is not installed.
  returned: success
  type: dict
  contains:
    tunnel:
      description: Name of the tunnel.
      type: str
    running:
      description: Whether the daemon of the tunnel runs.
      type: bool
    pid:
      description: Process of the daemon.
      type: int
    release:
      description: Release that the daemon runs.
      type: str
    public_key:
      description: Public key of the host.
      type: str
    listen_port:
      description: UDP port.
      type: int
    interface:
      description: The interface, with C(name), C(mtu_bytes), C(is_up), C(addresses) and C(forwarding) of the host.
      type: dict
    peers:
      description: >-
        The peers, each with C(public_key), C(name), C(endpoint), C(allowed_ips), C(last_handshake_age_s) in seconds
        or null,
        C(rx_bytes), C(tx_bytes) and C(persistent_keepalive_s).
      type: list
      elements: dict
    drops:
      description: Number of dropped packets by reason.
      type: dict
    configured:
      description: Whether the host has a configuration of this tunnel.
      type: bool
    config_digest:
      description: SHA-256 of the configuration in effect.
      type: str
    pending:
      description: Whether a configuration waits for its confirmation.
      type: bool
    process:
      description: >-
        What the process of the service really is and may do, with C(user), C(sids) of the service on Windows,
        C(privileges) that it holds (capabilities on Linux), C(surplus_privileges) that it could not get rid of, and
        C(mode).
      type: dict
    groups:
      description: >-
        Peers that may carry the same traffic, each with C(name), C(policy), C(active) (a public key), C(active_for_s),
        C(switches), C(prefixes) and C(members), of which each has C(public_key), C(standing), C(is_draining) and
        C(rtt_s) of heartbeats.
      type: list
      elements: dict
    cluster:
      description: >-
        What the hubs share, with C(state), C(leader), C(has_quorum), C(is_writable), C(members), C(drains), C(revoked),
        C(overrides) and C(epoch). Null on a host without a cluster. Returned with O(cluster=true).
      type: dict
    restart:
      description: The last restart that was ordered, with C(id), C(state) and C(error); null if there was none.
      type: dict
root:
  description: Root directory of the agent, as it is used on the host.
  returned: success
  type: str
program:
  description: >-
    On Windows, the program that the service runs as, for firewalls and virus scanners; null on other hosts and while
    no agent is installed.
  returned: success
  type: str
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
