/*
 * orders.h - what stands on a rig's bus, as its command line says it: "4" is four ST-LINKs, "ccid=4" four
 * readers, then "--" and the command that meets them.
 */
#pragma once

#include "tests/rigs/parts/device.h"

enum { ORDERS_MAX = 4, DEVICES_MAX = 240 };

struct order {
        const struct device_kind *kind;
        unsigned count;
};

/* The words before "--"; returns where the command begins, 0 on a mistake. */
int orders_parse(int argc, char **argv, struct order orders[static ORDERS_MAX],
                 unsigned *ret_count);

/* What each kind reads once before its first device; 0 or a fault, with a line on stderr. */
int orders_load(const struct order *orders, unsigned count);
