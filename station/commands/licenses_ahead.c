/*
 * gangway licenses ahead: licenses from the station's cards before their boards are on the line.
 *
 * It is the station for a while: the same lock, the same ledger, the same desk. A few fibers take
 * certificate after certificate, so that every card always has its next request; one waits for
 * Ctrl-C and cancels them. Closing the desk lets a license in a card arrive and be stored, so what is
 * told at the end is asked of the ledger.
 */
#include "station/commands/command.h"

#include "drivers/family.h"
#include "drivers/hsm.h"
#include "drivers/rss.h"
#include "scheduler/fiber.h"
#include "scheduler/loop.h"
#include "scheduler/ring.h"
#include "station/commands/answer.h"
#include "station/commands/books.h"
#include "station/commands/chip_files.h"
#include "station/commands/progress.h"
#include "station/data_lock.h"
#include "station/desk.h"
#include "station/readers.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* Requests under way: each card works on one, and finds the next at once. */
#define ASKERS_MAX (2 * SETTINGS_READERS_MAX)

enum chip_state { CHIP_WAITING, CHIP_MADE, CHIP_IN_HAND, CHIP_FAILED };

struct chip {
        struct certificate certificate;
        enum chip_state state;
};

/* The station, as far as it is needed. */
struct ahead {
        const struct chip_request *request;
        struct books *books;
        int lock; /* 0: not held */
        struct family family;
        struct rss_profile rss;
        struct card_profile profile;
        struct bench *bench;
        unsigned reader_count;
        struct desk *desk;

        struct chip *chips;
        size_t next; /* to be asked for */
        unsigned made, in_hand, failed;
        struct fiber *askers[ASKERS_MAX]; /* NULL once it has ended */
        unsigned asker_count;
        bool is_stopping, was_interrupted;
        char reason[512]; /* why it stopped, or the last failure; "" */

        char words[160];
        struct progress progress;
};

/* --- what is asked ------------------------------------------------------------------------- */

/* All of them before any card is asked: a bad file costs nothing. */
static int read_chips(struct ahead *ahead)
{
        const struct chip_files *files = &ahead->request->files;
        int r = 0;

        ahead->chips = calloc(files->count, sizeof(*ahead->chips));
        INSIST(ahead->chips);
        for (size_t i = 0; i < files->count && r >= 0; i++)
                r = chip_certificate_read(files->rows[i].certificate, NULL,
                                          &ahead->chips[i].certificate);
        return r;
}

static struct ledger_request request_for(const struct ahead *ahead, const struct chip *chip)
{
        const struct chip_purpose *purpose = &ahead->request->purpose;

        return (struct ledger_request){ .certificate = &chip->certificate,
                                        .firmware_id = purpose->firmware_id,
                                        .type = purpose->type,
                                        .order = purpose->order,
                                        .site = "" };
}

/* --- the station --------------------------------------------------------------------------- */

static int open_readers(struct ahead *ahead, struct reader **readers)
{
        const struct settings *settings = &ahead->books->settings;
        int r = card_profile_load(settings->card_profile_file, &ahead->profile);

        if (r >= 0 && settings->hardware == HARDWARE_SIMULATED) {
                r = family_load(settings->family_file, &ahead->family);
                if (r >= 0)
                        r = rss_profile_load(settings->rss_profile_file, &ahead->rss);
                if (r >= 0)
                        r = readers_open_bench(settings, &ahead->family, &ahead->rss,
                                               &ahead->profile, 0, &ahead->bench);
        }
        if (r >= 0)
                r = readers_open(settings, ahead->bench, readers);
        if (r == 0)
                return fault(FAULT_NO_CARD, "station %s has no reader; name them in %s",
                             settings->station, settings->file);
        return r;
}

static int open_desk(struct ahead *ahead)
{
        struct reader *readers[SETTINGS_READERS_MAX];
        int r = open_readers(ahead, readers);

        if (r < 0)
                return r;
        ahead->reader_count = (unsigned)r;
        return desk_open(&(struct desk_settings){ .ledger = ahead->books->ledger,
                                                  .profile = &ahead->profile,
                                                  .readers = readers,
                                                  .reader_count = ahead->reader_count },
                         &ahead->desk);
}

/* A license found lost at a card's insertion, or an intent a crash left open, is named at once. */
static void tell_news(const char *sentence, bool is_loss, void *context)
{
        struct ahead *ahead = context;

        (void)is_loss;
        progress_next(&ahead->progress, ahead->words, 0); /* takes its line away for now */
        fprintf(stderr, "gangway licenses ahead: %s\n", sentence);
}

