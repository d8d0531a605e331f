/*
 * captures.h - what the flight recorders held when an attempt ended, as files that stay.
 *
 * DATA_DIRECTORY/captures/ORDER/UNIT-ATTEMPT-TIME.pcapng, directories 0700, files 0600; UNIT is
 * "unread.SITE" for a unit whose identifier was never read. All of them
 * together keep to a limit: the oldest go when a new one would pass it, with a line in the log.
 */
#pragma once

#include "drivers/recorder.h"
#include "station/record.h"
#include "station/settings.h"

#define CAPTURE_NAME_MAX 160

struct captures {
        enum capture_rule rule;
        char directory[256];
        uint64_t limit, total; /* bytes */
};

/* See what is there already. Never waits. Nothing is made before the first file is. */
void captures_open(struct captures *captures, const struct settings *settings);

/* The recorder a site is to have by the rule: given; NULL for none. */
struct recorder *captures_recorder(const struct captures *captures);

/* An attempt has ended: keep its capture if the rule says so (waits). `hardware` is the probe's
 * firmware. A file that cannot be written is an alarm's matter, not the unit's: the sentence stays.
 * `ret_name`, of CAPTURE_NAME_MAX, is the file below the directory, "" when none was made.
 *      -FAULT_SYSTEM  */
int captures_keep(struct captures *captures, const struct recorder *recorder,
                  const struct record *record, const char *hardware, char *ret_name) MUST_USE;
