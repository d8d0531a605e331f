/*
 * The RSSe of a simulated part: the reference extension of drivers/rsse.h, started and running.
 *
 * REFERENCE: how silicon starts one is not public (targets.md 13 rows 1, 2, 6). A start is taken at a
 * reset, when the part is as its family wants it: TrustZone on with the secure boot address in the RSS
 * (L5, U5, WBA), security off (WL), or the product state open (H5, H7RS). The boot code then looks at
 * what lies in RAM - magic, length, digest, die - and says 0xEAEAEAEA or 0xF5F5F5F5. A running RSSe
 * takes installs without a reset (part_rss.c) and dies with the next one.
 */
#include "drivers/simulated/part_private.h"

#include "crypto/digest.h"
#include "drivers/rsse.h"
#include "scheduler/bytes.h"

#define AT_LENGTH 0x08u
#define LOAD_TIME (30 * NS_PER_MS) /* estimate: signature and decryption of 34 KiB */
#define COUPLE    8u               /* of a K area: size, address (secure-install.md 6.2) */
#define KEY_MAX   4096u

bool rsse_is_wanted(const struct simulated_part *part)
{
        return part->rss->rsse_address != 0;
}

bool rsse_is_pending(struct simulated_part *part)
{
        return rsse_is_wanted(part) && rss_command(part) == part->rss->command_rsse;
}

static bool boots_into_rss(const struct simulated_part *part)
{
        const struct family *family = part->family;

        for (size_t i = 0; i < family->field_count; i++) {
                const struct family_field *field = &family->fields[i];

                if (field->role == ROLE_BOOT && strcmp(field->group, "secure") == 0)
                        return family_field_get(field, part->in_force) * field->unit ==
                               family->rss_boot;
        }
        return false;
}

/* A running RSSe has left the open state by itself. So has one that a reset ended after a whole part: it may
 * be started again for the next, for external data is programmed in between with the core in other hands. */
static bool is_between_parts(const struct simulated_part *part)
{
        const struct install_context *install = &part->record->install;

        return install->is_active && (part->is_rsse_running || install->next_index > 1);
}

/* As the station must have made it. RDP 0.5 is wanted for the install (AN5054 section 3.3.1). */
bool rsse_is_prepared(const struct simulated_part *part)
{
        const struct family *family = part->family;
        const struct family_field *readout = family_field(family, ROLE_READOUT);

        if (family->procedure == PROCEDURE_STATE || !family_has_trustzone(family))
                return (family_is_open(family, part->in_force) || is_between_parts(part)) &&
                       !family_is_secure(family, part->in_force);
        return part->is_trustzone_on && boots_into_rss(part) && readout &&
               (!readout->has_half_level || option_level(part, part->in_force) == LEVEL_0_5);
}

void rsse_begin(struct simulated_part *part, uint64_t now_ns)
{
        rss_abandon(part);
        part->run.due_ns = now_ns;
        rss_mailbox_put(part, 0x04, 0);
        if (rsse_is_prepared(part))
                rss_next_step(part, RSS_LOAD, LOAD_TIME);
        else
                rss_end_run(part, RSS_ERROR_SECURITY);
        part_changed(part);
}

void rsse_look(struct simulated_part *part)
{
        uint32_t length = rss_mailbox_get(part, AT_LENGTH);
        const uint8_t *bytes = length <= part->rss->rsse_capacity
                                       ? part_ram(part, part->rss->rsse_address, length)
                                       : NULL;
        struct rsse rsse = { 0 };

        if (!bytes || rsse_parse("RAM", bytes, length, &rsse) < 0) {
                rss_end_run(part, RSS_ERROR_RSSE);
                return;
        }
        part->is_rsse_running = rsse.device_id == part->family->device_id;
        rsse_free(&rsse);
        rss_end_run(part, part->is_rsse_running ? RSS_OK : RSS_ERROR_RSSE);
}

void rsse_enter_areas(struct simulated_part *part)
{
        if (part->run.position == 0 && part->run.first_index == 1)
                option_enter_provisioning(part);
}

/* --- random keys --------------------------------------------------------------------------- */

/* Bytes nobody outside knows: from the chip's own key and the place. */
static void make_key(struct simulated_part *part, uint32_t address, uint32_t length, uint8_t *key)
{
        for (uint32_t at = 0; at < length; at += DIGEST_LENGTH) {
                uint8_t place[4], digest[DIGEST_LENGTH];
                const struct piece pieces[] = {
                        { "random key", 10 },
                        { part->record->private_key, PRIVATE_KEY_LENGTH },
                        { place, sizeof(place) },
                };

                store_le32(place, address + at);
                digest_sha256_pieces(pieces, LENGTH_OF(pieces), digest);
                memcpy(key + at, digest,
                       length - at < sizeof(digest) ? length - at : sizeof(digest));
                wipe(digest, sizeof(digest));
        }
}

static uint32_t program_key(struct simulated_part *part, uint32_t address, uint32_t length)
{
        uint32_t unit = part->family->word_length, start = address - address % unit;
        uint8_t key[KEY_MAX], word[WORD_LENGTH_MAX];
        bool took = true;

        make_key(part, address, length, key);
        for (uint32_t at = start; at < address + length && took; at += unit) {
                for (uint32_t i = 0; i < unit; i++)
                        word[i] = at + i >= address && at + i < address + length
                                          ? key[at + i - address]
                                          : 0xFF;
                took = flash_commit(part, at, word);
        }
        wipe(key, sizeof(key));
        wipe(word, sizeof(word));
        return took ? RSS_OK : RSS_ERROR_FLASH;
}

uint32_t rsse_make_keys(struct simulated_part *part, const uint8_t *couples, uint32_t length)
{
        uint32_t code = length && length % COUPLE == 0 ? RSS_OK : RSS_ERROR_COMMAND;

        for (uint32_t at = 0; at < length && code == RSS_OK; at += COUPLE) {
                uint32_t size = load_le32(couples + at);
                uint32_t address = family_plain_address(part->family, load_le32(couples + at + 4));

                code = size && size <= KEY_MAX ? rss_check_range(part, address, size)
                                               : RSS_ERROR_RANGE;
                if (code == RSS_OK)
                        code = program_key(part, address, size);
        }
        return code;
}
