/*
 * fault.h - the one closed list of what can go wrong, with a sentence and a decision for each.
 *
 * A function that can fail returns 0 or a length on success and a negative fault on failure.
 * Whoever first knows the cause says it once:
 *
 *      return fault(FAULT_LOCKED, "protection level is %u, expected 0", level);
 *
 * which leaves the sentence with the running fiber (or worker job, which hands it over to the
 * waiting fiber when it ends). Callers may prefix it; the station reads it. Nothing is logged below.
 */
#pragma once

#include "scheduler/base.h"

/* What the station does next with the unit. Read from the table in one place (station/site.c). */
enum disposition {
        RETRY_UNIT,  /* try the same unit again, within the order's retries */
        HOLD_UNIT,   /* quarantine unit or site until a person decides */
        REJECT_UNIT, /* the unit is bad; take it out, go on with the next */
        STOP_LINE,   /* no unit can succeed until a person has acted */
};

/* Whose fault it is: decides between the results fail, error, aborted and not provable. */
enum blame { BLAME_UNIT, BLAME_STATION, BLAME_PERSON, BLAME_NOBODY };

/*        name            sentence                                                disposition  blame */
#define FAULTS(_)                                                                                  \
        /* how the program waits */                                                                \
        _(CANCELLED,      "the procedure was cancelled",                          RETRY_UNIT,  BLAME_PERSON)  \
        _(TIMEOUT,        "no answer in time",                                    RETRY_UNIT,  BLAME_STATION) \
        _(SYSTEM,         "the operating system refused",                         STOP_LINE,   BLAME_STATION) \
        /* files and forms from outside */                                                         \
        _(NOT_FOUND,      "it does not exist",                                    STOP_LINE,   BLAME_STATION) \
        _(TOO_LARGE,      "it is larger than allowed",                            STOP_LINE,   BLAME_STATION) \
        _(BAD_FILE,       "the file is not well formed",                          STOP_LINE,   BLAME_STATION) \
        _(BAD_VALUE,      "a value is not allowed",                               STOP_LINE,   BLAME_STATION) \
        _(BAD_TAG,        "the authentication tag does not match",                STOP_LINE,   BLAME_STATION) \
        _(DUPLICATE,      "it exists already with other content",                 STOP_LINE,   BLAME_STATION) \
        /* the probe */                                                                            \
        _(UNPLUGGED,      "the probe was unplugged",                              RETRY_UNIT,  BLAME_STATION) \
        _(PROBE_BUSY,     "another program holds the probe",                      HOLD_UNIT,   BLAME_STATION) \
        _(PROBE,          "the probe did not do as told",                         RETRY_UNIT,  BLAME_STATION) \
        _(PROBE_OLD,      "the probe firmware is too old",                        HOLD_UNIT,   BLAME_STATION) \
        /* the target */                                                                           \
        _(NO_POWER,       "the target has no supply",                             RETRY_UNIT,  BLAME_UNIT)    \
        _(NO_TARGET,      "no target answers",                                    RETRY_UNIT,  BLAME_UNIT)    \
        _(TARGET_LOST,    "the target stopped answering",                         RETRY_UNIT,  BLAME_UNIT)    \
        _(TARGET_ACCESS,  "the target refused an access",                         RETRY_UNIT,  BLAME_UNIT)    \
        _(WRONG_PART,     "it is not the part the order wants",                   REJECT_UNIT, BLAME_UNIT)    \
        _(LOCKED,         "the target refuses debug access",                      REJECT_UNIT, BLAME_UNIT)    \
        _(PROTECTED,      "a protected area is active",                           REJECT_UNIT, BLAME_UNIT)    \
        _(NOT_BLANK,      "the flash is not erased",                              REJECT_UNIT, BLAME_UNIT)    \
        _(BOOT_PIN,       "the part does not run from system memory",             REJECT_UNIT, BLAME_UNIT)    \
        _(NO_ROOM,        "the image does not fit the part",                      STOP_LINE,   BLAME_STATION) \
        _(OPTION_BYTES,   "an option byte did not take its value",                REJECT_UNIT, BLAME_UNIT)    \
        _(FLASH,          "a flash word did not take its value",                  REJECT_UNIT, BLAME_UNIT)    \
        _(REFERENCE_ONLY, "a reference profile is not for real hardware",         STOP_LINE,   BLAME_STATION) \
        /* the root security services */                                                           \
        _(RSS,            "the root security services reported an error",         RETRY_UNIT,  BLAME_UNIT)    \
        _(RSS_SILENT,     "the root security services did not answer",            RETRY_UNIT,  BLAME_UNIT)    \
        _(BAD_CERTIFICATE, "the chip certificate is not valid",                   RETRY_UNIT,  BLAME_UNIT)    \
        _(BAD_LICENSE,    "the target refused the license",                       HOLD_UNIT,   BLAME_STATION) \
        _(BAD_IMAGE,      "the target refused the image header",                  STOP_LINE,   BLAME_STATION) \
        _(BAD_AREA,       "the target refused an area",                           HOLD_UNIT,   BLAME_STATION) \
        _(NOT_PROVABLE,   "nothing proves whether the install succeeded",         HOLD_UNIT,   BLAME_NOBODY)  \
        /* the cards */                                                                            \
        _(NO_CARD,        "no card in the reader",                                HOLD_UNIT,   BLAME_STATION) \
        _(CARD_DEAD,      "the card does not answer",                             HOLD_UNIT,   BLAME_STATION) \
        _(CARD_EMPTY,     "the card has no licenses left",                        STOP_LINE,   BLAME_STATION) \
        _(CARD_STATE,     "the card is not operational",                          HOLD_UNIT,   BLAME_STATION) \
        _(CARD_REFUSED,   "the card refused the command",                         HOLD_UNIT,   BLAME_STATION) \
        _(WRONG_CARD,     "no card holds the firmware identifier",                STOP_LINE,   BLAME_STATION) \
        _(NO_LICENSE,     "no license for this chip is in hand",                  HOLD_UNIT,   BLAME_STATION) \
        _(SERVER,         "the license server did not answer",                    RETRY_UNIT,  BLAME_STATION) \
        _(SERVER_REFUSED, "the license server refused",                           HOLD_UNIT,   BLAME_STATION) \
        /* the station */                                                                          \
        _(STORE,          "the record store failed",                              STOP_LINE,   BLAME_STATION) \
        _(INTERRUPTED,    "the station stopped during the attempt",               RETRY_UNIT,  BLAME_STATION)

