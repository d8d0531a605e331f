#include "station/log.h"

#include "scheduler/loop.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

void log_line(const char *about, const char *format, ...)
{
        char stamp[25], text[512];
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        for (char *c = text; *c; c++)
                if (iscntrl((unsigned char)*c))
                        *c = '?';
        printf("%s %s: %s\n", clock_iso8601(clock_calendar_us(), stamp), about, text);
        fflush(stdout);
}
