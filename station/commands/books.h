/*
 * books.h - ledger and records of the station whose file --station names, for the licenses commands.
 *
 *      struct books *books CLEANUP(books_release) = NULL;
 *      r = books_look(file, &books);
 */
#pragma once

#include "crypto/sign.h"
#include "station/ledger.h"
#include "station/record.h"
#include "station/settings.h"

struct books {
        struct settings settings;
        struct store *store;
        struct ledger *ledger;
        struct records *records;
};

/* The books as they stand at this call, to read only, whether gangwayd runs or not (waits). `file`
 * NULL is configs/gangway.conf. Faults as settings_load and store_look. */
int books_look(const char *file, struct books **ret_books) MUST_USE;

/* The books to write in, made where there are none (waits). Beside a running gangwayd that is for
 * imports; whoever asks cards takes data_lock() first. Faults as settings_load, store_open and
 * ledger_open. */
int books_open(const char *file, struct books **ret_books) MUST_USE;

/* The settings alone, books not opened yet (waits). */
int books_settings(const char *file, struct books **ret_books) MUST_USE;
int books_open_now(struct books *books) MUST_USE;

/* For CLEANUP (waits). */
void books_release(struct books **books);