enum fault {
        FAULT_NONE,
#define FAULT_ENUM(name, sentence, disposition, blame) FAULT_##name,
        FAULTS(FAULT_ENUM)
#undef FAULT_ENUM
        FAULT_COUNT
};

/*
 * Report a fault: keeps the formatted sentence (at most 511 characters) and returns -code.
 * With an empty format the table's own sentence stands. Never waits, never allocates.
 */
int fault(enum fault code, const char *format, ...) PRINTF_LIKE(2, 3) MUST_USE;

/* Translate -errno where it enters: FAULT_SYSTEM (or NOT_FOUND, UNPLUGGED for ENOENT, ENODEV). */
int fault_errno(int error, const char *format, ...) PRINTF_LIKE(2, 3) MUST_USE;

/* Put "prefix: " before the sentence; returns `result` unchanged. */
int fault_prefix(int result, const char *format, ...) PRINTF_LIKE(2, 3);

/* The sentence of the last fault here; the table's own where none was formatted. Borrowed until the
 * next fault in this fiber or job. `result` is the negative fault. */
const char *fault_sentence(int result);

/* "LOCKED" for -FAULT_LOCKED; "NONE" for 0 and above. */
const char *fault_name(int result);

enum disposition fault_disposition(int result);
enum blame fault_blame(int result);
