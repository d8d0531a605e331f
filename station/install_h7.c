/*
 * install_h7.c - where SECURITY starts an RSS in ROM: the H7 lines (AN5054 figure 65; secure-install.md
 * 13.2).
 *
 * SECURITY and ST_RAM_SIZE are set before, where they are not; each part of the image is a reset into
 * the RSS; in the end the RSS has told its complete value and the part itself must show SECURITY.
 */
#include "station/install_parts.h"

#include "drivers/family_fields.h"

#include <string.h>

/* SECURITY = 1 and ST_RAM_SIZE = 3, written only where they differ (AN5054 figure 65). */
static int activate_security(struct install *install)
{
        uint32_t options[OPTION_ROWS_MAX];

        memcpy(options, install->options, sizeof(options));
        family_secure(install->target.family, options);
        return install_write_options(install, options);
}

/* The RSS reported complete value 0 (rss_install_part), and the part itself must show that it is secure.
 * Its other option bytes cannot be compared: the image's configuration area is encrypted. */
static int prove_result(struct install *install)
{
        int r = target_read_options(&install->target, install->options);

        if (r < 0)
                return r;
        if (!family_is_secure(install->target.family, install->options))
                return fault(FAULT_OPTION_BYTES, "SECURITY reads 0 after the install");
        return 0;
}

/* Before the point of no return the part is given back as it came; how it is left otherwise is said. */
static const char *put_back(struct install *install)
{
        if (install->is_past_return)
                return "; the part is left secured and partly installed";
        if (install->options_changed &&
            target_write_options(&install->target, install->options) < 0)
                return "; the part is left with SECURITY set";
        return "";
}

static const struct install_step steps[] = {
        { "check the part", install_check_part },
        { "read the certificate", install_read_certificate },
        { "erase", install_erase_flash },
        { "activate security", activate_security },
        { "obtain the license", licenses_obtain },
        { "install", install_image },
        { "prove the result", prove_result },
};

const struct install_steps install_rss_rom = { steps, LENGTH_OF(steps), put_back };
