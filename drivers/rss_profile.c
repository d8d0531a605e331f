/*
 * rss_profile.c - read configs/rss/NAME.conf, see that its regions do not overlap, and decide
 * whether a part may be driven with it.
 */
#include "drivers/form.h"
#include "drivers/rss.h"

#include <stdio.h>
#include <string.h>

/* What lies in the mailbox ends with the certificate (rss.h). */
#define MAILBOX_LENGTH (0x40u + CERTIFICATE_LENGTH)

#define OPTIONAL(name_, low_, high_, multiple_)                                                    \
        {                                                                                          \
                .key = #name_, .kind = FORM_U32, .offset = offsetof(struct rss_profile, name_),    \
                .low = low_, .high = high_, .multiple = multiple_, .is_optional = true             \
        }

static const char *const sources[] = { "reference", "document", "silicon", NULL };
static const char *const policies[] = { "big-endian", "last-word-le", "first-word-le",
                                        "last-word-be", NULL };
_Static_assert(LENGTH_OF(policies) == SFI_IV_POLICIES + 1, "one word a policy, in its order");

#define FIELD(name_, kind_, low_, high_, multiple_)                                                \
        {                                                                                          \
                .key = #name_, .kind = kind_, .offset = offsetof(struct rss_profile, name_),       \
                .low = low_, .high = high_, .multiple = multiple_                                  \
        }
#define TEXT_FIELD(name_)                                                                          \
        {                                                                                          \
                .key = #name_, .kind = FORM_TEXT, .offset = offsetof(struct rss_profile, name_),   \
                .capacity = sizeof(((struct rss_profile *)0)->name_)                               \
        }
#define ANY UINT32_MAX

static const struct form_field fields[] = {
        TEXT_FIELD(name),
        { .key = "source",
          .kind = FORM_CHOICE,
          .offset = offsetof(struct rss_profile, source),
          .choices = sources },
        TEXT_FIELD(gap),
        FIELD(mailbox, FORM_U32, 0, ANY, 4),
        FIELD(license, FORM_U32, 0, ANY, 4),
        FIELD(header, FORM_U32, 0, ANY, 4),
        FIELD(areas, FORM_U32, 0, ANY, 4),
        FIELD(areas_capacity, FORM_U32, 256, 1u << 28, 4),
        { .key = "takes_global",
          .kind = FORM_BOOL,
          .offset = offsetof(struct rss_profile, takes_global) },
        FIELD(marker_address, FORM_U32, 0, ANY, 4),
        TEXT_FIELD(marker),
        FIELD(command_certificate, FORM_U32, 1, ANY, 0),
        FIELD(command_install, FORM_U32, 1, ANY, 0),
        FIELD(certificate_timeout_ms, FORM_UNSIGNED, 1, 600000, 0),
        FIELD(install_timeout_ms, FORM_UNSIGNED, 1, 600000, 0),
        { .key = "iv_policy",
          .kind = FORM_CHOICE,
          .offset = offsetof(struct rss_profile, iv_policy),
          .choices = policies },
        OPTIONAL(rsse_address, 4, ANY, 4),
        OPTIONAL(rsse_capacity, 64, 1u << 20, 4),
        OPTIONAL(command_rsse, 1, ANY, 0),
        OPTIONAL(rsse_timeout_ms, 1, 600000, 0),
        OPTIONAL(show_ms, 1, 600000, 0),
        { .key = "rsse", .kind = FORM_OWN, .is_optional = true },
};

static const struct form_field rsse_fields[] = {
        { .key = "device",
          .kind = FORM_U16,
          .low = 1,
          .high = 0xFFF,
          .offset = offsetof(struct rsse_file, device) },
        { .key = "file",
          .kind = FORM_TEXT,
          .offset = offsetof(struct rsse_file, file),
          .capacity = 128 },
};

/* --- RSSe ----------------------------------------------------------------------------------- */

/* Beside the profile, unless the path is absolute. */
static int resolve(const struct form *form, config_setting_t *setting, char *path, size_t capacity)
{
        const char *slash = strrchr(form->path, '/');
        size_t directory = slash && path[0] != '/' ? (size_t)(slash - form->path) + 1 : 0;
        char name[128];

        snprintf(name, sizeof(name), "%.127s", path);
        if (directory + strlen(name) >= capacity)
                return form_fault(form, setting, "rsse: the path of %s is too long", name);
        snprintf(path, capacity, "%.*s%s", (int)directory, form->path, name);
        return 0;
}

