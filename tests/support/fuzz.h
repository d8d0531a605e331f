/*
 * fuzz.h - what libFuzzer calls. Returns 0; anything else, a crash or a leak is a finding.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);
