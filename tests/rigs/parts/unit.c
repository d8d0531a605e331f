/*
 * What a station does to a board, without the station: key and nonce are known here, so the license is made in
 * place from the part's certificate.
 */
#include "tests/rigs/parts/unit.h"

#include "crypto/license.h"
#include "drivers/family_fields.h"
#include "drivers/target.h"
#include "scheduler/bytes.h"
#include "tests/support/h75x.h"
#include "tests/support/sealed.h"

#include <stdlib.h>

enum { LENGTH_USUAL = 20000, PARTS_MAX = 4 };

static struct family family;
static struct rss_profile rss;
static const uint8_t key[16] = "a key for tests", nonce[12] = "a nonce here";

int units_load(void)
{
        int r = family_load("configs/targets/stm32h75x.conf", &family);

        return r < 0 ? r : rss_profile_load("configs/rss/reference-h7.conf", &rss);
}

const struct family *units_family(void)
{
        return &family;
}

/* A sealed image of two areas: firmware, and the nine option words. */
static int make_image(size_t length, struct sfi **ret_sfi)
{
        static const uint32_t rows[] = { 0x1026AAD0, 0x81000200, 0x81000200, 0x81000200, 0x81000200,
                                         0xFFFFFFFF, 0xFFFFFFFF, 0x24000800, 0x10000810 };
        uint8_t *code = malloc(length), words[4 * LENGTH_OF(rows)];
        const struct sfi_plain_area areas[] = {
                { SFI_FIRMWARE, 0x08000000, code, length / 32 * 32 },
                { SFI_CONFIGURATION, 0, words, sizeof(words) },
        };
        struct sfi_recipe recipe = { .protocol = 2, .areas = areas, .count = 2 };
        struct bytes file;

        INSIST(code);
        for (size_t i = 0; i < length; i++)
                code[i] = (uint8_t)(i * 7);
        for (unsigned i = 0; i < LENGTH_OF(rows); i++)
                store_le32(words + 4 * i, rows[i]);
        file = sealed_file(&recipe, key, nonce, NULL);
        free(code);
        return sfi_parse("unit.sfi", file, ret_sfi);
}

/* Attached, identified, allowed, and secured: the certificate is in hand. */
static int prepare(struct target *target, struct certificate *ret_certificate)
{
        struct target_identity identity;
        uint32_t options[OPTION_ROWS_MAX];
        unsigned mv = 0;
        int r = stlink_voltage_mv(target->probe, &mv);

        if (!r && (mv < 3000 || mv > 3600))
                return fault(FAULT_BAD_VALUE, "the target has %u mV, expected 3300", mv);
        if (!r)
                r = target_attach(target, 24000);
        if (!r)
                r = target_identify(target, &identity);
        if (!r && identity.device_id != 0x450)
                return fault(FAULT_BAD_VALUE, "device id 0x%03X, expected 0x450",
                             identity.device_id);
        if (!r)
                r = target_check_boot(target);
        if (!r)
                r = rss_check_allowed(target, &rss);
        if (!r)
                r = rss_read_certificate(target, &rss, ret_certificate);
        if (!r)
                r = target_read_options(target, options);
        if (r < 0 || family_is_secure(&family, options))
                return r;
        options[0] |= H75X_SECURITY | H75X_ST_RAM_SIZE_3;
        return target_write_options(target, options);
}

static int install(struct unit *unit, struct target *target, const struct sfi *sfi)
{
        struct certificate certificate;
        uint32_t options[OPTION_ROWS_MAX];
        uint8_t license[LICENSE_LENGTH], entropy[32] = { 1 };
        struct sfi_part parts[PARTS_MAX];
        int r = prepare(target, &certificate);

        if (!r)
                r = license_issue(&certificate, "SFI", key, nonce, entropy, license);
        if (r < 0)
                return r;
        r = sfi_parts(sfi, parts, PARTS_MAX);
        if (r != 1)
                return fault(FAULT_BAD_IMAGE, "%d parts, expected 1", r);
        r = rss_install_part(target, &rss, sfi, &parts[0], true, license, 1, &unit->progress);
        if (!r)
                r = target_read_options(target, options);
        if (!r && !family_is_secure(&family, options))
                r = fault(FAULT_PROTECTED, "the part is not secure after its install");
        return r;
}

int unit_install(struct unit *unit)
{
        struct stlink probe = { 0 };
        struct target target = { .probe = &probe, .family = &family };
        struct sfi *sfi;
        struct wire *wire;
        int r = make_image(unit->length ? unit->length : LENGTH_USUAL, &sfi);

        if (r < 0)
                return r;
        r = bus_open(unit->bus, unit->path, &wire);
        if (!r)
                r = stlink_open(wire, &probe);
        if (!r)
                r = install(unit, &target, sfi);
        stlink_close(&probe);
        sfi_free(sfi);
        return r;
}
