/* Copyright (c) 2026 WireFleet
 * GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Faults to order, in the environment (WF_WINTUN_FAULTS) or in $WINEPREFIX/wintun.faults:
 * "create=5,start=8@2,receive=13@500" makes the call fail with that Win32 error, always, or with @n the n-th call of the
 * process only. Calls: create, open, delete, start, receive (counts packets), allocate.
 */
#ifndef WIREFLEET_FAULTS_H
#define WIREFLEET_FAULTS_H

#include <stdint.h>

/* Read the orders again. */
void read_faults(void);
/* Whether there are orders at all: packets are counted only then. */
int any_faults(void);
/* The error that this call was ordered to fail with, or 0; count is the call's number in this process. */
uint32_t ordered_fault(const char *call, long count);

#endif
