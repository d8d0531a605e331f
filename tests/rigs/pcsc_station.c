/*
 * pcsc_station.c - our side of rigs E and F: reader, card and desk code through the real libpcsclite and
 * pcscd. Prints TAP.
 *
 *      pcsc_station alone     before pcscd runs
 *      pcsc_station first     one reader, one card, one session
 *      pcsc_station vpcd      the list of claims.c on READERS slots of vsmartcard, two to a reader
 *      pcsc_station ccid      the same on READERS CCID readers
 *      pcsc_station late      a CCID reader that is plugged in when it is waited for already
 *      pcsc_station many      READERS readers by their slot numbers, one lot
 *
 * The scripts give READERS, the command RIG_RESTART and the socket RIG_CONTROL (parts/control.h).
 */
#include "drivers/pcsc.h"
#include "scheduler/fiber.h"
#include "scheduler/loop.h"
#include "tests/rigs/parts/claims.h"
#include "tests/rigs/parts/control.h"
#include "tests/rigs/parts/lot.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EACH 4u

static struct card_profile profile;
static unsigned reader_count;

static int tell(unsigned index, const char *words)
{
        int r = control_ask(getenv("RIG_CONTROL"), index, words);

        if (r < 0)
                printf("# %u %s: refused\n", index, words);
        return r;
}

static void restart_pcscd(void)
{
        const char *command = getenv("RIG_RESTART");

        if (!command || system(command) != 0)
                printf("# pcscd cannot be restarted\n");
}

/* The names the scripts give them, or pcscd does. */
static int open_vpcd(unsigned index, struct reader **ret_reader)
{
        char name[32];

        snprintf(name, sizeof(name), "HSM %02u 00 %02u", index / 2, index % 2);
        return pcsc_reader_expect(name, ret_reader);
}

static int open_ccid(unsigned index, struct reader **ret_reader)
{
        char name[48];

        snprintf(name, sizeof(name), "ACS ACR39U ICC Reader %02X 00", index);
        return pcsc_reader_expect(name, ret_reader);
}

/* --- one reader ---------------------------------------------------------------------------- */

struct license_task {
        struct reader *reader;
        struct certificate certificate;
        uint8_t license[LICENSE_LENGTH];
};

static int license_procedure(void *subject)
{
        struct license_task *task = subject;

        return hsm_license(task->reader, &profile, &task->certificate, task->license);
}

static void pull_in_mid_license(struct reader *reader, uint32_t counter)
{
        struct license_task task = { .reader = reader };
        struct hsm_info info = { 0 };
        int r;

        lot_certificate(2, &task.certificate);
        tell(0, "yank work");
        r = license_procedure(&task);
        claim(r == -FAULT_NO_CARD && strstr(fault_sentence(r), "taken out"),
              "a card pulled in mid-license is gone, not dead", r);
        printf("# %s: %s\n", fault_name(r), fault_sentence(r));
        reader_disconnect(reader);
        r = hsm_open(reader, &profile, NS_PER_S);
        claim(r == -FAULT_TIMEOUT, "the empty reader is waited for, then given up", r);
        tell(0, "in");
        r = hsm_open(reader, &profile, 10 * NS_PER_S);
        claim(r == 0, "the card put back is opened", r);
        r = hsm_info(reader, &profile, &info);
        claim(r == 0 && info.counter == counter - 1, "its counter tells the license was spent", r);
}

static void restart_in_session(struct reader *reader)
{
        struct hsm_info info;
        int r;

        restart_pcscd();
        r = hsm_info(reader, &profile, &info);
        claim(r == -FAULT_CARD_DEAD || r == -FAULT_NO_CARD,
              "the session of a restarted pcscd is over", r);
        printf("# %s: %s\n", fault_name(r), fault_sentence(r));
        reader_disconnect(reader);
        r = hsm_open(reader, &profile, 20 * NS_PER_S);
        claim(r == 0, "the restarted pcscd is met again", r);
        r = hsm_info(reader, &profile, &info);
        claim(r == 0, "and the card answers", r);
}

