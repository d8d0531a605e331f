/*
 * install_parts.h - what the procedures of an install share; nobody else includes it.
 *
 * A procedure is a table of named steps and what follows when one of them failed. install.c runs it,
 * with the steps that are the same everywhere.
 */
#pragma once

#include "station/install.h"

#define PUT_BACK_MS 1000u /* how long a part that went wrong is waited for */

struct install_step {
        const char *name;
        int (*perform)(struct install *install);
};

struct install_steps {
        const struct install_step *steps;
        size_t count;
        /* After a fault of a step, when the probe is still there: put the part back as it came, or say
         * how it is left: "" as it came, else "; the part is left ..." (waits). */
        const char *(*put_back)(struct install *install);
};

/* SECURITY and an RSS in ROM (H7); an RSSe, with TrustZone or without (L5, U5, WBA, WL); an RSSe that
 * ends by a product state (H5, H7RS); the vendor's tool. */
extern const struct install_steps install_rss_rom, install_rsse, install_state, install_by_vendor;

/* "site NAME", for the log. */
const char *install_about(const struct install *install);

void install_begin_step(struct install *install, const char *name);

/* --- steps of more than one procedure ------------------------------------------------------- */

/* Read the option bytes; is the part as it must be, and the flash the image needs erased? (waits) */
int install_check_part(struct install *install) MUST_USE;

/* The same but for the option bytes, which were read. */
int install_check_conditions(struct install *install) MUST_USE;

/* Read it, then ask for the licenses (waits). */
int install_read_certificate(struct install *install) MUST_USE;

/* Erase what the check found must be erased (waits). */
int install_erase_flash(struct install *install) MUST_USE;

/* Change option bytes where they differ and remember that we did (waits). */
int install_write_options(struct install *install, const uint32_t *options) MUST_USE;

/* Write the RSSe into the part's RAM and start it (waits). */
int install_load_rsse(struct install *install) MUST_USE;

/* The same three of the memory outside the part, where the image has areas for it (waits): read it, erase what
 * must be, program what `part` left. */
int install_check_external(struct install *install) MUST_USE;
int install_erase_external(struct install *install) MUST_USE;
int install_program_external(struct install *install, const struct sfi_part *part,
                             bool is_last) MUST_USE;

/* The point of no return: licenses offered, then every part of the image (waits). */
int install_image(struct install *install) MUST_USE;

/* Remove what was made for the vendor's tool. Never waits. */
void install_vendor_finish(struct install *install);

/* May flash be erased that this order, or an attempt of it, left written? */
bool install_may_erase(const struct install *install);
