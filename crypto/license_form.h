/*
 * license_form.h - what can be seen of a license without the chip's key.
 */
#pragma once

#include "scheduler/base.h"
#include "scheduler/fault.h"

/* Length, type ("SFI", "SFIA", "SMU", "SSP"; three letters are filled up with a dot), session and
 * version, by the REFERENCE layout of license.h: ST's own is not public. Whether it is for a
 * certain chip only that chip can tell. `name` is for the sentence.
 *      -FAULT_BAD_LICENSE  also for a global license, which is bound to no chip */
int license_form_check(const char *name, const void *data, size_t length,
                       const char *type) MUST_USE;
