/*
 * family_find.h - the family a command is for, by file, by name, by device id; and its RSS profile.
 */
#pragma once

#include "drivers/option_fields.h"
#include "drivers/rss.h"
#include "station/commands/places.h"

struct family_choice {
        const char *family; /* --family: a path, or a name such as stm32h75x; NULL: not given */
        bool has_device;
        uint32_t device; /* -devid */
};

/* Rows of a command for them. */
/* clang-format off */
#define FAMILY_ARGUMENTS(choice)                                           \
        { "family", .text = &(choice)->family },                           \
        { "deviceid", "devid", .number = &(choice)->device, .most = 0xFFF, \
          .flag = &(choice)->has_device }
/* clang-format on */

struct chosen_family {
        struct family family;
        char path[PLACE_LENGTH_MAX];
};

#define FAMILY_DEFAULT "stm32h75x"

/* Load what was chosen; FAMILY_DEFAULT when nothing was (waits).
 *      -FAULT_NOT_FOUND  no such family: the names there are
 *      -FAULT_BAD_VALUE  name and device id are of different families */
int family_choose(const struct family_choice *choice, struct chosen_family *ret_chosen) MUST_USE;

/* Is it this one? 1 yes, 0 no, or a fault, which ends the search. */
typedef int family_test(void *subject, const struct family *family);

/* The first family of configs/targets/, in the order of their names, that `is_it` says yes to (waits).
 * 1 found, 0 none. */
int family_search(family_test *is_it, void *subject, struct chosen_family *ret_chosen) MUST_USE;

/* The RSS profile `named` (a path, or a name in configs/rss/), by NULL the one the family's file names
 * (waits). 1, or 0: neither names one, for no install of the family goes through the debug port.
 *      -FAULT_NOT_FOUND, -FAULT_BAD_FILE */
int family_rss(const struct family *family, const char *named,
               struct rss_profile *ret_rss) MUST_USE;
