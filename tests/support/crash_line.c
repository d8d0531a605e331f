/*
 * crash_line.c - cards, line and audit.
 *
 * What the cards remember is their own account, kept where no ledger can touch it: the counter, and
 * which chip each license was made for. The audit knows nothing else, and asks the ledger to agree
 * with it chip by chip and card by card.
 */
#include "tests/support/crash_line.h"

#include "drivers/simulated/card.h"
#include "scheduler/bytes.h"
#include "station/desk.h"
#include "tests/support/fake_card.h" /* for its certificates */
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IMPORTED    8u /* this chip's license comes from a file */
#define SERVED      9u /* this one's from a server */
#define REFUSED     4u /* this one is refused by its target at first */
#define FIRMWARE_ID "TEST_1"
#define ORDER       "ORDER-1"
#define HOLD_NS     (1600 * NS_PER_MS) /* two licenses of the first card */

/* The reference command set, drivers/hsm.h. */
#define INSTRUCTION_INFO    0x10
#define INSTRUCTION_LICENSE 0x20

const char *const phases[PHASES] = { "not sent", "on its way", "done, answer not sent",
                                     "answer on its way", "answered" };

struct world *world;
static struct certificate certificates[CHIPS + 1];
static struct card_profile profile;

/* Of the reference card (drivers/simulated/card.c). */
#define INSTRUCTION_INFO    0x10
#define INSTRUCTION_LICENSE 0x20

/* --- the cards ----------------------------------------------------------------------------- */

struct card_reader {
        struct reader reader; /* first */
        struct simulated_card *card;
        unsigned index, licenses;
};

static const char *command_name(const uint8_t *apdu)
{
        if (apdu[1] == INSTRUCTION_LICENSE)
                return "LICENSE";
        return apdu[1] == INSTRUCTION_INFO ? "INFO" : "SELECT";
}

static void note_license(const struct card_reader *reader, const uint8_t *certificate)
{
        for (unsigned chip = 1; chip <= CHIPS; chip++)
                if (memcmp(certificates[chip].bytes, certificate, CERTIFICATE_LENGTH) == 0)
                        world->made[reader->index][chip]++;
}

/* A point, then some time; long where this card is to be held. */
static int pass(struct card_reader *reader, const uint8_t *apdu, enum phase phase, uint64_t ns)
{
        bool is_held = world->has_hold && world->hold == phase && reader->index == 1 &&
                       reader->licenses == 1;
        int r;

        crash_point("card %u: %s %s", reader->index, command_name(apdu), phases[phase]);
        if (!is_held)
                return fiber_sleep_ns(ns);
        world->crash.mark = true;
        r = fiber_sleep_ns(HOLD_NS);
        world->crash.mark = false;
        return r;
}

static int card_transmit(struct reader *handle, const void *apdu, size_t length,
                         uint8_t *ret_answer)
{
        struct card_reader *reader = (struct card_reader *)handle;
        bool is_license = ((const uint8_t *)apdu)[1] == INSTRUCTION_LICENSE;
        uint64_t ns;
        int answered, r;

        reader->licenses += is_license;
        r = pass(reader, apdu, BEFORE, 1);
        if (r >= 0)
                r = pass(reader, apdu, GOING, 10 * NS_PER_MS);
        if (r < 0)
                return r;
        answered = simulated_card_apdu(reader->card, apdu, length, ret_answer, &ns);
        assert_true(answered > 0);
        if (is_license && answered == LICENSE_LENGTH + 2)
                note_license(reader, (const uint8_t *)apdu + 5);
        r = pass(reader, apdu, ACTED, ns);
        if (r >= 0)
                r = pass(reader, apdu, COMING, 10 * NS_PER_MS);
        if (r >= 0)
                r = pass(reader, apdu, ARRIVED, 1);
        return r < 0 ? r : answered;
}

static int card_connect(struct reader *reader, uint64_t timeout_ns, uint8_t *ret_atr)
{
        (void)timeout_ns;
        crash_point("card %u: to be connected", ((struct card_reader *)reader)->index);
        memcpy(ret_atr, profile.atr, profile.atr_length);
        return (int)profile.atr_length;
}

static void card_disconnect(struct reader *reader)
{
        crash_point("card %u: disconnected", ((struct card_reader *)reader)->index);
}

static void card_close(struct reader *reader)
{
        struct card_reader *ours = (struct card_reader *)reader;

        ours->card = simulated_card_destroy(ours->card);
}

static void card_serial(unsigned index, char text[static 17])
{
        snprintf(text, 17, "00000000000000%02X", 0xA0 + index);
}

