/*
 * order_folder.h - a drop folder for tests: from outside, as an MES sees it, and from inside, as the
 * station does.
 *
 *      FOLDER_TEST(an_order_is_taken)
 *      {
 *              struct drop *drop = folder_open();
 *
 *              folder_put("in/a.yaml", FOLDER_TEXT);
 *              ... folder_next(drop) ...
 *              return 0;
 *      }
 */
#pragma once

#include "scheduler/loop.h"
#include "station/drop.h"

#include <jansson.h>

#define FOLDER_TEXT "order: A\n"

extern char folder[160]; /* of the running test */

/* "FOLDER/name", a few at a time. */
const char *folder_path(const char *name);
void folder_put(const char *name, const char *text);
bool folder_has(const char *name);

/* How many files match, dot files too. */
size_t folder_count(const char *pattern);

/* The JSON of an answer (json_decref); and one of a rejection, looked at. */
json_t *folder_answer(const char *name);
void assert_answer(const char *name, const char *code, int line, const char *words);

/* --- from inside (these wait) ------------------------------------------------------------------ */

struct drop *folder_open(void);

/* The next order, within `ms` else NULL; or asked for by a fiber that runs folder_read on a reader. */
struct drop_order *folder_next(struct drop *drop);
struct drop_order *folder_next_within(struct drop *drop, unsigned ms);
struct folder_reader {
        struct drop *drop;
        struct drop_order *order;
};
int folder_read(void *reader);
void assert_order_text(const struct drop_order *order, const char *name, const char *text);

extern const struct order folder_accepted;
extern const struct order_error folder_error; /* BAD_VALUE, line 3 */

/* Run a test's procedure on a fiber, in a fresh folder. */
void folder_test(int (*procedure)(void *subject));
void folder_test_at(enum loop_time time, int (*procedure)(void *subject));

#define FOLDER_TEST(name)                                                                          \
        static int name##_procedure(void *subject);                                                \
        static void name(void **state)                                                             \
        {                                                                                          \
                (void)state;                                                                       \
                folder_test(name##_procedure);                                                     \
        }                                                                                          \
        static int name##_procedure(void *subject)
