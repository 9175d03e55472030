# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Every number of the protocol core, by whose it is. Times are seconds."""

from __future__ import annotations

from typing import Final

# The protocol's: WireGuard paper section 6.1 and table of constants. Changing one breaks peers.
CONSTRUCTION: Final = b"Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s"
IDENTIFIER: Final = b"WireGuard v1 zx2c4 Jason@zx2c4.com"
LABEL_MAC1: Final = b"mac1----"
LABEL_COOKIE: Final = b"cookie--"
REKEY_AFTER_MESSAGES: Final = 1 << 60
REJECT_AFTER_MESSAGES: Final = (1 << 64) - (1 << 13) - 1
REKEY_AFTER_TIME_S: Final = 120.0
REJECT_AFTER_TIME_S: Final = 180.0
REKEY_ATTEMPT_TIME_S: Final = 90.0
REKEY_TIMEOUT_S: Final = 5.0
KEEPALIVE_TIMEOUT_S: Final = 10.0
COOKIE_LIFETIME_S: Final = 120.0
TAI64_BASE: Final = 0x400000000000000A
REPLAY_WINDOW: Final = 8128

# Derived from them (checklist 13, 15, 20).
RECEIVE_REKEY_AFTER_S: Final = REJECT_AFTER_TIME_S - KEEPALIVE_TIMEOUT_S - REKEY_TIMEOUT_S
WIPE_KEYS_AFTER_S: Final = 3 * REJECT_AFTER_TIME_S
NEW_HANDSHAKE_AFTER_S: Final = KEEPALIVE_TIMEOUT_S + REKEY_TIMEOUT_S

# Ours: what implementations choose. The values are wireguard-go's where it has one.
MAX_INITIATIONS: Final = int(REKEY_ATTEMPT_TIME_S / REKEY_TIMEOUT_S) + 2
REKEY_JITTER_MAX_S: Final = 0.333
INITIATION_MIN_INTERVAL_S: Final = 0.02
TIMESTAMP_MASK_NS: Final = (1 << 24) - 1
MAX_PEERS: Final = 1 << 16
MAX_GROUP_MEMBERS: Final = 32
STAGED_PACKETS: Final = 128
HANDSHAKE_QUEUE_MESSAGES: Final = 1024
UNDER_LOAD_MESSAGES: Final = 128
UNDER_LOAD_STICKY_S: Final = 1.0
RATE_LIMIT_PER_S: Final = 20
RATE_LIMIT_BURST: Final = 5
RATE_LIMIT_FORGET_S: Final = 1.0
DEFAULT_MTU_BYTES: Final = 1420
# The work of one call, so that handshakes and timers cannot starve data. A handshake, received or begun, costs about
# 0.25 ms of Diffie-Hellman operations; a message with a forged mac1, or a timer, about 0.01 ms.
# ``advance`` is called once per turn of a loop: a few milliseconds, in every turn, however much data there is.
HANDSHAKES_PER_STEP: Final = 8
MESSAGES_PER_STEP: Final = 256
EXPIRATIONS_PER_STEP: Final = 64
# ``poll`` is called with every batch of packets: less than the batch costs, and as many messages as it may bring.
HANDSHAKES_PER_POLL: Final = 1
MESSAGES_PER_POLL: Final = 64
