/*
 * install_rsse.c - families that install through an RSSe: L5, U5, WBA, and WL without TrustZone
 * (secure-install.md 13.3; AN5054 section 3.3.1).
 *
 * The certificate is read before. Then TrustZone goes on, the watermarks make the whole flash secure,
 * the secure boot address leads into the RSS: each an option change of its own with a reconnect, as
 * ST's logs show (L562, U535), and only where something differs. With the license in hand RDP goes to
 * 0.5, the RSSe is loaded, and takes license, header and areas. The final option bytes are those of
 * the image.
 *
 * All of this is a prepared part, and a prepared part is what an abort leaves behind: TZEN 1 and RDP
 * 0.5 (U599 log). A regression leads back; it erases the flash, which held at most a part of our own
 * image - but not with an SFIA license, where the rest of the flash is somebody's. A unit found
 * prepared after an interrupted attempt of this order is led back likewise before it is tried again.
 */
#include "station/install_parts.h"

#include "drivers/family_fields.h"
#include "station/log.h"
#include "station/lot.h"
#include "station/station.h"

#include <string.h>

#define RDP_HALF 0x55u /* targets.md 5.1 */

/* --- fields -------------------------------------------------------------------------------- */

/* SECBOOTADD0, the boot address of group "secure"; NULL: the family has none. */
static const struct family_field *secure_boot(const struct family *family)
{
        for (size_t i = 0; i < family->field_count; i++)
                if (family->fields[i].role == ROLE_BOOT &&
                    strcmp(family->fields[i].group, "secure") == 0)
                        return &family->fields[i];
        return NULL;
}

static void set_trustzone(const struct family *family, uint32_t *options)
{
        const struct family_field *trustzone = family_field(family, ROLE_TRUSTZONE);

        if (trustzone)
                family_field_set(trustzone, options, trustzone->on);
}

/* From the first page to the last: start 0, end all ones of a bank's pages (L562, U535 logs). */
static void set_watermarks(const struct family *family, uint32_t *options)
{
        const uint32_t last = family->bank_length / family->sector_length - 1;

        for (size_t i = 0; i < family->field_count; i++) {
                const struct family_field *start = &family->fields[i];

                if (start->role != ROLE_START || start->kind != AREA_WATERMARK)
                        continue;
                family_field_set(start, options, 0);
                for (size_t j = 0; j < family->field_count; j++)
                        if (family->fields[j].role == ROLE_END &&
                            strcmp(family->fields[j].group, start->group) == 0)
                                family_field_set(&family->fields[j], options, last);
        }
}

static void set_boot(const struct family *family, uint32_t *options)
{
        const struct family_field *boot = secure_boot(family);

        if (boot && family->rss_boot)
                family_field_set(boot, options, family->rss_boot / boot->unit);
}

static void set_half_level(const struct family *family, uint32_t *options)
{
        const struct family_field *readout = family_field(family, ROLE_READOUT);

        if (readout && readout->has_half_level)
                family_field_set(readout, options, RDP_HALF);
}

/* --- on the way there ---------------------------------------------------------------------- */

/* Read what the last change left, change, write where it differs (waits). */
static int change(struct install *install,
                  void (*set)(const struct family *family, uint32_t *options))
{
        uint32_t options[OPTION_ROWS_MAX];
        int r = target_read_options(&install->target, options);

        if (r < 0)
                return r;
        set(install->target.family, options);
        return install_write_options(install, options);
}

static int enter_trustzone(struct install *install)
{
        int r = 0;

        if (!family_has_trustzone(install->target.family))
                return 0;
        r = change(install, set_trustzone);
        if (r >= 0)
                r = change(install, set_watermarks);
        return r < 0 ? r : change(install, set_boot);
}

static int enter_half_level(struct install *install)
{
        return change(install, set_half_level);
}

/* --- and back ------------------------------------------------------------------------------ */

/* Does the part stand where our preparation leaves it? Then no image is complete in it: the image's own
 * option bytes would have moved the boot address away from the RSS. */
bool install_is_prepared(const struct family *family, const uint32_t *options)
{
        const struct family_field *boot = secure_boot(family);

        return family_is_trustzone_on(family, options) && boot && family->rss_boot &&
               family_field_get(boot, options) == family->rss_boot / boot->unit;
}

/* To the option bytes in `wanted`, at RDP level 0 with TrustZone off. TrustZone goes only with a
 * regression, and that needs a level to come from (targets.md 7.7). */
