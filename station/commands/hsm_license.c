/*
 * gangway hsm license, hsm license-from-cert: one license from a card, into a file.
 *
 * Certificate first, checked. Then the output is taken, as an empty file that was not there before,
 * so that no license is spent that could not be kept; then the card is asked; then the license is
 * on disk before anything is said. An empty output left by a power cut names the one that may be
 * lost.
 */
#include "station/commands/command.h"

#include "drivers/usb.h"
#include "scheduler/file.h"
#include "station/commands/chip_files.h"
#include "station/commands/family_find.h"
#include "station/commands/hsm_card.h"
#include "station/commands/hsm_chip.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define SECRET_MODE 0600u
#define AGAIN_NS    (2 * NS_PER_S)

struct request {
        struct card_choice choice;
        const char *certificate, *output, *path, *family, *rss;
};

/* The output may be the last word, as with the programmer (secure-install.md section 14.2). */
/* clang-format off */
#define OUTPUT_ARGUMENTS(request)                                             \
        { "outfile", "o", .text = &(request)->output, .what = "license file", \
          .needed = "-o FILE" },                                              \
        { .what = "license file", .text = &(request)->output }
/* clang-format on */

/* --- spending ------------------------------------------------------------------------------ */

static int take_output(const char *path)
{
        int descriptor =
                open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, SECRET_MODE);

        if (descriptor < 0 && errno == EEXIST)
                return fault(FAULT_DUPLICATE,
                             "%.200s exists already; a license is never overwritten: take another "
                             "name",
                             path);
        if (descriptor < 0)
                return fault_errno(errno, "the output %.200s", path);
        close(descriptor);
        return 0;
}

/* After a silence only the counter can tell whether a license was spent. */
static int tell_loss(const struct hsm_card *card, int r)
{
        const uint32_t before = card->info.counter;
        char sentence[300];
        struct hsm_info info;
        bool is_told;

        snprintf(sentence, sizeof(sentence), "%s", fault_sentence(r));
        reader_disconnect(card->reader);
        is_told = hsm_open(card->reader, &card->profile, AGAIN_NS) >= 0 &&
                  hsm_info(card->reader, &card->profile, &info) >= 0 &&
                  strcmp(info.serial, card->info.serial) == 0;
        if (!is_told)
                return fault((enum fault)(-r),
                             "%s; the counter was %u before: gangway hsm counter tells whether a "
                             "license is lost",
                             sentence, before);
        return info.counter == before
                       ? fault((enum fault)(-r), "%s; no license was spent", sentence)
                       : fault((enum fault)(-r), "%s; one license is LOST, the counter is %u",
                               sentence, info.counter);
}

/* The usual reason; what the card is for only the card knows. */
static int other_product(int r, const struct certificate *certificate)
{
        char sentence[300];

        snprintf(sentence, sizeof(sentence), "%s", fault_sentence(r));
        return fault((enum fault)(-r),
                     "%s; no license was spent. A version-2 card issues licenses for the product "
                     "of its personalization package only, this chip is product %s",
                     sentence, certificate->product_id);
}

static int spend(const struct hsm_card *card, const struct certificate *certificate,
                 const char *output)
{
        uint8_t license[LICENSE_LENGTH];
        int r = hsm_check_product(&card->profile, &card->info, certificate->product_id);

        if (r < 0)
                return r;
        r = hsm_license(card->reader, &card->profile, certificate, license);
        if (r == -FAULT_NO_CARD || r == -FAULT_CARD_DEAD)
                return tell_loss(card, r);
        if (r == -FAULT_CARD_REFUSED && card->info.version == 2)
                return other_product(r, certificate);
        if (r >= 0) {
                r = file_write(output, license, sizeof(license), SECRET_MODE);
                if (r < 0)
                        (void)fault_prefix(r, "a license was spent and could not be kept");
        }
        wipe(license, sizeof(license));
        return r;
}

static int issue(const char *words, const struct request *request,
                 const struct certificate *certificate)
{
        struct hsm_card card CLEANUP(hsm_card_close) = { 0 };
        int r = take_output(request->output);

        if (r < 0)
                return r;
        r = hsm_card_open(&request->choice, &card);
        if (r >= 0)
                r = spend(&card, certificate, request->output);
        if (r < 0) {
                unlink(request->output); /* ours, and empty */
                return hsm_card_answer(words, r);
        }
        hsm_card_mark(&card);
        printf("Succeed to generate license: %s, %d bytes\n", request->output, LICENSE_LENGTH);
        printf("  chip                 %s, product %s\n", certificate->fingerprint,
               certificate->product_id);
        printf("  firmware identifier  %s\n", card.info.firmware_id);
        printf("  licenses left        %u\n", card.info.counter - 1);
        return EXIT_OK;
}

