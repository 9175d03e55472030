/* Copyright (c) 2026 WireFleet
 * GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Faults that a test has ordered from the stand-in. See faults.h.
 */
#include "faults.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char faults[512];

int any_faults(void) { return faults[0] != 0; }

void read_faults(void)
{
    const char *ordered = getenv("WF_WINTUN_FAULTS"), *prefix = getenv("WINEPREFIX");
    char path[1024];
    FILE *file;

    faults[0] = 0;
    if (ordered)
        snprintf(faults, sizeof(faults), "%s", ordered);
    if (!prefix)
        return;
    snprintf(path, sizeof(path), "%s/wintun.faults", prefix);
    if ((file = fopen(path, "r"))) {
        if (!fgets(faults, sizeof(faults), file))
            faults[0] = 0;
        fclose(file);
    }
}

uint32_t ordered_fault(const char *call, long count)
{
    size_t length = strlen(call);
    const char *order = faults;

    for (; order && *order; order = strchr(order, ',') ? strchr(order, ',') + 1 : NULL) {
        char *rest;
        uint32_t error;
        if (strncmp(order, call, length) || order[length] != '=')
            continue;
        error = strtoul(order + length + 1, &rest, 0);
        if (*rest != '@' || count == strtol(rest + 1, NULL, 0))
            return error;
    }
    return 0;
}
