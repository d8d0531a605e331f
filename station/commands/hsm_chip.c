/*
 * The part is looked at in the order an install does: identity, where it runs, may this profile be
 * used on it; then the root security services are asked. Nothing is written to its flash.
 */
#include "station/commands/hsm_chip.h"

#include <stdio.h>
#include <string.h>

#define CLOCK_KHZ  4000u /* the programmer's own default (secure-install.md section 14.2) */
#define PROBES_MAX 64u

static int only_path(struct bus *bus, char *ret_path, size_t capacity)
{
        static struct wire_identity found[PROBES_MAX]; /* too large for a fiber's stack */
        char paths[256] = "";
        int count = bus_list(bus, found, PROBES_MAX);

        if (count < 0)
                return count;
        if (count == 0)
                return fault(FAULT_NOT_FOUND, "no ST-LINK probe is plugged in");
        if (count == 1) {
                snprintf(ret_path, capacity, "%s", found[0].path);
                return 0;
        }
        for (int i = 0; i < count && strlen(paths) + sizeof(found[0].path) + 1 < sizeof(paths); i++)
                strcat(strcat(paths, " "), found[i].path);
        return fault(FAULT_BAD_VALUE, "%d probes are plugged in: choose one with --path, of%s",
                     count, paths);
}

static int ask(struct target *target, const struct rss_profile *rss,
               struct certificate *ret_certificate)
{
        struct target_identity identity;
        int r = target_attach(target, CLOCK_KHZ);

        if (r >= 0)
                r = target_identify(target, &identity);
        if (r >= 0)
                r = rss_check_allowed(target, rss);
        if (r >= 0)
                r = target_check_boot(target);
        return r < 0 ? r : rss_read_certificate(target, rss, ret_certificate);
}

int chip_certificate(struct bus *bus, const char *path, const struct family *family,
                     const struct rss_profile *rss, struct certificate *ret_certificate)
{
        struct stlink probe = { 0 };
        struct target target = { .probe = &probe, .family = family };
        char found[sizeof(((struct wire_identity *)NULL)->path)], sentence[512];
        struct wire *wire;
        int r = 0;

        if (!path) {
                r = only_path(bus, found, sizeof(found));
                path = found;
        }
        if (r >= 0)
                r = bus_open(bus, path, &wire);
        if (r >= 0)
                r = stlink_open(wire, &probe);
        if (r < 0)
                return r;
        r = ask(&target, rss, ret_certificate);
        if (r >= 0 && family->product_id[0] &&
            strncmp(ret_certificate->product_id, family->product_id, 3) != 0)
                r = fault(FAULT_WRONG_PART, "the chip is product %s, %s is %s",
                          ret_certificate->product_id, family->name, family->product_id);
        if (r < 0)
                snprintf(sentence, sizeof(sentence), "%s", fault_sentence(r));
        stlink_close(&probe);
        return r < 0 ? fault((enum fault)(-r), "%s", sentence) : 0;
}
