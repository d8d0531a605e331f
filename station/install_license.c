/*
 * install_license.c - one fiber a license asks the desk; the site's own fiber waits for all of them.
 */
#include "station/install_license.h"

#include "station/install.h"
#include "station/lot.h"
#include "station/site.h"
#include "station/station.h"

#include <stdio.h>
#include <string.h>

_Static_assert(INSTALL_LICENSES_MAX <= RSS_LICENSES_MAX, "the slot holds those of all modules");

/* Runs beside the preparation: a card needs 1-2 s. */
static int ask(void *subject)
{
        struct install_license *wanted = subject;
        struct install *install = wanted->install;
        struct ledger_request request = {
                .certificate = &install->certificate,
                .firmware_id = wanted->firmware_id,
                .type = wanted->type,
                .order = install->lot->order.id,
                .site = install->site->settings->name,
        };

        wanted->result =
                desk_license(install->station->desk, &request, wanted->source, &wanted->license);
        if (wanted->result < 0)
                snprintf(wanted->sentence, sizeof(wanted->sentence), "%s",
                         fault_sentence(wanted->result));
        wanted->is_there = true;
        waitlist_wake(&install->license_there);
        return 0;
}

static void want(struct install *install, const char *firmware_id, const char *type,
                 enum license_source source)
{
        struct install_license *wanted = &install->licenses[install->license_count++];

        wanted->install = install;
        wanted->firmware_id = firmware_id;
        wanted->type = type;
        wanted->source = source;
        if (source != LICENSE_GLOBAL) {
                wanted->fiber = fiber_spawn("license", ask, wanted);
                return;
        }
        wanted->license.source = source;
        wanted->license.was_in_hand = true;
        wanted->is_there = true;
}

void licenses_ask(struct install *install)
{
        const struct order *order = &install->lot->order;

        want(install, order->firmware_id, order->license.type, order->license.source);
        for (unsigned i = 0; i < order->module_count; i++)
                want(install, order->modules[i].firmware_id, order->modules[i].type,
                     order_module_source(order));
}

/* The first that failed; NULL when none has. `ret_missing`: some are not there yet. */
static const struct install_license *find_failed(const struct install *install, bool *ret_missing)
{
        *ret_missing = false;
        for (unsigned i = 0; i < install->license_count; i++) {
                const struct install_license *wanted = &install->licenses[i];

                if (wanted->is_there && wanted->result < 0)
                        return wanted;
                *ret_missing |= !wanted->is_there;
        }
        return NULL;
}

/* Not by joining alone: a stop must be able to end this wait. */
int licenses_obtain(struct install *install)
{
        struct record *record = &install->record;
        bool is_missing;

        for (;;) {
                const struct install_license *failed = find_failed(install, &is_missing);
                int r;

                if (failed)
                        return fault((enum fault)(-failed->result), "%s", failed->sentence);
                if (!is_missing)
                        break;
                r = waitlist_wait(&install->license_there, WAIT_FOREVER);
                if (r < 0)
                        return r;
        }
        snprintf(record->license_source, sizeof(record->license_source), "%s",
                 license_source_name(install->licenses[0].license.source));
        record->license_was_in_hand = true;
        for (unsigned i = 0; i < install->license_count; i++)
                record->license_was_in_hand &= install->licenses[i].license.was_in_hand;
        return 0;
}

bool licenses_are_there(const struct install *install)
{
        for (unsigned i = 0; i < install->license_count; i++)
                if (install->licenses[i].license.id)
                        return true;
        return false;
}

int licenses_offer(struct install *install)
{
        for (unsigned i = 0; i < install->license_count; i++) {
                struct install_license *wanted = &install->licenses[i];
                int r = wanted->source == LICENSE_GLOBAL
                                ? 0
                                : ledger_offer(install->station->ledger, wanted->license.id);

                if (r < 0)
                        return r;
                wanted->was_offered = wanted->source != LICENSE_GLOBAL;
        }
        return 0;
}

struct piece licenses_piece(const struct install *install, unsigned index)
{
        const struct install_license *wanted = &install->licenses[index];
        const struct bytes *global = &install->lot->global_license;

        INSIST(index < install->license_count);
        return wanted->source == LICENSE_GLOBAL
                       ? (struct piece){ global->data, global->length }
                       : (struct piece){ wanted->license.bytes, LICENSE_LENGTH };
}

void licenses_copy(const struct install *install, uint8_t *bytes)
{
        for (unsigned i = 0; i < install->license_count; i++) {
                const struct piece piece = licenses_piece(install, i);

                INSIST(piece.length == LICENSE_LENGTH); /* order_load_license() has seen to it */
                memcpy(bytes + i * LICENSE_LENGTH, piece.data, LICENSE_LENGTH);
        }
}

/* What is not known stays offered: in hand for the next attempt on this chip. */
int licenses_settle(struct install *install, int outcome)
{
        struct ledger *ledger = install->station->ledger;
        int result = 0;

        for (unsigned i = 0; i < install->license_count; i++) {
                const struct install_license *wanted = &install->licenses[i];
                int r = 0;

                if (!wanted->was_offered)
                        continue;
                if (outcome == 0)
                        r = ledger_settle(ledger, wanted->license.id, true, "installed");
                else if (outcome == -FAULT_BAD_LICENSE && i == install->progress.license_refused)
                        r = ledger_settle(ledger, wanted->license.id, false,
                                          install->record.sentence);
                if (r < 0)
                        result = r;
        }
        return result;
}

void licenses_end_asking(struct install *install)
{
        for (unsigned i = 0; i < install->license_count; i++)
                if (install->licenses[i].fiber)
                        fiber_cancel(install->licenses[i].fiber);
        for (unsigned i = 0; i < install->license_count; i++) {
                if (install->licenses[i].fiber)
                        (void)fiber_join(install->licenses[i].fiber); /* its result is kept */
                install->licenses[i].fiber = NULL;
        }
}

void licenses_wipe(struct install *install)
{
        for (unsigned i = 0; i < install->license_count; i++)
                wipe(&install->licenses[i].license, sizeof(install->licenses[i].license));
}
