/*
 * test.h - what every test includes: cmocka, and a loop to run a test on a fiber.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scheduler/fault.h"
#include "scheduler/loop.h"

/* Make a loop, run `procedure(subject)` as its first fiber, destroy the loop; its result. cmocka's
 * assertions may be used inside: a failed one ends the whole program, so the runner sees it. */
int test_on_fiber(enum loop_time time, uint64_t seed, int (*procedure)(void *subject),
                  void *subject);

/* "/path/of/shared/data/NAME", or skip the running test when the file is not there. */
const char *test_data(const char *name);

/* A fresh empty directory below TMPDIR (/tmp), removed at exit. */
const char *test_directory(void);

/* The result is the fault, and its sentence contains `text` (NULL: any). */
#define assert_fault(result, code, text)                                                           \
        test_assert_fault((result), FAULT_##code, text, __FILE__, __LINE__)
void test_assert_fault(int result, enum fault code, const char *text, const char *file, int line);
