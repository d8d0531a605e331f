/*
 * install_vendor_proof.c - what the part itself says after an install by the vendor's tool.
 *
 * The tool's words and its exit code have been judged by then (vendor_judge). Our own driver has the probe
 * again and looks at what every part shows of itself as long as it is not closed: who it is, its option
 * bytes, whether there is anything in the flash. What the image's option bytes are is encrypted, so only
 * what no install can leave behind contradicts:
 *
 *      another part answers
 *      SECURITY is off where it starts the RSS (AN5054 figure 65: the tool switches it on)
 *      TrustZone is on and the part boots into the RSS, though the image brings option bytes: they did
 *              not come (log U599 of spec/secure-install.md section 17)
 *      the part is open and all flash the image is for is erased
 *
 * A part that does not answer any more proves nothing either way; losing debug access is how a good
 * install of a closed part ends (section 13.4). Then the verdict is the tool's word, and the log says so.
 */
#include "station/install_parts.h"

#include "drivers/family_fields.h"
#include "station/log.h"
#include "station/lot.h"
#include "station/site.h"
#include "station/station.h"

#include <stdio.h>
#include <string.h>

/* What could be read. */
struct evidence {
        bool answers;  /* the debug port and the access port */
        bool is_shut;  /* the debug port answers, the access port is gone */
        bool is_known; /* its unique id could be read, and is the one of before */
        bool has_options;
        uint32_t options[OPTION_ROWS_MAX];
        bool has_looked, is_erased; /* the flash was looked at: all the image is for is erased */
};

/* A part whose memory is shut may read as nothing at all. */
static bool is_readable(const struct target_identity *identity)
{
        const uint32_t *words = identity->unique_id;

        return !(words[0] == words[1] && words[1] == words[2] &&
                 (words[0] == 0 || words[0] == UINT32_MAX));
}

/* It may still be on its way out of a reset. */
static int reach(struct install *install, struct evidence *evidence)
{
        struct target *target = &install->target;
        bool is_shut = false;
        int r;

        if (!install->site->probe.wire)
                return 0;
        r = target_attach(target, install->station->settings.clock_khz);
        if (r < 0 && target_may_come_back(r))
                r = target_reattach(target, PUT_BACK_MS);
        evidence->answers = r == 0;
        if (r < 0 && r != -FAULT_CANCELLED &&
            install->target.family->procedure == PROCEDURE_STATE &&
            target_check_shut(target, &is_shut) == 0)
                evidence->is_shut = is_shut;
        return r == -FAULT_CANCELLED ? r : 0;
}

static int check_identity(struct install *install, struct evidence *evidence)
{
        struct target_identity found;
        int r = target_identify(&install->target, &found);

        if (r == -FAULT_WRONG_PART) {
                char sentence[300];

                snprintf(sentence, sizeof(sentence), "%s", fault_sentence(r));
                return fault(FAULT_NOT_PROVABLE, "after the install: %s", sentence);
        }
        if (r < 0 || !is_readable(&found))
                return r == -FAULT_CANCELLED ? r : 0;
        if (strcmp(found.unique_id_text, install->identity.unique_id_text) != 0)
                return fault(FAULT_NOT_PROVABLE,
                             "after the install part %s answers, before it was %s",
                             found.unique_id_text, install->identity.unique_id_text);
        evidence->is_known = true;
        return 0;
}

/* Only where a debugger sees everything; the first byte that is not erased is enough. */
static int look_at_flash(struct install *install, struct evidence *evidence)
{
        const struct family *family = install->target.family;
        const struct sfi *sfi = install->lot->sfi;
        int r = 0;

        for (unsigned i = 0; i < sfi->count && r == 0; i++) {
                const struct sfi_area *area = &sfi->areas[i];
                uint32_t start = family_plain_address(family, area->address);

                if (area->type != SFI_FIRMWARE && area->type != SFI_MODULE)
                        continue;
                evidence->has_looked = true;
                r = target_check_blank(&install->target, start - start % 4,
                                       (area->length + 3) / 4 * 4);
        }
        evidence->is_erased = evidence->has_looked && r == 0;
        return r == -FAULT_CANCELLED ? r : 0;
}

static int gather(struct install *install, struct evidence *evidence)
{
        const struct family *family = install->target.family;
        int r = reach(install, evidence);

        if (r < 0 || !evidence->answers)
                return r;
        r = check_identity(install, evidence);
        if (r < 0)
                return r;
        r = target_read_options(&install->target, evidence->options);
        evidence->has_options = r == 0;
        if (evidence->has_options && family_is_open(family, evidence->options))
                r = look_at_flash(install, evidence);
        return r == -FAULT_CANCELLED ? r : 0;
}

static int judge(const struct install *install, const struct evidence *evidence)
{
        const struct family *family = install->target.family;

        if (!evidence->has_options)
                return 0;
        if (family->procedure == PROCEDURE_RSS_ROM && !family_is_secure(family, evidence->options))
                return fault(FAULT_NOT_PROVABLE,
                             "the vendor's tool reports success, and SECURITY reads 0");
        if (install_has_configuration(install->lot->sfi) &&
            install_is_prepared(family, evidence->options))
                return fault(FAULT_NOT_PROVABLE,
                             "the vendor's tool reports success, and TZEN 1 with the boot into the "
                             "RSS is still set: the image's option bytes did not come");
        if (evidence->is_erased)
                return fault(FAULT_NOT_PROVABLE,
                             "the vendor's tool reports success, and the flash the image is for is "
                             "erased");
        return 0;
}

/* "RDP 0xBB, TrustZone on" */
static const char *describe(const struct family *family, const uint32_t *options)
{
        static char text[64];

        snprintf(text, sizeof(text), "%s 0x%02X%s",
                 family_field(family, ROLE_READOUT) ? "RDP" : "product state",
                 family_protection(family, options),
                 family_is_trustzone_on(family, options) ? " with TrustZone on" : "");
        return text;
}

static void tell(struct install *install, const struct evidence *evidence)
{
        const char *about = install_about(install);

        if (evidence->has_options)
                log_line(about, "the vendor's tool reports success; %s reads %s%s",
                         evidence->is_known ? "the part" : "a part",
                         describe(install->target.family, evidence->options),
                         evidence->has_looked ? ", its flash is written" : "");
        else if (evidence->is_shut)
                log_line(about,
                         "the vendor's tool reports success; the debug port answers and access "
                         "port %u is gone: the part is closed",
                         install->target.family->access_port);
        else
                log_line(about,
                         "the vendor's tool reports success, and nothing can be read of the part: "
                         "that is its word alone");
}

int install_vendor_prove(struct install *install)
{
        struct evidence evidence = { .answers = false };
        int r = gather(install, &evidence);

        if (r == 0)
                r = judge(install, &evidence);
        if (r == 0)
                tell(install, &evidence);
        return r;
}

const char *install_vendor_left(struct install *install)
{
        static char text[200];
        uint32_t options[OPTION_ROWS_MAX];
        unsigned clock_khz = install->station->settings.clock_khz;
        bool is_there =
                install->site->probe.wire && (target_attach(&install->target, clock_khz) == 0 ||
                                              target_reattach(&install->target, PUT_BACK_MS) == 0);

        if (!is_there || target_read_options(&install->target, options) < 0)
                return "; the part may be changed and partly installed, and cannot be read";
        snprintf(text, sizeof(text), "; the part may be changed and partly installed: it reads %s",
                 describe(install->target.family, options));
        return text;
}
