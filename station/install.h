/*
 * install.h - one attempt on one unit: the secure install over SWD, as a table of named steps.
 *
 * AN5054 rev 18 sections 3.3 and 4.3.6, spec/secure-install.md 13.1-13.4; which table is the family's
 * `procedure`. Everything that can be read
 * is read and compared before anything is written and before a license is asked for; licenses are
 * made while the site prepares the part; they are durable before they are offered to the target.
 */
#pragma once

#include "crypto/certificate.h"
#include "drivers/rss.h"
#include "drivers/target.h"
#include "scheduler/fiber.h"
#include "station/desk.h"
#include "station/install_license.h"
#include "station/install_vendor.h"
#include "station/record.h"

struct lot;
struct site;
struct station;

struct install {
        struct station *station;
        struct site *site;
        struct lot *lot;
        struct target target;
        struct record record;
        struct unit_history history;

        const char *step; /* name of the running step, "" between attempts */
        uint64_t step_started_ns, started_ns;
        struct rss_progress progress;
        uint32_t work_done, work_total; /* of steps that count otherwise: erasing */
        bool is_past_return;            /* the license has been offered: finish what is begun */

        struct target_identity identity;
        uint32_t options[OPTION_ROWS_MAX];
        bool must_erase, must_erase_external;
        bool must_regress; /* an attempt before this one left option bytes that a regression takes back */
        enum rss_end end;     /* how the part was when the image was in */
        bool image_is_in;     /* the RSS has said so */
        bool is_unproven;     /* nothing proves what became of it: it is left as it is */
        bool options_changed; /* by us, in this attempt */
        struct certificate certificate;
        struct install_license licenses[INSTALL_LICENSES_MAX]; /* the image's, then the modules' */
        unsigned license_count;
        struct waitlist license_there; /* the asking for one of them has ended */
        struct install_vendor vendor;  /* where the vendor's tool installs */
};

/* Attach to the part in the site and read who it is; looks up its history in the lot (waits). Opens
 * no attempt. Call before install_attempt; a failure is the attempt's first fault. */
int install_identify(struct install *install, struct station *station, struct site *site,
                     struct lot *lot) MUST_USE;

/* Do the attempt (waits): opens its record, performs the steps, puts the part back, closes the
 * record. `identified` is what install_identify returned. Returns 0 for pass, else the fault; the
 * record in `install` says all. -FAULT_STORE when the record itself failed. */
int install_attempt(struct install *install, int identified) MUST_USE;

/* Progress of the running step, 0..1000. Never waits. */
unsigned install_progress(const struct install *install);