static int regress(struct install *install, const uint32_t *wanted)
{
        const struct family *family = install->target.family;
        uint32_t options[OPTION_ROWS_MAX];
        int r = target_read_options(&install->target, options);

        if (r < 0)
                return r;
        if (family_is_trustzone_on(family, options) && family_is_open(family, options)) {
                set_half_level(family, options);
                r = target_write_options(&install->target, options);
        }
        return r < 0 ? r : target_write_options(&install->target, wanted);
}

/* The factory's option bytes, for a unit whose own were overwritten before this attempt. */
static int return_to_virgin(struct install *install)
{
        const struct family *family = install->target.family;
        uint32_t factory[OPTION_ROWS_MAX];
        int r;

        if (!install->must_regress)
                return 0;
        for (size_t i = 0; i < family->option_count; i++)
                factory[i] = family->options[i].factory;
        log_line(install_about(install),
                 "an interrupted attempt left TrustZone on: the flash is erased by a regression");
        r = regress(install, factory);
        return r < 0 ? r : install_check_part(install);
}

static int check_part(struct install *install)
{
        int r = target_read_options(&install->target, install->options);

        if (r < 0)
                return r;
        install->must_regress = install_is_prepared(install->target.family, install->options) &&
                                install_may_erase(install);
        return install->must_regress ? 0 : install_check_conditions(install);
}

bool install_has_configuration(const struct sfi *sfi)
{
        for (unsigned i = 0; i < sfi->count; i++)
                if (sfi->areas[i].type == SFI_CONFIGURATION)
                        return true;
        return false;
}

/* Past the return the flash holds at most a part of the image while the part still leads into the RSS,
 * for the image's own option bytes are the last to come. */
static bool may_be_whole(struct install *install)
{
        uint32_t options[OPTION_ROWS_MAX];

        if (!install->is_past_return)
                return false;
        if (install->image_is_in || install->is_unproven ||
            !install_has_configuration(install->lot->sfi))
                return true;
        return target_read_options(&install->target, options) < 0 ||
               !install_is_prepared(install->target.family, options);
}

/* What can be undone is. Where the image may be whole nothing is touched, for a regression would erase
 * it. */
static const char *put_back(struct install *install)
{
        bool may_erase = strcmp(install->lot->order.license.type, "SFIA") != 0;
        bool is_there;

        if (!install->options_changed) /* without TrustZone nothing is changed before */
                return install->is_past_return ? "; the part is left as it is, its flash may be "
                                                 "written"
                                               : "";
        is_there = target_reattach(&install->target, PUT_BACK_MS) == 0;
        if (is_there && may_be_whole(install))
                return "; the part is left as it is, its image may be whole";
        if (is_there && may_erase && regress(install, install->options) == 0)
                return install->is_past_return
                               ? "; the part was put back by a regression, its flash is erased"
                               : "";
        return may_erase
                       ? "; the part is left with TZEN 1: a regression to RDP level 0 with TZEN 0 "
                         "leads back"
                       : "; the part is left with TZEN 1: the regression that leads back erases "
                         "what is beside the image, so it is not made by itself";
}

/* --- evidence ------------------------------------------------------------------------------ */

/* The RSSe's status was good (rss_install_part). What the option bytes must be is encrypted; but where
 * they still lead into the RSS, those of the image did not come. An image without them leaves that. */
static int prove_result(struct install *install)
{
        const struct family *family = install->target.family;
        int r;

        r = target_read_options(&install->target, install->options);
        if (r < 0)
                return r;
        if (install_has_configuration(install->lot->sfi) &&
            install_is_prepared(family, install->options))
                return fault(FAULT_OPTION_BYTES,
                             "TZEN 1 and the boot into the RSS are still set after the install, "
                             "the image's option bytes did not come");
        log_line(install_about(install), "the RSSe said 0x%08X; the part ends at RDP 0x%02X%s",
                 RSSE_GOOD, family_protection(family, install->options),
                 family_is_trustzone_on(family, install->options) ? " with TZEN 1" : "");
        return 0;
}

static const struct install_step steps[] = {
        { "check the part", check_part },
        { "return to virgin", return_to_virgin },
        { "read the certificate", install_read_certificate },
        { "erase", install_erase_flash },
        { "switch on TrustZone", enter_trustzone },
        { "obtain the license", licenses_obtain },
        { "set RDP level 0.5", enter_half_level },
        { "load the RSSe", install_load_rsse },
        { "install", install_image },
        { "prove the result", prove_result },
};

const struct install_steps install_rsse = { steps, LENGTH_OF(steps), put_back };