static void card_init(struct card_reader *reader, unsigned index)
{
        static const struct reader_operations operations = { card_connect, card_transmit,
                                                             card_disconnect, card_close };
        struct card_settings settings = { .profile = &profile,
                                          .counter = &world->counters[index],
                                          .maximum = COUNTER,
                                          .key = "sixteen key byte",
                                          .nonce = "twelve nonce",
                                          .firmware_id = FIRMWARE_ID,
                                          .state = HSM_STATE_OPERATIONAL,
                                          .serial = 0xA0 + index,
                                          .license_ms_low = index ? 1100 : 700,
                                          .license_ms_high = index ? 1100 : 700,
                                          .speed = 1.0,
                                          .seed = world->run };

        *reader =
                (struct card_reader){ .reader = { .operations = &operations, .is_simulated = true },
                                      .index = index,
                                      .card = simulated_card_create(&settings) };
        snprintf(reader->reader.name, sizeof(reader->reader.name), "reader %u", index);
}

/* --- the line ------------------------------------------------------------------------------ */

struct line {
        struct store *store;
        struct ledger *ledger;
        struct desk *desk;
        struct card_reader readers[CARDS];
};

struct site {
        struct line *line;
        const unsigned *chips; /* ends with 0 */
        const char *name;
        bool must_be_in_hand;
};

static struct ledger_request request_for(unsigned chip, const char *site)
{
        return (struct ledger_request){ &certificates[chip], FIRMWARE_ID, "SFI", ORDER, site };
}

static void import(struct line *line, unsigned chip)
{
        struct ledger_request request = request_for(chip, "1");
        uint8_t license[LICENSE_LENGTH];
        int64_t id;

        memset(license, 0xC0, sizeof(license));
        memcpy(license, "SFI.", 4);
        assert_int_equal(ledger_import(line->ledger, &request, license, &id), 0);
}

/* What the desk does with a server, the server being this function. A question that was asked once is
 * asked again under its number. */
static void serve(struct line *line, unsigned chip)
{
        struct ledger_request request = request_for(chip, "3");
        uint8_t license[LICENSE_LENGTH];
        struct ledger_license found;
        int64_t id = 0;
        int r = ledger_find(line->ledger, &request, &found);

        assert_true(r >= 0);
        if (r > 0)
                return;
        assert_int_equal(ledger_intend(line->ledger, &request, NULL, 0, &id), 0);
        assert_true(!world->question || world->question == id);
        world->question = id;
        crash_point("site: the server is asked");
        IGNORE(fiber_sleep_ns(200 * NS_PER_MS));
        memset(license, 0xA0, sizeof(license));
        memcpy(license, "SFI.", 4);
        crash_point("site: the server has answered");
        assert_int_equal(ledger_store(line->ledger, id, license), 0);
}

static void told(unsigned chip, enum progress progress)
{
        if (world->progress[chip] < progress)
                world->progress[chip] = progress;
        crash_point("site: chip %u told %d", chip, (int)progress);
}

static void settle(struct line *line, int64_t id, unsigned chip, bool is_installed)
{
        assert_int_equal(ledger_offer(line->ledger, id), 0);
        told(chip, OFFERED);
        IGNORE(fiber_sleep_ns(300 * NS_PER_MS)); /* the install */
        assert_int_equal(
                ledger_settle(line->ledger, id, is_installed, is_installed ? NULL : "said no"), 0);
        told(chip, is_installed ? SETTLED : WAS_REFUSED);
}

static void install(const struct site *site, unsigned chip)
{
        struct ledger_request request = request_for(chip, site->name);
        struct ledger_license license;

        if (chip == IMPORTED)
                import(site->line, chip);
        if (chip == SERVED)
                serve(site->line, chip);
        assert_int_equal(desk_license(site->line->desk, &request, LICENSE_FROM_CARD, &license), 0);
        assert_true(license.was_in_hand || !site->must_be_in_hand);
        if (world->progress[chip] >= GOT) /* what it got once it gets for ever */
                assert_memory_equal(world->license[chip], license.bytes, LICENSE_LENGTH);
        memcpy(world->license[chip], license.bytes, LICENSE_LENGTH);
        told(chip, GOT);
        if (chip == REFUSED)
                settle(site->line, license.id, chip, false);
        settle(site->line, license.id, chip, true);
}

static int site_procedure(void *subject)
{
        const struct site *site = subject;

        for (const unsigned *chip = site->chips; *chip; chip++)
                install(site, *chip);
        return 0;
}

static void line_open_books(struct line *line)
{
        assert_int_equal(store_open(world->directory, &line->store), 0);
        assert_int_equal(ledger_open(line->store, world->directory, &line->ledger), 0);
}

