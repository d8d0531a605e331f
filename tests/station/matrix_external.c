/*
 * Every family that has a cipher in front of its external memory through what can happen on the way of an
 * SFIx install: power gone, power dipping, the cable out, while the memory outside is erased, within each
 * external area, and between them. Of each cell: verdict and fault, how far the memory outside got, what the
 * license books say. In virtual time, one station a unit. The steps they share with other images are in
 * matrix.c.
 */
#include "tests/support/external_image.h"
#include "tests/support/test.h"
#include "tests/support/unit.h"

#include "scheduler/bytes.h"

#include <stdio.h>
#include <string.h>

static const struct external_image *const images[] = {
        &external_h7a3, &external_h7a3_second, &external_h73x, &external_l5,   &external_u545,
        &external_u585, &external_u5ax,        &external_u5gx, &external_h533, &external_h573,
};

/* --- how the memory outside ends ------------------------------------------------------------- */

/* Of the running cell; `look` has no other way to know. */
static const struct external_image *image;
static const struct family *family;
static const char *outside;

static size_t written(const struct simulated_part *part, uint32_t offset, uint32_t length)
{
        size_t count = 0;

        for (uint32_t i = 0; i < length; i++)
                count += part_external_byte(part, image->external + offset + i) != 0xFF;
        return count;
}

/* Enciphered bytes are 0xFF one time in 256. */
static bool is_whole(const struct simulated_part *part, uint32_t offset, uint32_t length)
{
        return written(part, offset + length - 256, 256) > 200;
}

static void look(struct simulated_part *part)
{
        size_t first = written(part, 0, EXTERNAL_FIRST_LENGTH);
        size_t second = written(part, EXTERNAL_FIRST_LENGTH, EXTERNAL_SECOND_LENGTH);

        if (external_image_is_in(image, family, part))
                outside = "whole";
        else if (second)
                outside = "in the second";
        else if (first && is_whole(part, 0, EXTERNAL_FIRST_LENGTH))
                outside = "first";
        else
                outside = first ? "in the first" : "blank";
}

/* --- a cell ---------------------------------------------------------------------------------- */

struct expected {
        const char *fault;   /* alternatives with |; "" passes */
        const char *outside; /* how that memory ends */
};

static unsigned cells;

/* Somebody's data where the second area goes. */
static void stain(struct simulated_part *part, const struct family *unused)
{
        static const uint8_t zeros[16];

        (void)unused;
        part_fill_external(part, image->external + EXTERNAL_FIRST_LENGTH, zeros, sizeof(zeros));
}

static bool is_one_of(const char *list, const char *word)
{
        char padded[80], wanted[80];

        snprintf(padded, sizeof(padded), "|%s|", list);
        snprintf(wanted, sizeof(wanted), "|%s|", word);
        return strstr(padded, wanted) != NULL;
}

static void expect(const char *what, const struct unit *unit, const struct expected *want)
{
        const struct ledger_balance *books = &unit->line->balance;
        const struct record *record = &unit->record;
        bool is_good = !record->fault[0];

        cells++;
        if (unit->has_ended && is_one_of(want->fault, record->fault) &&
            is_one_of(want->outside, outside) && (record->result == RESULT_PASS) == is_good &&
            books->issued == 1 && books->installed == is_good && books->in_hand == !is_good &&
            books->lost + books->pending == 0)
                return;
        printf("# wanted \"%s\", outside %s\n", want->fault, want->outside);
        printf("# found %s \"%s\" at \"%s\", outside %s, books %u/%u/%u: %s\n",
               result_name(record->result), record->fault, record->step, outside, books->issued,
               books->installed, books->in_hand, record->sentence);
        fail_msg("%s, %s", image->family, what);
}

/* A unit's way, up to where something befalls it. */
struct way {
        const char *name;
        struct point point;
        uint32_t offset; /* of the byte outside that it waits for */
        bool is_stained; /* and that memory may be erased */
};

