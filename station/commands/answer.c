/*
 * jansson makes no value of a text that is not UTF-8, and then none of the object around it: what is
 * missing is found here, where it would be printed.
 */
#include "station/commands/answer.h"

#include <stdio.h>
#include <stdlib.h>

int answer_json(json_t *object, int exit_code)
{
        char *text = json_dumps(object, JSON_INDENT(2));

        json_decref(object);
        if (!text)
                return fault(FAULT_SYSTEM,
                             "no answer as JSON: a name in it is not UTF-8, or there is no memory");
        puts(text);
        free(text);
        return exit_code;
}

json_t *answer_text(const char *text)
{
        json_t *value = json_string(text);

        return value ? value : json_string("(not UTF-8)");
}