static void line_open_desk(struct line *line)
{
        struct reader *readers[CARDS];

        for (unsigned i = 0; i < CARDS; i++) {
                card_init(&line->readers[i], i);
                readers[i] = &line->readers[i].reader;
        }
        assert_int_equal(desk_open(&(struct desk_settings){ .ledger = line->ledger,
                                                            .profile = &profile,
                                                            .readers = readers,
                                                            .reader_count = CARDS },
                                   &line->desk),
                         0);
}

static void line_install_all(struct line *line)
{
        static const unsigned first[] = { 1, 2, IMPORTED, 0 }, second[] = { 3, REFUSED, 0 },
                              third[] = { 5, 6, SERVED, 7, 0 };
        struct site sites[] = { { line, first, "1", false },
                                { line, second, "2", false },
                                { line, third, "3", false } };
        struct fiber *fibers[LENGTH_OF(sites)];

        for (unsigned i = 0; i < LENGTH_OF(sites); i++)
                fibers[i] = fiber_spawn("site", site_procedure, &sites[i]);
        for (unsigned i = 0; i < LENGTH_OF(sites); i++)
                assert_int_equal(fiber_join(fibers[i]), 0);
}

static void line_close(struct line *line)
{
        desk_close(line->desk);
        ledger_close(line->ledger);
        store_close(line->store);
}

int crash_line_run(void *subject)
{
        struct line line = { 0 };

        (void)subject;
        line_open_books(&line);
        line_open_desk(&line);
        line_install_all(&line);
        line_close(&line);
        return 0;
}

/* --- the audit ----------------------------------------------------------------------------- */

/* The rows of the ledger, counted by chip and card. */
struct rows {
        unsigned in_hand[CHIPS + 1], lost[CARDS][CHIPS + 1], open[CHIPS + 1];
        char state[CHIPS + 1][16]; /* of the one in hand */
        unsigned card[CHIPS + 1];  /* and its card; CARDS: a file */
};

static unsigned chip_of(const char *fingerprint)
{
        for (unsigned chip = 1; chip <= CHIPS; chip++)
                if (strcmp(certificates[chip].fingerprint, fingerprint) == 0)
                        return chip;
        fail_msg("the ledger has a license for %s, which nobody asked for", fingerprint);
        return 0;
}

static unsigned card_of(const char *serial)
{
        char text[17];

        for (unsigned i = 0; i < CARDS; i++) {
                card_serial(i, text);
                if (strcmp(text, serial) == 0)
                        return i;
        }
        assert_string_equal(serial, "");
        return CARDS;
}

static int count_row(const struct ledger_entry *entry, void *context)
{
        struct rows *rows = context;
        unsigned chip = chip_of(entry->fingerprint), card = card_of(entry->card);

        assert_int_equal(entry->count, 1);
        if (strcmp(entry->state, "intended") == 0) {
                rows->open[chip]++;
        } else if (strcmp(entry->state, "lost") == 0) {
                assert_true(card < CARDS && entry->intended_us > 0 && entry->settled_us > 0);
                rows->lost[card][chip]++;
        } else if (strcmp(entry->state, "cancelled") != 0) {
                assert_true(entry->intended_us > 0 && entry->stored_us > 0);
                rows->in_hand[chip]++;
                rows->card[chip] = card;
                snprintf(rows->state[chip], sizeof(rows->state[chip]), "%s", entry->state);
        }
        return 0;
}

static void count_rows(struct line *line, struct rows *rows)
{
        *rows = (struct rows){ 0 };
        assert_int_equal(ledger_walk(line->ledger, NULL, count_row, rows), 0);
}

/* A step was told to the site: so it is on disk, whatever came next. */
static void expect_promises_kept(const struct rows *rows)
{
        static const char *const at_least[] = {
                [ASKED] = "", /* nothing was promised */
                [GOT] = "stored offered refused installed",
                [OFFERED] = "offered refused installed",
                [WAS_REFUSED] = "refused offered installed",
                [SETTLED] = "installed",
        };

        for (unsigned chip = 1; chip <= CHIPS; chip++) {
                enum progress told = world->progress[chip];

                if (told == ASKED)
                        continue;
                if (rows->in_hand[chip] != 1 || !strstr(at_least[told], rows->state[chip]))
                        fail_msg("chip %u was told %d; the ledger has %u, \"%s\"", chip, (int)told,
                                 rows->in_hand[chip], rows->state[chip]);
        }
}

/* Every license a card has made is there, under its chip and its card. */
static unsigned expect_all_found(const struct rows *rows)
{
        unsigned lost = 0;

        for (unsigned card = 0; card < CARDS; card++)
                for (unsigned chip = 1; chip <= CHIPS; chip++) {
                        unsigned arrived = rows->in_hand[chip] && rows->card[chip] == card;

                        assert_int_equal(rows->lost[card][chip] + arrived, world->made[card][chip]);
                        lost += rows->lost[card][chip];
                }
        return lost;
}

