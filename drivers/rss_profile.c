/*
 * rss_profile.c - read configs/rss/NAME.conf, see that its regions do not overlap, and decide
 * whether a part may be driven with it.
 */
#include "drivers/form.h"
#include "drivers/rss.h"

#include <string.h>

/* What lies in the mailbox ends with the certificate (rss.h). */
#define MAILBOX_LENGTH (0x40u + CERTIFICATE_LENGTH)

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
};

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
        };

        for (size_t i = 0; i < LENGTH_OF(regions); i++) {
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
        if (profile->source == SOURCE_REFERENCE && !profile->marker_address)
                return form_fault(form, config_lookup(&form->config, "marker_address"),
                                  "a reference profile needs a marker, or it would run on real "
                                  "hardware");
        if (profile->command_certificate == profile->command_install)
                return form_fault(form, config_lookup(&form->config, "command_install"),
                                  "both commands are %u", profile->command_install);
        return check_regions(form, profile);
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