/* --- the two commands ---------------------------------------------------------------------- */

static int run_from_cert(int argc, char **argv)
{
        struct request request = { 0 };
        const struct argument arguments[] = {
                CARD_ARGUMENTS(&request.choice),
                { .what = "certificate", .text = &request.certificate, .needed = "CERTIFICATE" },
                OUTPUT_ARGUMENTS(&request),
        };
        struct certificate certificate;
        int r = options_read(argc, argv, arguments, LENGTH_OF(arguments));

        if (r >= 0)
                r = chip_certificate_read(request.certificate, NULL, &certificate);
        return r < 0 ? r : issue("hsm license-from-cert", &request, &certificate);
}

static int run_chip(int argc, char **argv)
{
        struct request request = { 0 };
        const struct argument arguments[] = {
                CARD_ARGUMENTS(&request.choice),   OUTPUT_ARGUMENTS(&request),
                { "path", .text = &request.path }, { "family", .text = &request.family },
                { "rss", .text = &request.rss },
        };
        struct certificate certificate;
        struct chosen_family chosen;
        struct rss_profile rss;
        struct bus *bus;
        char sentence[512];
        int r = options_read(argc, argv, arguments, LENGTH_OF(arguments));

        if (r >= 0)
                r = family_choose(&(struct family_choice){ .family = request.family }, &chosen);
        if (r >= 0)
                r = family_rss(&chosen.family, request.rss, &rss);
        if (r == 0)
                r = fault(FAULT_BAD_VALUE,
                          "no RSS profile is known for a %s: name one with --rss, or take the "
                          "certificate by its boot loader and hsm license-from-cert",
                          chosen.family.name);
        if (r >= 0)
                r = usb_bus_open(&bus);
        if (r < 0)
                return r;
        r = chip_certificate(bus, request.path, &chosen.family, &rss, &certificate);
        if (r < 0)
                snprintf(sentence, sizeof(sentence), "%s", fault_sentence(r));
        (void)bus_close(bus);
        return r < 0 ? fault((enum fault)(-r), "%s", sentence)
                     : issue("hsm license", &request, &certificate);
}

const struct command hsm_license_command = {
        .words = "hsm license",
        .summary = "a license for the chip at a probe",
        .help = "usage: gangway hsm license -o FILE [--path USB-PATH] [--slot N]\n"
                "\n"
                "Reads the certificate of the chip behind an ST-LINK and spends one license on\n"
                "it. How the root security services are asked is not public: a reference RSS\n"
                "profile is refused on silicon; take hsm license-from-cert with a certificate\n"
                "that STM32CubeProgrammer's -gc has read. A running station keeps its own count:\n"
                "use its cards through it.\n"
                "\n"
                "  -o, --outfile FILE  136 bytes, mode 0600; must not exist yet\n"
                "  --path USB-PATH     which probe (default: the only one)\n"
                "  --family NAME       the part (default stm32h75x), or its file\n"
                "  --rss NAME          RSS profile (default: the family's), or its file\n" CARD_HELP
                "\n"
                "example: gangway hsm license -o license.bin --path 1-4.2 --slot 1\n",
        .run = run_chip,
};

const struct command hsm_license_from_cert_command = {
        .words = "hsm license-from-cert",
        .summary = "a license for the chip of a certificate",
        .help = "usage: gangway hsm license-from-cert CERTIFICATE -o FILE [--slot N]\n"
                "\n"
                "Spends one license on the chip of a certificate, without the chip. The\n"
                "certificate is checked before the card is asked. The license fits that chip only\n"
                "and may be used on it again and again (AN5054 section 3.2.1). A running station\n"
                "keeps its own count: use its cards through it.\n"
                "\n"
                "  -o, --outfile FILE  136 bytes, mode 0600; must not exist yet\n" CARD_HELP "\n"
                "example: gangway hsm license-from-cert certificate.bin -o license.bin --slot 1\n",
        .run = run_from_cert,
};
