/*
 * pcsc_station.c - our side of rig E: reader, card and desk code through the real libpcsclite and
 * pcscd. Started by tests/drivers/pcsc_rig.sh, which gives READERS, and commands to run as
 * RIG_PULL, RIG_INSERT and RIG_RESTART. Prints TAP.
 */
#include "drivers/pcsc.h"
#include "scheduler/fiber.h"
#include "scheduler/loop.h"
#include "station/desk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READERS_MAX 16
#define SITES       16
#define EACH        4

static unsigned tests, failures;
static struct card_profile profile;
static char directory[] = "/tmp/gangway-rig-XXXXXX";

/* One claim, one line. `result` is shown when the claim is false. */
static void claim(bool is_true, const char *what, int result)
{
        printf("%sok %u - %s\n", is_true ? "" : "not ", ++tests, what);
        if (!is_true) {
                failures++;
                printf("# %s: %s\n", fault_name(result), fault_sentence(result));
        }
        fflush(stdout);
}

static void rig(const char *verb)
{
        const char *command = getenv(verb);

        if (!command || system(command) != 0)
                printf("# %s failed\n", verb);
}

static void make_certificate(unsigned number, struct certificate *certificate)
{
        uint8_t seed[32] = { 0 }, secret[PRIVATE_KEY_LENGTH], bytes[CERTIFICATE_LENGTH];

        memcpy(seed, &number, sizeof(number));
        memset(bytes, 1, sizeof(bytes));
        memcpy(bytes, "45002001", 8);
        license_chip_key(seed, secret, bytes + 8);
        if (certificate_parse(bytes, sizeof(bytes), NULL, certificate) < 0)
                abort();
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

/* pcscd looks at a slot every 400 ms; until then it opens sessions on a card that is gone. */
static int open_until_empty(struct reader *reader)
{
        int r = 0;

        for (int tries = 0; tries < 10 && r != -FAULT_TIMEOUT; tries++) {
                r = hsm_open(reader, &profile, NS_PER_S);
                if (r == 0)
                        reader_disconnect(reader);
                IGNORE(fiber_sleep_ns(200 * NS_PER_MS));
        }
        return r;
}

static void pull_in_mid_license(struct reader *reader, uint32_t counter)
{
        struct license_task task = { .reader = reader };
        struct hsm_info info = { 0 };
        struct fiber *fiber;
        int r;

        make_certificate(2, &task.certificate);
        fiber = fiber_spawn("license", license_procedure, &task);
        IGNORE(fiber_sleep_ns(30 * NS_PER_MS));
        rig("RIG_PULL");
        r = fiber_join(fiber);
        claim(r == -FAULT_NO_CARD || r == -FAULT_CARD_DEAD, "a card pulled in mid-license is gone",
              r);
        printf("# %s: %s\n", fault_name(r), fault_sentence(r));
        reader_disconnect(reader);
        r = open_until_empty(reader);
        claim(r == -FAULT_TIMEOUT, "the empty reader is waited for, then given up", r);
        rig("RIG_INSERT");
        r = hsm_open(reader, &profile, 10 * NS_PER_S);
        claim(r == 0, "the card put back is opened", r);
        r = hsm_info(reader, &profile, &info);
        claim(r == 0 && info.counter == counter - 1, "its counter tells the license was spent", r);
}

static void restart_in_session(struct reader *reader)
{
        struct hsm_info info;
        int r;

        rig("RIG_RESTART");
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
        make_certificate(1, &task.certificate);
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

/* --- the desk ------------------------------------------------------------------------------ */

struct site {
        struct desk *desk;
        unsigned index, served;
};

static int site_procedure(void *subject)
{
        struct site *site = subject;

        for (unsigned i = 0; i < EACH; i++) {
                struct certificate certificate;
                struct ledger_request request = { &certificate, "TEST_1", "SFI", "RIG-E", "1" };
                struct ledger_license license;
                int r;

                make_certificate(100 + site->index * EACH + i, &certificate);
                r = desk_license(site->desk, &request, LICENSE_FROM_CARD, &license);
                site->served += r == 0;
                if (r < 0)
                        printf("# %s: %s\n", fault_name(r), fault_sentence(r));
        }
        return 0;
}

static unsigned run_sites(struct desk *desk)
{
        struct site sites[SITES];
        struct fiber *fibers[SITES];
        unsigned served = 0;

        for (unsigned i = 0; i < SITES; i++) {
                sites[i] = (struct site){ .desk = desk, .index = i };
                fibers[i] = fiber_spawn("site", site_procedure, &sites[i]);
        }
        for (unsigned i = 0; i < SITES; i++) {
                IGNORE(fiber_join(fibers[i])); /* its count says what came of it */
                served += sites[i].served;
        }
        return served;
}

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
        struct reader *readers[READERS_MAX];
        struct store *store;
        struct ledger *ledger;
        struct desk *desk;
        struct ledger_balance balance = { 0 };
        unsigned served;
        int r = 0;

        for (unsigned i = 0; i < count && r >= 0; i++) {
                char slot[16];

                snprintf(slot, sizeof(slot), "%u", i + 1);
                r = pcsc_reader_open(slot, &readers[i]);
        }
        claim(r == 0, "every reader is opened", r);
        if (r < 0 || store_open(directory, &store) < 0 ||
            ledger_open(store, directory, &ledger) < 0 ||
            desk_open(&(struct desk_settings){ .ledger = ledger,
                                               .profile = &profile,
                                               .readers = readers,
                                               .reader_count = count },
                      &desk) < 0)
                abort();
        wait_until_all_are_ready(desk, count);
        served = run_sites(desk);
        claim(served == SITES * EACH, "sixteen sites get their licenses", 0);
        claim(all_were_used(desk, count), "from every card", 0);
        desk_close(desk);
        r = ledger_balance(ledger, NULL, NULL, &balance);
        claim(r == 0 && balance.issued == served && balance.in_hand == served,
              "the balance is true", r);
        ledger_close(ledger);
        store_close(store);
}

static int station(void *subject)
{
        const char *readers = getenv("READERS");
        struct reader *reader;
        int r = card_profile_load("configs/cards/reference.conf", &profile);

        (void)subject;
        if (r < 0)
                return r;
        if (readers) {
                one_reader();
                many_readers((unsigned)atoi(readers));
                return 0;
        }
        r = pcsc_reader_open("1", &reader);
        claim(r == -FAULT_SYSTEM && strstr(fault_sentence(r), "systemctl start pcscd.socket"),
              "without pcscd the sentence says how to start it", r);
        return 0;
}

int main(void)
{
        const struct loop_settings settings = { .time = LOOP_TIME_REAL };
        struct loop *loop;

        if (!mkdtemp(directory) || loop_create(&settings, &loop) < 0)
                return 1;
        if (loop_run(loop, "station", station, NULL) < 0)
                failures++;
        loop_destroy(loop);
        return failures > 0;
}
