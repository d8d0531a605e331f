/*
 * kinds.h - the kinds of devices the rig knows; only device.c's table includes it, and each kind's own file.
 */
#pragma once

#include "tests/rigs/parts/device.h"

extern const struct device_kind stlink_kind; /* a simulated probe with a blank STM32H75x */
extern const struct device_kind stlink_l4_kind;
extern const struct device_kind ccid_kind; /* a smart card reader with a reference card in it */
