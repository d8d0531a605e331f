#include "tests/rigs/parts/lot.h"

#include "scheduler/fiber.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct site {
        struct desk *desk;
        struct ledger *ledger;
        struct fiber *fiber;
        unsigned each, served;
};

struct lot_run {
        struct site sites[LOT_SITES];
};

void lot_certificate(unsigned number, struct certificate *ret_certificate)
{
        uint8_t seed[32] = { 0 }, secret[PRIVATE_KEY_LENGTH], bytes[CERTIFICATE_LENGTH];

        memcpy(seed, &number, sizeof(number));
        memset(bytes, 1, sizeof(bytes));
        memcpy(bytes, "45002001", 8);
        license_chip_key(seed, secret, bytes + 8);
        if (certificate_parse(bytes, sizeof(bytes), NULL, ret_certificate) < 0)
                abort();
}

static int serve_one(struct site *site, unsigned number)
{
        struct certificate certificate;
        struct ledger_request request = { &certificate, "TEST_1", "SFI", "RIG", "1" };
        struct ledger_license license;
        int r;

        lot_certificate(number, &certificate);
        r = desk_license(site->desk, &request, LICENSE_FROM_CARD, &license);
        if (r < 0 || number % 2 == 0)
                return r;
        r = ledger_offer(site->ledger, license.id);
        return r < 0 ? r : ledger_settle(site->ledger, license.id, true, "");
}

static int site_procedure(void *subject)
{
        static unsigned numbers = 1000;
        struct site *site = subject;

        for (unsigned i = 0; i < site->each; i++) {
                int r = serve_one(site, numbers++);

                site->served += r >= 0;
                if (r < 0)
                        printf("# %s: %s\n", fault_name(r), fault_sentence(r));
        }
        return 0;
}

struct lot_run *lot_start(struct desk *desk, struct ledger *ledger, unsigned each)
{
        struct lot_run *run = calloc(1, sizeof(*run));

        INSIST(run);
        for (unsigned i = 0; i < LOT_SITES; i++) {
                run->sites[i] = (struct site){ .desk = desk, .ledger = ledger, .each = each };
                run->sites[i].fiber = fiber_spawn("site", site_procedure, &run->sites[i]);
        }
        return run;
}

unsigned lot_finish(struct lot_run *run)
{
        unsigned served = 0;

        for (unsigned i = 0; i < LOT_SITES; i++) {
                IGNORE(fiber_join(run->sites[i].fiber)); /* its count says what came of it */
                served += run->sites[i].served;
        }
        free(run);
        return served;
}
