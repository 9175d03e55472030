#!/usr/bin/python
# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is implemented by the action plugin of the same name; this file is its documentation.

from __future__ import annotations

DOCUMENTATION = r"""
module: wg_verify
short_description: Compare a host's slice of the plan with what its agent observes
version_added: 0.1.0
description:
  - Compares one host's slice of the plan with the agent's status and returns named findings.
  - It never repairs anything.
  - Findings of severity V(warning) are shown as warnings of the task, one for each kind; not V(endpoint_other_family),
    which is normal between hosts with IPv4 and IPv6.
extends_documentation_fragment:
  - wirefleet.wireguard.attributes
  - wirefleet.wireguard.attributes.controller_action
attributes:
  check_mode:
    support: full
    details: Nothing is ever changed.
  diff_mode:
    support: none
options:
  host:
    description:
      - Name of the planned host.
      - The default is the inventory hostname.
    type: str
  plan_dir:
    description:
      - Directory of the plan, see RV(wirefleet.wireguard.wg_plan#module:plan_dir).
      - The default is C(.wirefleet) in the inventory directory.
    type: path
  observed:
    description: The status which the agent reported, as M(wirefleet.wireguard.agent_info) returns it.
    type: dict
    required: true
  expected_digest:
    description:
      - Digest of the configuration that was applied, as M(wirefleet.wireguard.agent_config) returned it.
      - Without it the digest is not compared.
    type: str
  max_handshake_age_s:
    description:
      - Age in seconds from which the last handshake with a peer is stale. V(0) turns the check off.
      - Peers with a keepalive get as much longer as its interval is, since that keepalive may be what renews a session.
    type: int
    default: 180
  overrides:
    description:
      - What the hubs have decided about placement, the public key of a hub by that of a spoke, as
        C(status.cluster.overrides) of M(wirefleet.wireguard.agent_info) on a hub returns it.
      - Without it, the first of the planned hubs is expected to be the active one.
    type: dict
    default: {}
  fail_on_active_hub:
    description:
      - Whether V(active_hub_mismatch) is an error. Otherwise it is a warning.
      - A spoke that has left a hub for a moment stays where it is with the policy V(active_standby), such as after an
        upgrade of that hub.
    type: bool
    default: true
  fail_on_findings:
    description: Fail if there is any finding of severity V(error).
    type: bool
    default: true
author:
  - WireFleet (@wirefleet)
seealso:
  - module: wirefleet.wireguard.wg_plan
  - module: wirefleet.wireguard.agent_info
"""

EXAMPLES = r"""
- name: The agent's status is known
  wirefleet.wireguard.agent_info:
  register: wirefleet_info

- name: The tunnel is as planned
  wirefleet.wireguard.wg_verify:
    observed: "{{ wirefleet_info.status }}"
"""

RETURN = r"""
findings:
  description: What differs from the plan, errors first.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description:
        - Name of the kind of finding.
        - One of V(daemon_not_running), V(key_mismatch), V(listen_port_mismatch), V(mtu_mismatch), V(interface_down),
          V(address_missing), V(address_unexpected), V(peer_missing), V(peer_pending), V(peer_unexpected),
          V(allowed_ips_mismatch), V(endpoint_mismatch), V(endpoint_other_family), V(keepalive_mismatch),
          V(handshake_missing), V(handshake_stale), V(handshake_outdated), V(digest_mismatch), V(change_pending),
          V(forwarding_mismatch), V(group_missing), V(member_missing), V(heartbeat_missing), V(hub_broken), V(hub_held),
          V(hub_draining), V(hub_overridden), V(active_hub_mismatch), V(active_hub_drained), V(cluster_missing),
          V(quorum_missing), V(site_missing), V(site_gateway_missing), V(site_gateway_silent), V(site_gateway_switched),
          V(process_privileges), V(process_account).
        - A hub that is being drained is named by warnings (V(hub_draining), V(active_hub_drained)), not by errors.
        - A redundant site that is reached over another gateway than the first one (V(site_gateway_switched)), or of
          which a gateway could not take over (V(site_gateway_silent)), is named by warnings of the hubs.
        - The last two are warnings about Windows. The service's token holds more than C(SeLoadDriverPrivilege) and
          C(SeChangeNotifyPrivilege), or it is not LocalSystem's.
      type: str
    severity:
      description: V(error) or V(warning).
      type: str
    host:
      description: The host.
      type: str
    peer:
      description: Name of the peer, or its public key if it is not part of the plan. It is null if no peer is
        concerned.
      type: str
    message:
      description: What is wrong.
      type: str
    hint:
      description: What to do.
      type: str
ok:
  description: Whether there is no finding of severity V(error).
  returned: always
  type: bool
"""