static void one_reader(void)
{
        struct license_task task = { 0 };
        struct hsm_info info = { 0 };
        struct reader *other = NULL;
        int r = pcsc_reader_open("1", &task.reader);

        claim(r == 0, "the first slot is opened", r);
        if (r < 0)
                return;
        printf("# %s\n", reader_name(task.reader));
        r = hsm_open(task.reader, &profile, 20 * NS_PER_S);
        claim(r == 0, "its card has the reference ATR and is selected", r);
        r = hsm_info(task.reader, &profile, &info);
        claim(r == 0 && info.state == HSM_STATE_OPERATIONAL && !strcmp(info.firmware_id, "TEST_1"),
              "it says who it is", r);
        lot_certificate(1, &task.certificate);
        r = license_procedure(&task);
        claim(r == 0 && memcmp(task.license, "SFI.", 4) == 0, "it makes a license", r);
        r = pcsc_reader_open("1", &other);
        if (r == 0)
                r = hsm_open(other, &profile, 300 * NS_PER_MS);
        claim(r == -FAULT_SYSTEM && strstr(fault_sentence(r), "another program"),
              "nobody else gets the card meanwhile", r);
        reader_close(other);
        pull_in_mid_license(task.reader, info.counter - 1);
        restart_in_session(task.reader);
        reader_close(task.reader);
}

/* --- waiting for a reader ------------------------------------------------------------------ */

static int open_procedure(void *subject)
{
        return hsm_open(subject, &profile, 20 * NS_PER_S);
}

/* pcscd hears of it from udev. */
static int open_until_gone(const char *name)
{
        struct reader *reader;
        int r = 0;

        for (int tries = 0; tries < 100 && r == 0; tries++) {
                r = pcsc_reader_open(name, &reader);
                if (r == 0)
                        reader_close(reader);
                IGNORE(fiber_sleep_ns(20 * NS_PER_MS));
        }
        return r;
}

static void late_reader(void)
{
        static const char name[] = "ACS ACR39U ICC Reader 00 00";
        struct reader *readers[READERS_MAX], *reader;
        struct hsm_info info;
        struct fiber *fiber;
        int r;

        tell(0, "unplug");
        r = open_until_gone(name);
        claim(r == -FAULT_NOT_FOUND, "a reader that is not there is refused when it must be", r);
        r = 0;
        for (unsigned i = 0; i < reader_count && r == 0; i++)
                r = open_ccid(i, &readers[i]); /* else one of the others would do */
        reader = readers[0];
        claim(r == 0 && strcmp(reader_name(reader), name) == 0,
              "and expected when it may be absent", r);
        r = hsm_open(reader, &profile, 300 * NS_PER_MS);
        claim(r == -FAULT_NO_CARD && strstr(fault_sentence(r), "not plugged in"),
              "until then the sentence says so", r);
        fiber = fiber_spawn("open", open_procedure, reader);
        IGNORE(fiber_sleep_ns(300 * NS_PER_MS));
        tell(0, "plug");
        r = fiber_join(fiber);
        claim(r == 0, "plugged in, it is found and its card opened", r);
        r = hsm_info(reader, &profile, &info);
        claim(r == 0, "and the card answers", r);
        for (unsigned i = 0; i < reader_count; i++)
                reader_close(readers[i]);
}

/* --- many readers -------------------------------------------------------------------------- */

static bool all_were_used(const struct desk *desk, unsigned count)
{
        struct desk_card cards[READERS_MAX];
        bool is_true = desk_cards(desk, cards, READERS_MAX) == count;

        for (unsigned i = 0; i < count; i++) {
                printf("# %s: %s (%s), card %s, %u of %u left\n", cards[i].reader, cards[i].state,
                       cards[i].sentence, cards[i].serial, cards[i].left, cards[i].maximum);
                is_true &= cards[i].left < cards[i].maximum;
        }
        return is_true;
}