/* `befall` NULL: nothing does. */
static void run(const struct external_image *of, const struct way *way,
                void (*befall)(struct station *station), unsigned retries,
                const struct expected *want)
{
        struct unit unit = { .line = line_create(1, 1),
                             .look = look,
                             .spoil = way->is_stained ? stain : NULL,
                             .point = befall ? &way->point : NULL,
                             .outside = of->external + way->offset,
                             .befall = befall };
        char text[300];

        image = of;
        unit.line->station.settings.bench.boards = 1;
        external_image_make(of, unit.line);
        family = &unit.line->family;
        snprintf(text, sizeof(text), "external_loader: %s/x.stldr\nretries: %u\n%s",
                 unit.line->directory, retries, way->is_stained ? "erase: always\n" : "");
        unit_run(&unit, text);
        if (befall && !unit.was_hit)
                fail_msg("%s was never \"%s\"", of->family, way->name);
        expect(way->name, &unit, want);
        line_destroy(unit.line);
}

/* --- the cells ------------------------------------------------------------------------------- */

static void every_family_with_a_cipher_gets_its_external_firmware(void **state)
{
        static const struct way good = { .name = "good" };
        static const struct way stained = { .name = "stained, erased", .is_stained = true };
        static const struct expected want = { "", "whole" };

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(images); i++) {
                run(images[i], &good, NULL, 0, &want);
                run(images[i], &stained, NULL, 0, &want);
        }
}

/* Power gone for good; gone for 100 ms, with one more attempt; the cable out. A Write that has begun goes on
 * without the cable: the core is the part's own. */
static const struct {
        struct way way;
        struct expected away, dips, out;
} mishaps[] = {
        { { "as outside is erased", { "erase", OUTSIDE_ERASED }, EXTERNAL_FIRST_LENGTH, true },
          { "TARGET_LOST", "blank" },
          { "", "whole" },
          { "UNPLUGGED", "blank" } },
        { { "in the first external area", { "install", OUTSIDE }, 0, false },
          { "TARGET_LOST", "in the first" },
          { "", "whole" },
          { "UNPLUGGED", "first" } },
        { { "behind the first external area",
            { "install", OUTSIDE },
            EXTERNAL_FIRST_LENGTH - 8,
            false },
          { "TARGET_LOST", "first" },
          { "", "whole" },
          { "UNPLUGGED", "first" } },
        { { "in the second external area", { "install", OUTSIDE }, EXTERNAL_FIRST_LENGTH, false },
          { "TARGET_LOST", "in the second" },
          { "", "whole" },
          { "UNPLUGGED", "whole" } },
};

/* An H5 that broke off among its areas has left the open state; the option bytes of this image, before the
 * second external area is programmed, open it again. */
static bool is_stuck(const struct external_image *of, const struct way *way)
{
        return strncmp(of->family, "stm32h5", 7) == 0 && way->offset < EXTERNAL_FIRST_LENGTH;
}

static void what_befalls_it_among_its_external_areas_is_told_and_costs_one_license(void **state)
{
        (void)state;
        for (size_t i = 0; i < LENGTH_OF(images); i++)
                for (size_t j = 0; j < LENGTH_OF(mishaps); j++) {
                        const struct way *way = &mishaps[j].way;
                        const struct expected stuck = { "NOT_PROVABLE", mishaps[j].away.outside };

                        run(images[i], way, unit_power_away, 0, &mishaps[j].away);
                        run(images[i], way, unit_power_dips, 1,
                            is_stuck(images[i], way) ? &stuck : &mishaps[j].dips);
                        run(images[i], way, unit_cable_out, 0, &mishaps[j].out);
                }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_family_with_a_cipher_gets_its_external_firmware),
                cmocka_unit_test(
                        what_befalls_it_among_its_external_areas_is_told_and_costs_one_license),
        };
        int failed = cmocka_run_group_tests(tests, NULL, NULL);

        printf("# %u cells\n", cells);
        return failed;
}
