/*
 * crash.c - counting points, and dying at one.
 *
 * Everything runs on the loop's thread under virtual time (the store's job too), so one count is
 * enough. The last act is to leave the disk as the power would: then SIGKILL, which nobody can catch.
 */
#include "tests/support/crash.h"

#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct crash *crash; /* NULL: this process has no points */
static int pages;

void crash_point(const char *format, ...)
{
        char where[sizeof(crash->where)];
        va_list arguments;

        if (!crash)
                return;
        va_start(arguments, format);
        vsnprintf(where, sizeof(where), format, arguments);
        va_end(arguments);
        INSIST(crash->reached < CRASH_POINTS_MAX);
        crash->reached++;
        crash->has_unsynced[crash->reached] = crash_disk_has_unsynced();
        crash->is_marked[crash->reached] = crash->mark;
        memcpy(crash->kinds[crash->reached], where, sizeof(crash->kinds[0]) - 1);
        if (crash->reached != crash->at)
                return;
        memcpy(crash->where, where, sizeof(where));
        crash_disk_leave(crash->power);
        kill(getpid(), SIGKILL);
        for (;;)
                pause();
}

/* --- statements ---------------------------------------------------------------------------- */

/* Both traces are called around each statement, whoever prepared it (sqlite.org/c3ref/c_trace.html):
 * STMT when it first begins to run, PROFILE when it has run. */
static int trace(unsigned kind, void *context, void *statement, void *text)
{
        const char *sql = sqlite3_sql(statement);

        (void)context;
        (void)text;
        if (kind == SQLITE_TRACE_STMT)
                crash_point("sql before \"%.60s\"", sql);
        else
                crash_point("sql after \"%.60s\"", sql);
        return 0;
}

static int meet_connection(sqlite3 *database, const char **ret_words,
                           const struct sqlite3_api_routines *api)
{
        (void)ret_words;
        (void)api;
        sqlite3_wal_autocheckpoint(database, pages);
        return sqlite3_trace_v2(database, SQLITE_TRACE_STMT | SQLITE_TRACE_PROFILE, trace, NULL);
}

void crash_install(struct crash *with, int checkpoint_pages)
{
        crash = with;
        pages = checkpoint_pages;
        crash_disk_install();
        /* the pointer's type is this one whatever the function's is (auto_extension.html) */
        INSIST(sqlite3_auto_extension((void (*)(void))meet_connection) == SQLITE_OK);
}
