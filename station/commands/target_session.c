/*
 * target_session.c - from the words of the command line to a part that answers.
 *
 * The bus first, then the probe on it, then the part behind it: the debug port's id narrows the
 * families down, the device id at the address each of them keeps it picks one. An address that is
 * not there faults, which costs one cleared error flag; nothing is written.
 */
#include "station/commands/target_session.h"

#include "crypto/obk.h"
#include "drivers/simulated/bench.h"
#include "drivers/simulated/part.h"
#include "drivers/usb.h"
#include "scheduler/fiber.h"
#include "scheduler/file.h"
#include "station/commands/command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIMULATED_SPEED   0.01 /* a bank in a moment: a rehearsal of words, not of time */
#define FAMILY_NOTE       "family"
#define RSS_OF_OTHERS     "reference-h7"
#define PROVISION_FILE    "provisioned.obk"
#define SUPPLY_MINIMUM_MV 1500u /* below every part's 1.62 V; a free probe reads some 0.1 V */
#define ID_TAIL           8u

/* --- the simulated bus --------------------------------------------------------------------- */

static bool is_folder(const char *path)
{
        struct stat status;

        return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* A folder remembers its family: another one would cut the part's store to another length. */
static int recall_family(const char *folder, const struct target_choice *choice,
                         struct family_choice *family)
{
        static char noted[64];
        char path[PLACE_LENGTH_MAX];
        struct bytes bytes CLEANUP(bytes_free) = { 0 };
        int r;

        if ((size_t)snprintf(path, sizeof(path), "%s/" FAMILY_NOTE, folder) >= sizeof(path))
                return fault(FAULT_BAD_VALUE, "the path %.80s... is too long", folder);
        r = file_read(path, sizeof(noted) - 1, &bytes);
        if (r == -FAULT_NOT_FOUND) {
                family->family = choice->family ? choice->family : FAMILY_DEFAULT;
                return file_write(path, family->family, strlen(family->family), 0644);
        }
        if (r < 0)
                return r;
        memcpy(noted, bytes.data, bytes.length);
        noted[bytes.length] = '\0';
        noted[strcspn(noted, "\n")] = '\0'; /* as a person writes it */
        if (choice->family && strcmp(choice->family, noted) != 0)
                return fault(FAULT_BAD_VALUE,
                             "the part in %.80s is a %.40s, --family says %.40s; take another "
                             "folder",
                             folder, noted, choice->family);
        family->family = noted;
        return 0;
}

/* A word with a slash, or what is a folder already, is one; a family's name makes a fresh part. */
static int choose_simulated(const struct target_choice *choice, struct family_choice *family,
                            const char **ret_folder)
{
        const char *what = choice->simulated;

        *ret_folder = NULL;
        family->family = what;
        if (!strchr(what, '/') && !is_folder(what))
                return 0;
        if (!is_folder(what) && mkdir(what, 0700) < 0)
                return fault(FAULT_NOT_FOUND, "--simulated %.80s: no folder, and none can be made",
                             what);
        *ret_folder = what;
        return recall_family(what, choice, family);
}

/* What a part was provisioned with before it came here: an .obk beside it, taken once. */
static int provision_simulated(const char *folder, struct simulated_part *part)
{
        char path[PLACE_LENGTH_MAX], taken[PLACE_LENGTH_MAX + 8];
        struct bytes file CLEANUP(bytes_wipe_free) = { 0 };
        struct obk obk;
        int r;

        if ((size_t)snprintf(path, sizeof(path), "%s/" PROVISION_FILE, folder) >= sizeof(path))
                return fault(FAULT_BAD_VALUE, "the path %.80s... is too long", folder);
        snprintf(taken, sizeof(taken), "%s.taken", path);
        r = file_read(path, OBK_FILE_MAX, &file);
        if (r == -FAULT_NOT_FOUND)
                return 0;
        if (r >= 0)
                r = obk_parse(path, file.data, file.length, &obk);
        if (r < 0)
                return r;
        part_provision(part, file.data, file.length);
        return rename(path, taken) < 0 ? fault_errno(errno, "%s", path) : 0;
}

static int open_simulated(const struct target_choice *choice, struct target_bus *bus)
{
        struct family_choice wanted = { 0 };
        struct chosen_family *chosen;
        struct bench_settings settings = { .seed = 1, .sites = 1, .speed = SIMULATED_SPEED };
        int r = choose_simulated(choice, &wanted, &settings.directory);

        if (r < 0)
                return r;
        chosen = calloc(1, sizeof(*chosen));
        bus->family = malloc(sizeof(*bus->family));
        bus->rss = calloc(1, sizeof(*bus->rss));
        INSIST(chosen && bus->family && bus->rss);
        r = family_choose(&wanted, chosen);
        *bus->family = chosen->family;
        free(chosen);
        if (r >= 0) /* a part has something in its system memory, whether we speak to it or not */
                r = family_rss(bus->family, bus->family->rss_profile[0] ? NULL : RSS_OF_OTHERS,
                               bus->rss);
        settings.family = bus->family;
        settings.rss = bus->rss;
        if (r >= 0)
                r = bench_create(&settings, &bus->bench);
        if (r < 0)
                return r;
        if (!bench_part(bus->bench, 0))
                bench_insert(bus->bench, 0);
        if (settings.directory)
                r = provision_simulated(settings.directory, bench_part(bus->bench, 0));
        if (r < 0)
                return r;
        bus->bus = bench_bus(bus->bench);
        /* it has just been powered: until it has booted nothing answers */
        return fiber_sleep_ns((bus->family->reset_ms + bus->family->rss_boot_ms) * NS_PER_MS);
}

int target_bus_open(const struct target_choice *choice, struct target_bus *ret_bus)
{
        *ret_bus = (struct target_bus){ 0 };
        return choice->simulated ? open_simulated(choice, ret_bus) : usb_bus_open(&ret_bus->bus);
}

void target_bus_close(struct target_bus *bus)
{
        if (bus->bench)
                bench_destroy(bus->bench);
        else if (bus->bus)
                bus_close(bus->bus);
        free(bus->family);
        free(bus->rss);
        *bus = (struct target_bus){ 0 };
}

/* --- the probe ----------------------------------------------------------------------------- */

static bool is_meant(const struct target_choice *choice, const struct wire_identity *wire,
                     uint32_t index)
{
        if (choice->path)
                return strcmp(choice->path, wire->path) == 0;
        if (choice->serial[0])
                return strcasecmp(choice->serial, wire->serial) == 0;
        return !choice->has_index || choice->index == index;
}

static void list_probes(const struct wire_identity *found, unsigned count, char *text,
                        size_t capacity)
{
        text[0] = '\0';
        for (unsigned i = 0; i < count && i < 8; i++) {
                size_t used = strlen(text);

                snprintf(text + used, capacity - used, "%s index=%u sn=%s at %s", i ? "," : "", i,
                         found[i].serial, found[i].path);
        }
}

/* One of `count` probes, or a sentence that names them all. */
static int choose_probe(const struct target_choice *choice, const struct wire_identity *found,
                        unsigned count, struct wire_identity *ret_wire)
{
        unsigned meant = 0;
        char text[640];

        for (unsigned i = 0; i < count; i++)
                if (is_meant(choice, &found[i], i)) {
                        *ret_wire = found[i];
                        meant++;
                }
        if (meant == 1)
                return 0;
        list_probes(found, count, text, sizeof(text));
        if (count == 0)
                return fault(FAULT_UNPLUGGED,
                             "no ST-LINK is connected; look at the cable, and at who may open it "
                             "(lsusb -d 0483:)");
        if (meant > 1)
                return fault(FAULT_BAD_VALUE,
                             "%u probes fit; choose by -c index=, sn= or by --port-path:%s", meant,
                             text);
        return fault(FAULT_UNPLUGGED, "%s%s is not connected; there %s%s",
                     choice->path        ? "the probe at "
                     : choice->serial[0] ? "the probe sn="
                                         : "the probe of that index",
                     choice->path        ? choice->path
                     : choice->serial[0] ? choice->serial
                                         : "",
                     count == 1 ? "is" : "are", text);
}

static int by_path(const void *a, const void *b)
{
        const struct wire_identity *first = a, *second = b;

        return strverscmp(first->path, second->path);
}

int target_probes(struct bus *bus, struct wire_identity *ret_found)
{
        int count = bus_list(bus, ret_found, TARGET_PROBES_MAX);

        if (count > 1)
                qsort(ret_found, (size_t)count, sizeof(*ret_found), by_path);
        return count;
}

static int find_probe(const struct target_choice *choice, struct bus *bus,
                      struct wire_identity *ret_wire)
{
        struct wire_identity *found = calloc(TARGET_PROBES_MAX, sizeof(*found));
        int r;

        INSIST(found);
        r = target_probes(bus, found);
        if (r >= 0)
                r = choose_probe(choice, found, (unsigned)r, ret_wire);
        free(found);
        return r;
}

/* --- the part ------------------------------------------------------------------------------ */

struct detection {
        struct stlink *probe;
        const struct target_choice *choice;
        uint32_t dpidr;
        unsigned tried_port;
        uint32_t tried_address, idcode; /* of the last attempt; address 0: none yet */
        char seen[160];
};

static int read_idcode(struct detection *look, const struct family *family)
{
        int r;

        look->tried_port = family->access_port;
        look->tried_address = family->idcode_address;
        look->idcode = 0;
        r = stlink_open_ap(look->probe, family->access_port);
        if (r >= 0)
                r = stlink_read_word(look->probe, family->access_port, family->idcode_address,
                                     &look->idcode);
        if (r >= 0) {
                size_t used = strlen(look->seen);

                snprintf(look->seen + used, sizeof(look->seen) - used, "%s 0x%08X at 0x%08X",
                         used ? "," : "", look->idcode, look->tried_address);
                return 0;
        }
        if (!target_may_come_back(r))
                return r;
        look->idcode = 0;
        r = stlink_clear_errors(look->probe);
        return r < 0 && !target_may_come_back(r) ? r : 0;
}

static int is_this_family(void *subject, const struct family *family)
{
        struct detection *look = subject;
        int r = 0;

        if (family->dpidr != look->dpidr)
                return 0;
        if (look->choice->has_access_port && look->choice->access_port != family->access_port)
                return 0;
        if (look->tried_port != family->access_port ||
            look->tried_address != family->idcode_address)
                r = read_idcode(look, family);
        return r < 0 ? r : (look->idcode & 0xFFF) == family->device_id;
}

int target_detect(struct stlink *probe, const struct target_choice *choice,
                  struct chosen_family *ret_chosen)
{
        struct detection look = { .probe = probe, .choice = choice };
        int r = stlink_enter(probe, &look.dpidr);

        if (r < 0)
                return r;
        r = family_search(is_this_family, &look, ret_chosen);
        if (r != 0)
                return r < 0 ? r : 0;
        if (choice->has_access_port)
                return fault(
                        FAULT_WRONG_PART,
                        "no known part answers behind ap=%u (debug port 0x%08X, device id:%s); "
                        "leave ap= away to look at all",
                        choice->access_port, look.dpidr,
                        look.seen[0] ? look.seen : " not readable");
        return fault(
                FAULT_WRONG_PART,
                "no family in configs/targets/ has this part: debug port 0x%08X, device id:%s; "
                "a closed part shows none: gangway target discover asks it",
                look.dpidr, look.seen[0] ? look.seen : " not readable");
}

static int choose_family(struct target_session *session)
{
        const struct target_choice *choice = session->choice;
        struct family_choice named = { .family = choice->family };
        int r;

        if (!choice->family || choice->simulated)
                return target_detect(&session->probe, choice, &session->chosen);
        r = family_choose(&named, &session->chosen);
        if (r >= 0 && choice->has_access_port)
                session->chosen.family.access_port = choice->access_port;
        return r;
}

static int connect_part(struct target_session *session)
{
        unsigned clock_khz = session->choice->clock_khz;
        int r = stlink_voltage_mv(&session->probe, &session->supply_mv);

        if (r < 0)
                return r;
        if (session->supply_mv && session->supply_mv < SUPPLY_MINIMUM_MV)
                return fault(FAULT_NO_POWER,
                             "the target has %u.%02u V, wanted %u.%02u V or more: is the board "
                             "powered and connected?",
                             session->supply_mv / 1000, session->supply_mv % 1000 / 10,
                             SUPPLY_MINIMUM_MV / 1000, SUPPLY_MINIMUM_MV % 1000 / 10);
        r = stlink_set_clock(&session->probe, clock_khz);
        if (r >= 0)
                r = choose_family(session);
        session->target = (struct target){ &session->probe, &session->chosen.family };
        if (r >= 0)
                r = target_attach(&session->target, clock_khz);
        if (r >= 0)
                r = target_identify(&session->target, &session->identity);
        if (r >= 0)
                r = option_fields_load(session->chosen.path, &session->chosen.family,
                                       &session->fields);
        return r;
}

static int open_session(struct target_session *session)
{
        struct wire *wire;
        int r = target_bus_open(session->choice, &session->bus);

        if (r >= 0)
                r = find_probe(session->choice, session->bus.bus, &session->wire);
        if (r >= 0)
                r = bus_open(session->bus.bus, session->wire.path, &wire);
        if (r < 0)
                return r;
        session->wire = *wire_identity(wire);
        session->is_simulated = session->wire.is_simulated;
        r = stlink_open(wire, &session->probe);
        return r < 0 ? r : connect_part(session);
}

int target_session_open(const struct target_choice *choice, struct target_session **ret_session)
{
        struct target_session *session = calloc(1, sizeof(*session));

        INSIST(session);
        session->choice = choice;
        *ret_session = session; /* also after a failure: closing then tidies up what there is */
        return open_session(session);
}

void target_session_close(struct target_session **session)
{
        if (!*session)
                return;
        if ((*session)->probe.wire)
                stlink_close(&(*session)->probe);
        target_bus_close(&(*session)->bus);
        option_fields_free(&(*session)->fields);
        free(*session);
        *session = NULL;
}

/* --- what commands share ------------------------------------------------------------------- */

void target_session_mark(const struct target_session *session)
{
        if (session->is_simulated && !session->choice->is_json)
                printf("SIMULATED part, not ST's: %s\n", session->chosen.family.name);
}

int target_confirm(const struct target_session *session, const char *what)
{
        const char *tail = session->identity.unique_id_text +
                           strlen(session->identity.unique_id_text) - ID_TAIL;
        char line[32];

        if (session->choice->is_sure)
                return 1;
        if (!(isatty(STDIN_FILENO) && isatty(STDERR_FILENO)))
                return fault(FAULT_BAD_VALUE,
                             "to %s wants a confirmation, and there is no terminal to type it at: "
                             "give --yes in a script",
                             what);
        fflush(stdout);
        fprintf(stderr,
                "Part %s behind probe %s.\nType its last %u digits to %s, anything else to stop: ",
                session->identity.unique_id_text, session->wire.serial, ID_TAIL, what);
        if (!fgets(line, sizeof(line), stdin))
                return 0;
        line[strcspn(line, "\r\n")] = '\0';
        return strcasecmp(line, tail) == 0;
}

int target_answer(const char *words, int r)
{
        if (r >= 0)
                return r;
        fprintf(stderr, "gangway %s: %s\n", words, fault_sentence(r));
        switch (-r) {
        case FAULT_UNPLUGGED:
        case FAULT_PROBE_BUSY:
        case FAULT_PROBE:
        case FAULT_NO_POWER:
        case FAULT_NO_TARGET:
        case FAULT_TARGET_LOST:
        case FAULT_TIMEOUT:
                return EXIT_UNREACHABLE;
        case FAULT_TARGET_ACCESS:
        case FAULT_LOCKED:
        case FAULT_PROTECTED:
        case FAULT_NOT_BLANK:
        case FAULT_BOOT_PIN:
        case FAULT_OPTION_BYTES:
        case FAULT_FLASH:
        case FAULT_REFERENCE_ONLY:
        case FAULT_WRONG_PART:
        case FAULT_RSS:
        case FAULT_RSS_SILENT:
        case FAULT_BAD_CERTIFICATE:
                return EXIT_NO;
        default:
                return EXIT_INPUT;
        }
}
