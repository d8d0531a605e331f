/*
 * install_parts.h - what the two ways to install share; nobody else includes it.
 */
#pragma once

#include "station/install.h"

struct install_step {
        const char *name;
        int (*perform)(struct install *install);
};

struct install_steps {
        const struct install_step *steps;
        size_t count;
};

/* By our own procedures (install.c), by the vendor's tool (install_vendor.c). */
extern const struct install_steps install_native, install_by_vendor;

/* "site NAME", for the log. */
const char *install_about(const struct install *install);

void install_begin_step(struct install *install, const char *name);

/* What can be read of the part and held against image and order, save for the RSS (waits). */
int install_check_part(struct install *install) MUST_USE;

/* Erase what check_part found must be erased (waits). */
int install_erase_flash(struct install *install) MUST_USE;

/* How the tool left the part, after a fault; NULL when it did not change it. */
const char *install_vendor_left(const struct install *install);

/* Remove its files. Never waits. */
void install_vendor_finish(struct install *install);