static int open_station(struct ahead *ahead)
{
        int r = books_settings(ahead->request->station_file, &ahead->books);

        if (r >= 0)
                r = data_lock(ahead->books->settings.data_directory, &ahead->lock);
        if (r >= 0)
                r = books_open_now(ahead->books);
        if (r >= 0)
                r = ledger_listen(ahead->books->ledger, tell_news, ahead);
        return r < 0 ? r : open_desk(ahead);
}

static void close_station(struct ahead *ahead)
{
        ahead->desk = desk_close(ahead->desk);
        ahead->bench = bench_destroy(ahead->bench);
        books_release(&ahead->books);
        if (ahead->lock > 0)
                close(ahead->lock);
        ahead->lock = 0;
        free(ahead->chips);
}

/* --- asking -------------------------------------------------------------------------------- */

static void tell(struct ahead *ahead)
{
        snprintf(ahead->words, sizeof(ahead->words),
                 "licenses ahead: %u of %zu made, %u in hand already, %u failed", ahead->made,
                 ahead->request->files.count, ahead->in_hand, ahead->failed);
}

/* What is true of the cards is true for the chips that follow. */
static bool is_about_cards(int result)
{
        return result == -FAULT_WRONG_CARD || result == -FAULT_CARD_EMPTY ||
               result == -FAULT_NO_CARD || result == -FAULT_CARD_DEAD || result == -FAULT_STORE;
}

static void note_failure(struct ahead *ahead, struct chip *chip, int result)
{
        chip->state = CHIP_FAILED;
        ahead->failed++;
        if (!ahead->reason[0] || is_about_cards(result))
                snprintf(ahead->reason, sizeof(ahead->reason), "chip %s: %s",
                         chip->certificate.fingerprint, fault_sentence(result));
        if (is_about_cards(result))
                ahead->is_stopping = true;
}

static int ask(void *subject)
{
        struct ahead *ahead = subject;

        while (!ahead->is_stopping && ahead->next < ahead->request->files.count) {
                struct chip *chip = &ahead->chips[ahead->next++];
                struct ledger_request request = request_for(ahead, chip);
                struct ledger_license license = { 0 };
                int r = desk_license(ahead->desk, &request, LICENSE_FROM_CARD, &license);

                wipe(license.bytes, sizeof(license.bytes));
                if (r == -FAULT_CANCELLED)
                        return 0;
                if (r < 0) {
                        note_failure(ahead, chip, r);
                } else if (license.was_in_hand) {
                        chip->state = CHIP_IN_HAND;
                        ahead->in_hand++;
                } else {
                        chip->state = CHIP_MADE;
                        ahead->made++;
                }
                tell(ahead);
        }
        return 0;
}

static int watch_signals(void *subject)
{
        struct ahead *ahead = subject;
        struct signalfd_siginfo info;
        sigset_t signals;
        int descriptor;

        sigemptyset(&signals);
        sigaddset(&signals, SIGINT);
        sigaddset(&signals, SIGTERM);
        descriptor = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
        if (descriptor < 0)
                return fault_errno(errno, "signalfd");
        while (ring_poll(descriptor, POLLIN, WAIT_FOREVER) > 0) {
                if (read(descriptor, &info, sizeof(info)) != sizeof(info))
                        continue;
                ahead->is_stopping = ahead->was_interrupted = true;
                for (unsigned i = 0; i < ahead->asker_count; i++)
                        if (ahead->askers[i])
                                fiber_cancel(ahead->askers[i]);
        }
        close(descriptor);
        return 0;
}

static void ask_for_all(struct ahead *ahead)
{
        struct fiber *signals;
        sigset_t caught, before;

        sigemptyset(&caught);
        sigaddset(&caught, SIGINT);
        sigaddset(&caught, SIGTERM);
        sigprocmask(SIG_BLOCK, &caught, &before);
        signals = fiber_spawn("signals", watch_signals, ahead);
        tell(ahead);
        progress_begin(&ahead->progress, ahead->words);
        while (ahead->asker_count < 2 * ahead->reader_count &&
               ahead->asker_count < ahead->request->files.count)
                ahead->askers[ahead->asker_count++] = fiber_spawn("ask", ask, ahead);
        for (unsigned i = 0; i < ahead->asker_count; i++) {
                IGNORE(fiber_join(ahead->askers[i])); /* each has noted its own results */
                ahead->askers[i] = NULL;
        }
        ahead->desk = desk_close(ahead->desk); /* what is in a card arrives */
        progress_end(&ahead->progress);
        fiber_cancel(signals);
        IGNORE(fiber_join(signals));
        sigprocmask(SIG_SETMASK, &before, NULL);
}

