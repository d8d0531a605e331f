/*
 * pcsc_name.c - looking through pcscd's list of readers, and telling one model's readers by number.
 */
#include "drivers/pcsc_name.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAIL_LENGTH 6u /* " NN SS" */

const char *pcsc_name_next(const char *name)
{
        return name + strlen(name) + 1;
}

bool pcsc_name_is_slot(const char *wanted)
{
        return *wanted && wanted[strspn(wanted, "0123456789")] == '\0';
}

static const char *find_exact(const char *names, const char *wanted)
{
        for (const char *name = names; *name; name = pcsc_name_next(name))
                if (strcmp(name, wanted) == 0)
                        return name;
        return NULL;
}

static const char *find_slot(const char *names, const char *wanted)
{
        unsigned long slot = strtoul(wanted, NULL, 10), number = 1;

        for (const char *name = names; *name; name = pcsc_name_next(name), number++)
                if (number == slot)
                        return name;
        return NULL;
}

static const char *find_only_start(const char *names, const char *wanted)
{
        const char *found = NULL;

        for (const char *name = names; *name && *wanted; name = pcsc_name_next(name)) {
                if (strncmp(name, wanted, strlen(wanted)) != 0)
                        continue;
                if (found)
                        return NULL;
                found = name;
        }
        return found;
}

const char *pcsc_name_match(const char *names, const char *wanted)
{
        const char *found = find_exact(names, wanted);

        return found || pcsc_name_is_slot(wanted) ? found : find_only_start(names, wanted);
}

const char *pcsc_name_find(const char *names, const char *wanted)
{
        const char *found = pcsc_name_match(names, wanted);

        return found || !pcsc_name_is_slot(wanted) ? found : find_slot(names, wanted);
}

/* Where " NN SS" begins; 0: the name ends otherwise. */
static size_t find_tail(const char *name)
{
        size_t length = strlen(name);
        const char *tail;

        if (length <= TAIL_LENGTH)
                return 0;
        tail = name + length - TAIL_LENGTH;
        if (tail[0] != ' ' || tail[3] != ' ' || !isxdigit((unsigned char)tail[1]) ||
            !isxdigit((unsigned char)tail[2]) || !isxdigit((unsigned char)tail[4]) ||
            !isxdigit((unsigned char)tail[5]))
                return 0;
        return length - TAIL_LENGTH;
}

bool pcsc_name_is_same_model(const char *a, const char *b)
{
        size_t length = find_tail(a);

        return length > 0 && length == find_tail(b) && memcmp(a, b, length) == 0 &&
               strcmp(a + length + 3, b + length + 3) == 0;
}

void pcsc_name_list(const char *names, char *ret_text, size_t capacity)
{
        snprintf(ret_text, capacity, "%s", *names ? "" : "none, plug one in");
        for (; *names; names = pcsc_name_next(names)) {
                size_t length = strlen(ret_text);

                snprintf(ret_text + length, capacity - length, "%s\"%.127s\"", length ? ", " : "",
                         names);
        }
}