static int read_rsse(const struct form *form, struct rss_profile *profile)
{
        config_setting_t *list = config_lookup(&form->config, "rsse");
        unsigned count = list ? (unsigned)config_setting_length(list) : 0;

        if (!list)
                return 0;
        if (!config_setting_is_list(list) || !count || count > RSSE_FILES_MAX)
                return form_fault(form, list,
                                  "rsse: expected ( { device = ...; file = ...; }, ... ), 1 to %u",
                                  RSSE_FILES_MAX);
        for (unsigned i = 0; i < count; i++) {
                config_setting_t *group = config_setting_get_elem(list, i);
                struct rsse_file *rsse = &profile->rsse[i];
                int r;

                if (!config_setting_is_group(group))
                        return form_fault(form, group, "rsse: element %u is not a group", i + 1);
                r = form_read(form, group, rsse_fields, LENGTH_OF(rsse_fields), rsse);
                if (r >= 0)
                        r = resolve(form, group, rsse->file, sizeof(rsse->file));
                if (r < 0)
                        return r;
        }
        profile->rsse_count = count;
        return 0;
}

/* All of its keys, or none. */
static int check_rsse(const struct form *form, const struct rss_profile *profile)
{
        int there = (profile->rsse_address != 0) + (profile->rsse_capacity != 0) +
                    (profile->command_rsse != 0) + (profile->rsse_timeout_ms != 0) +
                    (profile->show_ms != 0) + (profile->rsse_count != 0);

        if (there != 0 && there != 6)
                return form_fault(form, config_root_setting(&form->config),
                                  "rsse, rsse_address, rsse_capacity, command_rsse, "
                                  "rsse_timeout_ms and show_ms belong together");
        if (profile->command_rsse == profile->command_certificate ||
            profile->command_rsse == profile->command_install)
                return form_fault(form, config_lookup(&form->config, "command_rsse"),
                                  "two commands are %u", profile->command_rsse);
        return 0;
}

struct region {
        const char *name;
        uint32_t address, length;
};

static int check_regions(const struct form *form, const struct rss_profile *profile)
{
        const struct region regions[] = {
                { "mailbox", profile->mailbox, MAILBOX_LENGTH },
                { "license", profile->license, RSS_LICENSES_MAX * LICENSE_LENGTH },
                { "header", profile->header, SFI_HEADER_LENGTH },
                { "areas", profile->areas, profile->areas_capacity },
                { "rsse_address", profile->rsse_address, profile->rsse_capacity },
        };
        size_t count = LENGTH_OF(regions) - !profile->rsse_capacity;

        for (size_t i = 0; i < count; i++) {
                const struct region *a = &regions[i];
                config_setting_t *setting = config_lookup(&form->config, a->name);

                if (a->length - 1 > UINT32_MAX - a->address)
                        return form_fault(form, setting, "%s leaves the address space", a->name);
                for (size_t j = 0; j < i; j++)
                        if (a->address < regions[j].address + (uint64_t)regions[j].length &&
                            regions[j].address < a->address + (uint64_t)a->length)
                                return form_fault(form, setting,
                                                  "%s (0x%X bytes at 0x%08X) overlaps %s", a->name,
                                                  a->length, a->address, regions[j].name);
        }
        return 0;
}

static int check(const struct form *form, const struct rss_profile *profile)
{
        int r;

        if (profile->source == SOURCE_REFERENCE && !profile->marker_address)
                return form_fault(form, config_lookup(&form->config, "marker_address"),
                                  "a reference profile needs a marker, or it would run on real "
                                  "hardware");
        if (profile->command_certificate == profile->command_install)
                return form_fault(form, config_lookup(&form->config, "command_install"),
                                  "both commands are %u", profile->command_install);
        r = check_rsse(form, profile);
        return r < 0 ? r : check_regions(form, profile);
}

int rss_profile_load(const char *path, struct rss_profile *ret_profile)
{
        CLEANUP(form_close) struct form form;
        struct rss_profile profile = { 0 };
        int r = form_open(path, &form);

        if (r < 0)
                return r;
        r = form_read(&form, config_root_setting(&form.config), fields, LENGTH_OF(fields),
                      &profile);
        if (r < 0)
                return r;
        r = read_rsse(&form, &profile);
        if (r < 0)
                return r;
        r = check(&form, &profile);
        if (r < 0)
                return r;
        *ret_profile = profile;
        return 0;
}

int rss_check_allowed(struct target *target, const struct rss_profile *profile)
{
        char found[sizeof(profile->marker)] = "";
        size_t length = strnlen(profile->marker, sizeof(profile->marker));
        int r;

        if (profile->source != SOURCE_REFERENCE)
                return 0;
        r = profile->marker_address && length
                    ? target_read(target, profile->marker_address, found, length)
                    : -FAULT_TARGET_ACCESS;
        if (r < 0 && r != -FAULT_TARGET_ACCESS)
                return r;
        if (!r && memcmp(found, profile->marker, length) == 0)
                return 0;
        return fault(FAULT_REFERENCE_ONLY,
                     "profile %s is a reference for the simulator, and this part does not carry "
                     "its marker at 0x%08X; what is missing: %s",
                     profile->name, profile->marker_address, profile->gap);
}
