/*
 * What goes wrong on a bench, by seed.
 *
 * A board's defects belong to the board: they are drawn from its number, so a board that is made
 * again after a crash has the same ones. What befalls exchanges and licenses is drawn from a stream
 * of the site or card. So no draw depends on what another site did first.
 */
#include "drivers/simulated/bench_private.h"

#include "drivers/family_fields.h"

#define UNPLUG_PACKETS    600u /* an install of a small image is 200 to 1000 packets */
#define WEAK_WORDS        256u /* in the first 8 KiB of flash, where every image has something */
#define LEVEL_1           0xBB /* targets.md 5.1 */
#define STATE_CLOSED      0x72 /* targets.md 5.2 */
#define FOREIGN_DEVICE_ID 0x483
#define OTHER_DEVICE_ID   0x450

/* Each misfortune has a stream of its own, so switching one on does not move the others. */
static bool befalls(const struct site *site, const char *what, unsigned one_in,
                    struct chance *ret_chance)
{
        *ret_chance = chance_fork(site->bench->settings.seed, what, site->board->number);
        return chance_one_in(ret_chance, one_in);
}

static void fill_flash(struct site *site, struct chance *chance)
{
        uint8_t program[256];

        chance_bytes(chance, program, sizeof(program));
        part_fill_flash(site->part, site->bench->settings.family->bank_address[0], program,
                        sizeof(program));
}

static void weaken(struct site *site, struct chance *chance)
{
        const struct family *family = site->bench->settings.family;
        uint32_t word = (uint32_t)chance_below(chance, WEAK_WORDS);

        part_set_weak_word(site->part, family->bank_address[0] + word * family->word_length);
}

void misfortune_spoil_board(struct site *site)
{
        const struct misfortune *misfortune = &site->bench->settings.misfortune;
        const struct family *family = site->bench->settings.family;
        struct chance chance;

        if (befalls(site, "weak word", misfortune->weak_word, &chance))
                weaken(site, &chance);
        if (befalls(site, "used part", misfortune->used_part, &chance))
                fill_flash(site, &chance);
        if (befalls(site, "protected part", misfortune->protected_part, &chance))
                part_set_protection(site->part,
                                    family_field(family, ROLE_READOUT) ? LEVEL_1 : STATE_CLOSED);
        if (befalls(site, "wrong part", misfortune->wrong_part, &chance))
                part_set_device_id(site->part, family->device_id == FOREIGN_DEVICE_ID
                                                       ? OTHER_DEVICE_ID
                                                       : FOREIGN_DEVICE_ID);
        if (befalls(site, "boot pin", misfortune->boot_pin, &chance))
                part_set_boot_pin(site->part, false);
}

/* Once a board: its cable comes out between two packets. */
void misfortune_plan_unplug(struct site *site)
{
        struct chance chance;

        if (!befalls(site, "unplug", site->bench->settings.misfortune.unplug, &chance))
                return;
        site->unplug_in = (unsigned)chance_between(&chance, 1, UNPLUG_PACKETS);
        site->is_accident = true;
}

enum misfortune_exchange misfortune_of_exchange(struct site *site, bool has_answer)
{
        const struct misfortune *misfortune = &site->bench->settings.misfortune;

        if (has_answer && chance_one_in(&site->exchanges, misfortune->late_answer))
                return EXCHANGE_LATE;
        if (has_answer && chance_one_in(&site->exchanges, misfortune->short_answer))
                return EXCHANGE_SHORT;
        if (chance_one_in(&site->exchanges, misfortune->bit_flip))
                return EXCHANGE_FLIP;
        return EXCHANGE_GOOD;
}

void misfortune_flip(struct site *site, void *data, size_t length)
{
        uint64_t bit = chance_below(&site->exchanges, length * 8);

        ((uint8_t *)data)[bit / 8] ^= (uint8_t)(1u << bit % 8);
}

/* A card that dies on a license has taken its counter down in half of the cases. */
enum misfortune_license misfortune_of_license(struct bench_card *card)
{
        const struct misfortune *misfortune = &card->bench->settings.misfortune;

        if (chance_one_in(&card->chance, misfortune->dead_card))
                return chance_below(&card->chance, 2) ? LICENSE_DEAD_AFTER : LICENSE_DEAD_BEFORE;
        if (chance_one_in(&card->chance, misfortune->wrong_license))
                return LICENSE_WRONG;
        return LICENSE_GOOD;
}