/* Bringing a card up takes its time on a busy machine; who is late would get no request. */
static void wait_until_all_are_ready(const struct desk *desk, unsigned count)
{
        struct desk_card cards[READERS_MAX];
        unsigned ready = 0;

        for (unsigned tries = 0; ready < count && tries < 200; tries++) {
                unsigned listed = desk_cards(desk, cards, READERS_MAX);

                ready = 0;
                for (unsigned i = 0; i < listed; i++)
                        ready += strcmp(cards[i].state, "ready") == 0;
                if (fiber_sleep_ns(50 * NS_PER_MS) < 0)
                        return;
        }
}

static void many_readers(unsigned count)
{
        const char *directory = test_directory();
        struct reader *readers[READERS_MAX], *beyond;
        struct store *store;
        struct ledger *ledger;
        struct desk *desk;
        struct ledger_balance balance = { 0 };
        unsigned served;
        char slot[16];
        int r = 0;

        for (unsigned i = 0; i < count && r >= 0; i++) {
                snprintf(slot, sizeof(slot), "%u", i + 1);
                r = pcsc_reader_open(slot, &readers[i]);
        }
        claim(r == 0, "every reader is opened by its slot", r);
        snprintf(slot, sizeof(slot), "%u", count + 1);
        r = r < 0 ? r : pcsc_reader_open(slot, &beyond);
        claim(r == -FAULT_NOT_FOUND, "and there is none beyond", r);
        if (r != -FAULT_NOT_FOUND || store_open(directory, &store) < 0 ||
            ledger_open(store, directory, &ledger) < 0 ||
            desk_open(&(struct desk_settings){ .ledger = ledger,
                                               .profile = &profile,
                                               .readers = readers,
                                               .reader_count = count },
                      &desk) < 0)
                abort();
        wait_until_all_are_ready(desk, count);
        served = lot_finish(lot_start(desk, ledger, EACH));
        claim(served == LOT_SITES * EACH, "sixteen sites get their licenses", 0);
        claim(all_were_used(desk, count), "from every card", 0);
        desk_close(desk);
        r = ledger_balance(ledger, NULL, NULL, &balance);
        claim(r == 0 && balance.issued == served && balance.installed + balance.in_hand == served,
              "the balance is true", r);
        ledger_close(ledger);
        store_close(store);
}

/* --- the list ------------------------------------------------------------------------------ */

static void run_claims(bool is_ccid)
{
        const struct card_rig rig = {
                .name = is_ccid ? "CCID readers" : "vpcd",
                .count = reader_count,
                .profile = &profile,
                .open = is_ccid ? open_ccid : open_vpcd,
                .tell = tell,
                .can_unplug = is_ccid,
                .restart = restart_pcscd,
                .dead_words = is_ccid ? "exchange with the card failed" : "a status has 2",
        };

        tell(0, "counter 1");
        claims_run(&rig);
}

static int station(void *subject)
{
        const char *what = subject;
        struct reader *reader;
        int r = card_profile_load("configs/cards/reference.conf", &profile);

        if (r < 0)
                return r;
        if (strcmp(what, "first") == 0) {
                one_reader();
        } else if (strcmp(what, "vpcd") == 0 || strcmp(what, "ccid") == 0) {
                run_claims(what[0] == 'c');
        } else if (strcmp(what, "many") == 0) {
                many_readers(reader_count);
        } else if (strcmp(what, "late") == 0) {
                late_reader();
        } else {
                r = pcsc_reader_open("1", &reader);
                claim(r == -FAULT_SYSTEM &&
                              strstr(fault_sentence(r), "systemctl start pcscd.socket"),
                      "without pcscd the sentence says how to start it", r);
        }
        return 0;
}

int main(int argc, char **argv)
{
        const struct loop_settings settings = { .time = LOOP_TIME_REAL };
        const char *readers = getenv("READERS");
        struct loop *loop;
        int r;

        if (argc < 2 || loop_create(&settings, &loop) < 0)
                return 1;
        reader_count = readers ? (unsigned)atoi(readers) : 0;
        r = loop_run(loop, "station", station, argv[1]);
        if (r < 0)
                printf("# %s\n", fault_sentence(r));
        loop_destroy(loop);
        return r < 0 || claims_failed() > 0;
}
