/*
 * install_external.c - the memory outside the part: read before, erased where allowed, programmed between
 * the parts of an image.
 *
 * Each visit is the same: the order's external loader into RAM, its Init, the work, the core let go, a
 * reset; RAM and the RSSe that may have lain there are gone then, so the RSSe is loaded again before the next
 * part. What is to be programmed is fetched before the loader overwrites it.
 *
 * An image may close the part with its last part. External data of that part is then out of reach:
 * the unit is lost and so would be every next one, which stops the line. Images of ours have their option
 * bytes in a part of their own, so this does not happen to them.
 */
#include "station/install_parts.h"

#include "drivers/loader.h"
#include "drivers/rss_external.h"
#include "station/log.h"
#include "station/lot.h"
#include "station/station.h"

#include <stdio.h>

static uint32_t data_length(const struct sfi_area *area)
{
        return area->length - SFI_EXTERNAL_PREFIX_LENGTH;
}

/* --- a visit ------------------------------------------------------------------------------- */

typedef int visit_work(struct install *install, struct loader_run *run, void *argument);

/* Whatever came of the work, the core is let go and reset; the first fault is the one told. */
static int visit(struct install *install, visit_work *work, void *argument)
{
        struct loader_run run;
        int r = loader_start(&install->target, &install->lot->loader, &run);

        if (r < 0)
                return r;
        r = work(install, &run, argument);
        if (r < 0) {
                char sentence[400];

                snprintf(sentence, sizeof(sentence), "%s", fault_sentence(r));
                if (!loader_finish(&run))
                        (void)!target_reset(&install->target, PUT_BACK_MS);
                return fault((enum fault)(-r), "%s", sentence);
        }
        r = loader_finish(&run);
        return r < 0 ? r : target_reset(&install->target, PUT_BACK_MS);
}

/* Call `act` for each external area of the image; the first fault ends it. */
static int each_area(struct install *install, struct loader_run *run,
                     int (*act)(struct loader_run *run, uint32_t address, uint32_t length))
{
        const struct sfi *sfi = install->lot->sfi;
        int r = 0;

        for (unsigned i = 0; i < sfi->count && !r; i++)
                if (sfi->areas[i].type == SFI_EXTERNAL)
                        r = act(run, sfi->areas[i].address, data_length(&sfi->areas[i]));
        return r;
}

/* --- before -------------------------------------------------------------------------------- */

static int check_all(struct install *install, struct loader_run *run, void *unused)
{
        (void)unused;
        return each_area(install, run, loader_check_blank);
}

int install_check_external(struct install *install)
{
        int r;

        if (!install->lot->loader.segment_count)
                return 0;
        r = visit(install, check_all, NULL);
        if (r != -FAULT_NOT_BLANK || !install_may_erase(install))
                return r;
        install->must_erase_external = true;
        return 0;
}

static int erase_area(struct loader_run *run, uint32_t address, uint32_t length)
{
        return loader_erase(run, address, length, NULL);
}

static int erase_all(struct install *install, struct loader_run *run, void *unused)
{
        (void)unused;
        return each_area(install, run, erase_area);
}

int install_erase_external(struct install *install)
{
        return install->must_erase_external ? visit(install, erase_all, NULL) : 0;
}

/* --- between parts ------------------------------------------------------------------------- */

static int program_all(struct install *install, struct loader_run *run, void *argument)
{
        const struct rss_externals *externals = argument;
        int r = 0;

        for (unsigned i = 0; i < externals->count && !r; i++) {
                const struct rss_external *area = &externals->areas[i];

                /* the words of ST's log, AN5054 figure 65 */
                log_line(install_about(install),
                         "downloading area [%u] data for external flash at address 0x%08X",
                         area->index, area->address);
                r = loader_write(run, area->address, area->data, area->length, NULL);
        }
        return r;
}

int install_program_external(struct install *install, const struct sfi_part *part, bool is_last)
{
        struct rss_externals externals CLEANUP(rss_externals_free) = { 0 };
        const struct lot *lot = install->lot;
        int r;

        if (!rss_has_external(lot->sfi, part))
                return 0;
        if (install->end == RSS_END_CLOSED)
                return fault(
                        FAULT_BAD_IMAGE,
                        "external flash: the image closed the part before its external data could "
                        "be fetched; seal it again with gangway sfi create, which gives the option "
                        "bytes a part of their own, or with option bytes that leave debug access");
        r = rss_read_externals(&install->target, &install->station->rss, lot->sfi, part,
                               &externals);
        if (!r)
                r = visit(install, program_all, &externals);
        if (!r && !is_last && install->target.family->procedure != PROCEDURE_RSS_ROM)
                r = install_load_rsse(install);
        return r < 0 ? fault_prefix(r, "external flash") : 0;
}
