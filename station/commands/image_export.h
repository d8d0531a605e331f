/*
 * image_export.h - an opened image back into files: one HEX or ELF, or a folder of all inputs.
 */
#pragma once

#include "station/commands/area_view.h"

/* Write to `output` by its ending: .hex or .elf hold the firmware, internal and external; anything
 * else is a folder that gets a file a run, and .kcsv, .csv, .obk as `sfi create` takes them (waits).
 * Everything is 0600, a new folder 0700: this is plain firmware. */
int image_export(const struct opened_image *image, const struct family *family,
                 const char *output) MUST_USE;
