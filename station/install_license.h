/*
 * install_license.h - the licenses one unit needs: the image's and one a module, from asking to the end.
 *
 * All are asked for at once, each on a fiber of its own, while the site prepares the part; none is
 * handed over before every one is there and durable as offered. A global license is the lot's and
 * needs nobody: it is there from the beginning and in no book.
 */
#pragma once

#include "scheduler/fiber.h"
#include "station/desk.h"
#include "station/order.h"

struct install;

struct install_license {
        struct install *install;
        const char *firmware_id, *type; /* of the order, borrowed */
        enum license_source source;
        struct fiber *fiber; /* asks the desk; NULL: not asked, or joined */
        bool is_there;       /* the asking has ended, one way or the other */
        int result;
        char sentence[256]; /* when it failed */
        struct ledger_license license;
        bool was_offered;
};

/* The certificate is read: ask for all. Never waits. */
void licenses_ask(struct install *install);

/* Until all are there (waits; a cancel ends it). The first failure is returned. */
int licenses_obtain(struct install *install) MUST_USE;

/* Does it hold one that is in the books? Never waits. */
bool licenses_are_there(const struct install *install);

/* Durable as offered, all of them (waits). */
int licenses_offer(struct install *install) MUST_USE;

/* The bytes of one of them, 0 the image's, n that of module n; borrowed. A global one that is not ours may
 * have any length. */
struct piece licenses_piece(const struct install *install, unsigned index);

/* Back to back as the target wants them; the caller wipes. */
void licenses_copy(const struct install *install, uint8_t *bytes);

/* What the target said (waits): all installed, one refused, or nothing that is known. */
int licenses_settle(struct install *install, int outcome) MUST_USE;

/* Stop asking (waits; what a card was making is stored all the same) and wipe. */
void licenses_end_asking(struct install *install);
void licenses_wipe(struct install *install);
