/*
 * target_session.h - one part behind one probe, for the length of a command.
 *
 *      struct target_session *session CLEANUP(target_session_close) = NULL;
 *      r = target_session_open(&choice, &session);
 *      ... target_read(&session->target, ...) ...
 *      return target_answer("target read", r);
 *
 * Hotplug: nothing is reset or halted at connect (AN5054 section 3.3.2).
 */
#pragma once

#include "drivers/target.h"
#include "station/commands/family_find.h"
#include "station/commands/target_choice.h"

#define TARGET_PROBES_MAX 128u

/* Probes: the real bus, or a bench of one probe made of memory. */
struct bench;
struct target_bus {
        struct bus *bus;     /* of the bench where there is one */
        struct bench *bench; /* NULL: real */
        struct family *family;
        struct rss_profile *rss;
};

/* Open the bus (waits). -FAULT_SYSTEM, -FAULT_NOT_FOUND, -FAULT_BAD_VALUE (of --simulated) */
int target_bus_open(const struct target_choice *choice, struct target_bus *ret_bus) MUST_USE;
void target_bus_close(struct target_bus *bus); /* for CLEANUP (waits) */

/* The probes there are, in the order of their ports (waits): what index= counts. At most
 * TARGET_PROBES_MAX; returns how many. */
int target_probes(struct bus *bus, struct wire_identity *ret_found) MUST_USE;

/* Find out which family of configs/targets/ is there, by debug port and device id (waits). The probe
 * is left in debug mode.
 *      -FAULT_NO_TARGET, -FAULT_WRONG_PART (no family has what was read) */
int target_detect(struct stlink *probe, const struct target_choice *choice,
                  struct chosen_family *ret_chosen) MUST_USE;

struct target_session {
        struct target_bus bus;
        struct wire_identity wire;
        struct stlink probe;
        unsigned supply_mv;
        struct chosen_family chosen;
        struct option_fields fields;
        struct target target;
        struct target_identity identity;
        const struct target_choice *choice; /* borrowed */
        bool is_simulated;
};

/* Choose the probe, connect, find the family, identify (waits).
 *      -FAULT_UNPLUGGED  no probe, or not the one that was named: those there are
 *      -FAULT_BAD_VALUE  several probes and none was named
 *      -FAULT_NO_POWER, and as target_detect, target_attach, target_identify */
int target_session_open(const struct target_choice *choice,
                        struct target_session **ret_session) MUST_USE;
void target_session_close(struct target_session **session); /* for CLEANUP (waits) */

/* "SIMULATED part ..." where it is one; nothing for --json. */
void target_session_mark(const struct target_session *session);

/* Ask for the end of the unique id, unless --yes was given; `what` is what will be done. Told on
 * stderr, after what was printed before.
 *      1 go on, 0 no
 *      -FAULT_BAD_VALUE  no terminal to ask at, and no --yes */
int target_confirm(const struct target_session *session, const char *what) MUST_USE;

/* The exit code of a command: what the part refuses is the answer no, a probe or part that does not
 * answer is unreachable. The sentence is printed here, before closing can leave another. */
int target_answer(const char *words, int r);
