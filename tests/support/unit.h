/*
 * unit.h - one unit on a line (line.h), watched to its end: how it came, what befell it on its way, how
 * the part stands when all is over.
 *
 *      struct unit unit = { .line = line, .spoil = spoil_find("PCROP")->spoil };
 *      unit_run(&unit, "retries: 0\n");
 *      ... look at unit.record, unit.state, unit.line->balance ...
 *
 * The line has one site and one board, and nobody takes the board out.
 */
#pragma once

#include "tests/support/line.h"

#include "drivers/simulated/part.h"

#define UNIT_FIRMWARE 0x08000000u /* where line_family's image begins */

/* Where on its way something befalls a unit: as a step begins; or later in it, when the first word of
 * the image is in the flash, when an RSSe shows its value, or when the memory outside the part holds something
 * at unit.outside, or nothing any more. */
struct point {
        const char *step;
        enum { AT_ONCE, IN_AREAS, AS_SHOWN, OUTSIDE, OUTSIDE_ERASED } when;
};

struct unit {
        struct line *line;
        void (*spoil)(struct simulated_part *part,
                      const struct family *family); /* before its lot */
        const struct point *point;                  /* NULL: nothing befalls it on the way */
        uint32_t outside;                           /* an address; see struct point */
        void (*befall)(struct station *station);
        void (*look)(struct simulated_part *part); /* at the part in the end; NULL */

        bool was_hit; /* the step was seen */
        bool has_ended;
        struct record record; /* of the last attempt */
        /* of the part: virgin; secured or prepared (ours, without firmware); partly, provisioning,
         * installed; used: with somebody's firmware; changed: with other option bytes */
        char state[16];
};

/* Order one, with further YAML lines, and run the line. */
void unit_run(struct unit *unit, const char *more);

/* Power gone for good; gone for 100 ms (waits); the cable out. */
void unit_power_away(struct station *station);
void unit_power_dips(struct station *station);
void unit_cable_out(struct station *station);