/* Chips whose asking was cut short may have got theirs all the same. */
static int look_again(struct ahead *ahead)
{
        for (size_t i = 0; i < ahead->next; i++) {
                struct chip *chip = &ahead->chips[i];
                struct ledger_request request = request_for(ahead, chip);
                struct ledger_license license = { 0 };
                int r;

                if (chip->state != CHIP_WAITING)
                        continue;
                r = ledger_find(ahead->books->ledger, &request, &license);
                wipe(license.bytes, sizeof(license.bytes));
                if (r < 0)
                        return r;
                ahead->made += r > 0;
        }
        return 0;
}

/* --- what is said -------------------------------------------------------------------------- */

static int answer(const struct ahead *ahead)
{
        unsigned count = (unsigned)ahead->request->files.count;
        unsigned left = count - ahead->made - ahead->in_hand - ahead->failed;
        int code = left || ahead->failed ? EXIT_NO : EXIT_OK;

        if (ahead->request->is_json)
                return answer_json(
                        json_pack("{s:I, s:I, s:I, s:I, s:b, s:s}", "made", (json_int_t)ahead->made,
                                  "in_hand_already", (json_int_t)ahead->in_hand, "failed",
                                  (json_int_t)ahead->failed, "not_asked", (json_int_t)left,
                                  "interrupted", ahead->was_interrupted, "reason", ahead->reason),
                        code);
        printf("%u licenses made for %s, %u in hand already, %u failed, %u not asked for%s\n",
               ahead->made, ahead->request->purpose.firmware_id, ahead->in_hand, ahead->failed,
               left, ahead->was_interrupted ? "; interrupted" : "");
        if (ahead->reason[0])
                fprintf(stderr, "gangway licenses ahead: %s\n", ahead->reason);
        return code;
}

static int get_ahead(struct ahead *ahead)
{
        int r = read_chips(ahead);

        if (r >= 0)
                r = open_station(ahead);
        if (r == -FAULT_STORE || r == -FAULT_NO_CARD) { /* the answer is no, and why */
                fprintf(stderr, "gangway licenses ahead: %s\n", fault_sentence(r));
                return EXIT_NO;
        }
        if (r < 0)
                return r;
        ask_for_all(ahead);
        r = look_again(ahead);
        return r < 0 ? r : answer(ahead);
}

static int run(int argc, char **argv)
{
        struct chip_request request CLEANUP(chip_request_release) = { 0 };
        struct ahead *ahead; /* too large for a fiber's stack */
        int r = chip_request_read(argc, argv, &request);

        if (r < 0)
                return r;
        ahead = calloc(1, sizeof(*ahead));
        INSIST(ahead);
        ahead->request = &request;
        r = get_ahead(ahead);
        close_station(ahead);
        free(ahead);
        return r;
}

const struct command licenses_ahead_command = {
        .words = "licenses ahead",
        .summary = "get licenses from the station's cards in advance",
        .help = "usage: gangway licenses ahead [--station FILE] --firmware-id ID [--type TYPE]\n"
                "       [--lot ID] [--json] CERTIFICATE ... | --directory DIR\n"
                "\n"
                "Asks the readers of the station file for a license for each chip, all cards at\n"
                "once, and keeps them in the ledger; installs then need no card. A chip that has\n"
                "one costs none. Not while gangwayd runs: stop it first. Ctrl-C ends it; what a\n"
                "card has given by then is kept.\n"
                "\n"
                "      --station FILE    the station file (default configs/gangway.conf)\n"
                "      --firmware-id ID  what the licenses are for\n"
                "      --type TYPE       SFI (default), SFIA, SMU, SSP\n"
                "      --lot ID          count them as issued for this order\n"
                "  -d, --directory DIR   every NAME.certificate.bin\n"
                "      --json            the summary for programs\n"
                "\n"
                "Exit 1 when a chip has none in the end, or gangwayd is at work.\n"
                "\n"
                "example: gangway licenses ahead --station gangway.conf --firmware-id \\\n"
                "           BLINKY_1 --directory certificates\n",
        .run = run,
};
