/*
 * settings_vendor.c - the station file's words on who installs: our procedures or ST's tool.
 */
#include "station/settings_parts.h"

#include <stdio.h>
#include <string.h>

int settings_read_installer(struct tree *tree, const config_setting_t *setting, void *group)
{
        struct settings *settings = group;
        const char *text = "";
        int r = tree_text(tree, setting, &text);

        if (r < 0)
                return r;
        if (!strcmp(text, "native"))
                settings->installer = INSTALLER_NATIVE;
        else if (!strcmp(text, "vendor"))
                settings->installer = INSTALLER_VENDOR;
        else
                return tree_refuse(tree, tree_line(setting),
                                   "installer is \"%s\", wanted \"native\" or \"vendor\"", text);
        return 0;
}

int settings_read_vendor(struct tree *tree, const config_setting_t *setting, void *group)
{
#define PLACE(member) offsetof(struct settings_vendor, member)
        static const struct key keys[] = {
                { "program", KIND_PATH, PLACE(program), 1, 256, "the path of STM32_Programmer_CLI",
                  NULL, true },
                { "rsse_file", KIND_PATH, PLACE(rsse_file), 1, 256, "the RSSe for the part", NULL,
                  false },
                { "timeout_s", KIND_UNSIGNED, PLACE(timeout_s), 10, 3600, "seconds", NULL, false },
        };
#undef PLACE
        struct settings *settings = group;

        return tree_read_group(tree, setting, keys, LENGTH_OF(keys), &settings->vendor);
}

static unsigned line_of(const struct tree *tree, const char *name)
{
        const config_setting_t *setting = config_lookup(&tree->config, name);

        return setting ? tree_line(setting) : 1;
}

int settings_check_installer(const struct tree *tree, struct settings *settings)
{
        if (settings->installer == INSTALLER_NATIVE)
                return 0;
        if (!settings->vendor.program[0])
                return tree_refuse(tree, line_of(tree, "installer"), "%s",
                                   "installer = \"vendor\" needs the tool; add vendor = { program "
                                   "= \".../STM32_Programmer_CLI\"; };");
        if (settings->is_virtual_time)
                return tree_refuse(tree, line_of(tree, "installer"), "%s",
                                   "virtual time cannot wait for a real program; remove "
                                   "virtual_time, or set installer = \"native\"");
        return 0;
}
