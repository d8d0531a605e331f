/*
 * install_state.c - families with product states: H5 and H7RS (secure-install.md 13.4; AN5054 sections 9
 * and 10).
 *
 * The part is open when it comes; an RSSe does all the rest and the image's option bytes close the part
 * in the end. Losing debug access is how a good install ends here, and how a bad one may end too. So
 * the verdict stands on two things: the status the RSSe showed before it closed, and the debug port,
 * which must still answer with its id while the access port is gone. Anything less is not provable.
 *
 * Product states only go forward. An install that breaks off among the areas leaves an H5 in
 * provisioning (H533 log: 0x17, BOOT_UBE 0xC3), and only debug authentication leads back from there.
 */
#include "station/install_parts.h"

#include "drivers/family_fields.h"
#include "station/log.h"

static const char *put_back(struct install *install)
{
        uint32_t options[OPTION_ROWS_MAX];

        if (!install->is_past_return)
                return "";
        if (target_reattach(&install->target, PUT_BACK_MS) < 0 ||
            target_read_options(&install->target, options) < 0)
                return "; how the part is left cannot be read";
        return family_is_open(install->target.family, options)
                       ? "; the part is left open and partly installed"
                       : "; the part is left in another product state: only a regression by debug "
                         "authentication leads back";
}

/* The RSSe's status was good; how the part stands now (rss.h). */
static int prove_result(struct install *install)
{
        const struct family *family = install->target.family;
        int r;

        if (install->end == RSS_END_CLOSED) {
                log_line(install_about(install),
                         "the RSSe said 0x%08X, then the part closed: the debug port answers "
                         "0x%08X, access port %u is gone",
                         RSSE_GOOD, family->dpidr, family->access_port);
                return 0;
        }
        r = target_read_options(&install->target, install->options);
        if (r < 0)
                return r;
        log_line(install_about(install), "the RSSe said 0x%08X; the product state reads 0x%02X",
                 RSSE_GOOD, family_protection(family, install->options));
        return 0;
}

static const struct install_step steps[] = {
        { "check the part", install_check_part },
        { "read the certificate", install_read_certificate },
        { "erase", install_erase_flash },
        { "obtain the license", licenses_obtain },
        { "load the RSSe", install_load_rsse },
        { "install", install_image },
        { "prove the result", prove_result },
};

const struct install_steps install_state = { steps, LENGTH_OF(steps), put_back };
