#include "tests/support/vendor_rig.h"

#include "tests/support/test.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[256], program[320];

const char *vendor_rig(const char *directory)
{
        char here[PATH_MAX], script[PATH_MAX + 64];

        if (access("/usr/bin/python3", X_OK) != 0) {
                printf("# python3 is not here\n");
                skip();
        }
        assert_non_null(getcwd(here, sizeof(here)));
        snprintf(script, sizeof(script), "%s/tests/rigs/fake_programmer.py", here);
        snprintf(folder, sizeof(folder), "%s/tool", directory);
        snprintf(program, sizeof(program), "%s/STM32_Programmer_CLI", folder);
        assert_int_equal(access(script, X_OK), 0);
        assert_int_equal(mkdir(folder, 0755), 0);
        assert_int_equal(symlink(script, program), 0);
        return program;
}

void vendor_rig_file(const char *name, const char *text)
{
        char path[512];
        FILE *file;

        snprintf(path, sizeof(path), "%s/%s", folder, name);
        file = fopen(path, "w");
        assert_non_null(file);
        assert_true(fputs(text, file) >= 0);
        assert_int_equal(fclose(file), 0);
}

void vendor_rig_scenario(const char *serial, const char *name)
{
        char file[128];

        snprintf(file, sizeof(file), "scenario%s%s", serial ? "." : "", serial ? serial : "");
        vendor_rig_file(file, name);
}

char *vendor_rig_calls(void)
{
        char path[320];
        char *text = NULL;
        size_t capacity = 0;
        FILE *file;

        snprintf(path, sizeof(path), "%s/calls", folder);
        file = fopen(path, "r");
        if (!file)
                return strdup("");
        if (getdelim(&text, &capacity, '\0', file) < 0)
                text[0] = '\0';
        fclose(file);
        return text;
}
