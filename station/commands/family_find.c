/*
 * family_find.c - configs/targets/ is the list of families; a device id is looked up by reading it.
 */
#include "station/commands/family_find.h"

#include "station/text.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOLDER       "targets"
#define ENDING       ".conf"
#define FAMILIES_MAX 64u

struct names {
        char names[FAMILIES_MAX][32];
        size_t count;
};

static int by_name(const void *a, const void *b)
{
        return strcmp(a, b);
}

static int list_families(char folder[static PLACE_LENGTH_MAX], struct names *ret_names)
{
        struct dirent *entry;
        DIR *directory;
        int r = place_find(FOLDER, folder);

        if (r < 0)
                return r;
        directory = opendir(folder);
        if (!directory)
                return fault(FAULT_NOT_FOUND, "%s cannot be read", folder);
        ret_names->count = 0;
        while ((entry = readdir(directory)) && ret_names->count < FAMILIES_MAX) {
                size_t length = strlen(entry->d_name), tail = strlen(ENDING);
                char *name = ret_names->names[ret_names->count];

                if (entry->d_name[0] == '.' || length <= tail ||
                    length - tail >= sizeof(ret_names->names[0]) ||
                    strcmp(entry->d_name + length - tail, ENDING) != 0)
                        continue;
                memcpy(name, entry->d_name, length - tail);
                name[length - tail] = '\0';
                ret_names->count++;
        }
        closedir(directory);
        qsort(ret_names->names, ret_names->count, sizeof(ret_names->names[0]), by_name);
        return 0;
}

static int no_such_family(const char *wanted, const struct names *names)
{
        const char *known[FAMILIES_MAX], *nearest;
        char all[400] = "";

        for (size_t i = 0; i < names->count; i++) {
                size_t used = strlen(all);

                known[i] = names->names[i];
                snprintf(all + used, sizeof(all) - used, " %s", known[i]);
        }
        nearest = text_nearest(wanted, known, sizeof(*known), names->count);
        return fault(FAULT_NOT_FOUND, "there is no family %.40s%s%s%s; there are%s", wanted,
                     nearest ? " (did you mean " : "", nearest ? nearest : "", nearest ? "?)" : "",
                     all);
}

static int load_named(const char *folder, const char *name, struct chosen_family *ret_chosen)
{
        if (snprintf(ret_chosen->path, sizeof(ret_chosen->path), "%s/%s%s", folder, name, ENDING) >=
            (int)sizeof(ret_chosen->path))
                return fault(FAULT_BAD_VALUE, "the path %.80s/... is too long", folder);
        return family_load(ret_chosen->path, &ret_chosen->family);
}

int family_search(family_test *is_it, void *subject, struct chosen_family *ret_chosen)
{
        char folder[PLACE_LENGTH_MAX];
        struct names names;
        int r = list_families(folder, &names), found = 0;

        for (size_t i = 0; r >= 0 && i < names.count; i++) {
                r = load_named(folder, names.names[i], ret_chosen);
                if (r >= 0)
                        found = is_it(subject, &ret_chosen->family);
                if (r >= 0 && found != 0)
                        return found;
        }
        return r < 0 ? r : 0;
}

static int has_device(void *subject, const struct family *family)
{
        const uint32_t *device = subject;

        return family->device_id == *device;
}

static int load_device(uint32_t device, struct chosen_family *ret_chosen)
{
        char folder[PLACE_LENGTH_MAX], id[16];
        struct names names;
        int r = family_search(has_device, &device, ret_chosen);

        if (r != 0)
                return r < 0 ? r : 0;
        r = list_families(folder, &names);
        if (r < 0)
                return r;
        snprintf(id, sizeof(id), "0x%03X", device);
        return no_such_family(id, &names);
}

static int load_family(const char *wanted, struct chosen_family *ret_chosen)
{
        char folder[PLACE_LENGTH_MAX];
        struct names names;
        int r;

        if (strchr(wanted, '/') || strstr(wanted, ENDING)) {
                if (strlen(wanted) >= sizeof(ret_chosen->path))
                        return fault(FAULT_BAD_VALUE, "the path %.80s... is too long", wanted);
                strcpy(ret_chosen->path, wanted);
                return family_load(wanted, &ret_chosen->family);
        }
        r = list_families(folder, &names);
        if (r < 0)
                return r;
        for (size_t i = 0; i < names.count; i++)
                if (strcasecmp(names.names[i], wanted) == 0)
                        return load_named(folder, names.names[i], ret_chosen);
        return no_such_family(wanted, &names);
}

int family_choose(const struct family_choice *choice, struct chosen_family *ret_chosen)
{
        int r;

        if (!choice->family && choice->has_device)
                return load_device(choice->device, ret_chosen);
        r = load_family(choice->family ? choice->family : FAMILY_DEFAULT, ret_chosen);
        if (r < 0)
                return r;
        if (choice->has_device && choice->device != ret_chosen->family.device_id)
                return fault(FAULT_BAD_VALUE,
                             "the device id is 0x%03X, %s has 0x%03X: leave --family away, or name "
                             "the one of the device",
                             choice->device, ret_chosen->family.name, ret_chosen->family.device_id);
        return 0;
}

int family_rss(const struct family *family, const char *named, struct rss_profile *ret_rss)
{
        char path[PLACE_LENGTH_MAX], name[80];
        int r = 0;

        if (!named)
                named = family->rss_profile;
        if (!named[0])
                return 0;
        if (strchr(named, '/') || strstr(named, ENDING)) {
                r = rss_profile_load(named, ret_rss);
                return r < 0 ? r : 1;
        }
        snprintf(name, sizeof(name), "rss/%.60s" ENDING, named);
        r = place_find(name, path);
        if (r >= 0)
                r = rss_profile_load(path, ret_rss);
        return r < 0 ? r : 1;
}