/* One line each: chip, card, order, site, time. */
static void expect_named(struct line *line, const struct rows *rows)
{
        char *text, *rest, *name, wanted[64], serial[17];
        unsigned named = 0, lost = 0;

        assert_int_equal(ledger_lost_text(line->ledger, ORDER, &text), 0);
        for (unsigned card = 0; card < CARDS; card++)
                for (unsigned chip = 1; chip <= CHIPS; chip++) {
                        card_serial(card, serial);
                        snprintf(wanted, sizeof(wanted), "%s, card %s, order " ORDER ", site ",
                                 certificates[chip].fingerprint, serial);
                        lost += rows->lost[card][chip];
                        for (name = text; (name = strstr(name, wanted)) != NULL; name++)
                                named++;
                }
        assert_int_equal(named, lost);
        for (name = strtok_r(text, "\n", &rest); name; name = strtok_r(NULL, "\n", &rest), lost--)
                assert_non_null(strstr(name, ", 2026-01-01T00:00:"));
        assert_int_equal(lost, 0);
        free(text);
}

static void expect_balanced(struct line *line, const struct rows *rows)
{
        struct ledger_balance all, one, order;
        unsigned spent = 0, lost = 0;
        char serial[17];

        assert_int_equal(ledger_balance(line->ledger, NULL, NULL, &all), 0);
        assert_int_equal(ledger_balance(line->ledger, ORDER, NULL, &order), 0);
        for (unsigned card = 0; card < CARDS; card++) {
                unsigned lost_here = 0;

                card_serial(card, serial);
                assert_int_equal(ledger_balance(line->ledger, NULL, serial, &one), 0);
                assert_int_equal(one.issued, COUNTER - world->counters[card]);
                assert_int_equal(one.issued, one.installed + one.in_hand + one.lost);
                for (unsigned chip = 1; chip <= CHIPS; chip++)
                        lost_here += rows->lost[card][chip];
                assert_int_equal(one.lost, lost_here);
                spent += one.issued;
                lost += lost_here;
        }
        assert_int_equal(all.lost, lost);
        assert_int_equal(all.pending, rows->open[SERVED]);
        assert_int_equal(all.issued, all.installed + all.in_hand + all.lost);
        assert_int_equal(all.issued, spent + rows->in_hand[IMPORTED] + rows->in_hand[SERVED]);
        assert_memory_equal(&order, &all, sizeof(all));
}

static void audit(struct line *line)
{
        struct rows rows;

        count_rows(line, &rows);
        for (unsigned chip = 1; chip <= CHIPS; chip++) {
                assert_true(rows.in_hand[chip] <= 1);
                /* a server shows no counter: its question stays open until it is asked again */
                assert_true(rows.open[chip] == 0 ||
                            (chip == SERVED && rows.open[chip] + rows.in_hand[chip] == 1));
        }
        expect_promises_kept(&rows);
        world->lost = expect_all_found(&rows);
        expect_named(line, &rows);
        expect_balanced(line, &rows);
}

/* A new process finds what was left. */
int crash_line_after(void *subject)
{
        struct line line = { 0 };
        struct rows rows;
        unsigned lost;

        (void)subject;
        line_open_books(&line);
        count_rows(&line, &rows); /* before anybody reconciled */
        expect_promises_kept(&rows);
        line_open_desk(&line);
        IGNORE(fiber_sleep_ns(NS_PER_S)); /* both cards are up and reconciled */
        audit(&line);
        lost = world->lost;
        line_install_all(&line); /* every chip asks again */
        audit(&line);
        assert_int_equal(world->lost, lost);
        for (unsigned chip = 1; chip <= CHIPS; chip++)
                assert_int_equal(world->progress[chip], SETTLED);
        count_rows(&line, &rows);
        assert_int_equal(rows.open[SERVED], 0);
        line_close(&line);
        return 0;
}

unsigned crash_line_made(void)
{
        unsigned sum = 0;

        for (unsigned card = 0; card < CARDS; card++)
                for (unsigned chip = 1; chip <= CHIPS; chip++)
                        sum += world->made[card][chip];
        return sum;
}

static int load_profile(void *subject)
{
        (void)subject;
        return card_profile_load("configs/cards/reference.conf", &profile);
}

void crash_line_init(void)
{
        INSIST(test_on_fiber(LOOP_TIME_REAL, 0, load_profile, NULL) == 0);
        for (unsigned chip = 1; chip <= CHIPS; chip++)
                fake_certificate(chip, &certificates[chip]);
}
