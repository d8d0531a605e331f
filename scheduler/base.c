/*
 * base.c - the end of the program when one of our own beliefs turns out wrong.
 */
#include "scheduler/base.h"

#include "scheduler/inside.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void insist_failed(const char *claim, const char *file, int line)
{
        const char *fiber = loop_running_name();
        char thread[16] = "?";

        if (fiber) {
                fprintf(stderr, "%s:%d: fiber \"%s\": it does not hold that %s\n", file, line,
                        fiber, claim);
        } else {
                (void)pthread_getname_np(pthread_self(), thread, sizeof(thread));
                fprintf(stderr, "%s:%d: no fiber, thread \"%s\": it does not hold that %s\n", file,
                        line, thread, claim);
        }
        abort();
}
