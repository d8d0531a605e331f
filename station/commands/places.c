#include "station/commands/places.h"

#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int place_find(const char *name, char ret_path[static PLACE_LENGTH_MAX])
{
        static const char *const beside[] = { "../configs", "../share/gangway", "../../configs" };
        char program[256], path[PLACE_LENGTH_MAX], *directory;
        ssize_t length;

        snprintf(path, sizeof(path), "configs/%s", name);
        length = readlink("/proc/self/exe", program, sizeof(program) - 1);
        program[length > 0 ? length : 0] = '\0';
        directory = dirname(program);
        for (size_t i = 0; i <= LENGTH_OF(beside); i++) {
                if (access(path, R_OK) == 0) {
                        strcpy(ret_path, path);
                        return 0;
                }
                if (i < LENGTH_OF(beside) && snprintf(path, sizeof(path), "%s/%s/%s", directory,
                                                      beside[i], name) >= (int)sizeof(path))
                        break;
        }
        return fault(FAULT_NOT_FOUND,
                     "configs/%s is neither here nor beside %s: name the file by its option", name,
                     directory);
}
