/*
 * target_part.c - option rows by name, the way back, an empty flash: what several verbs need.
 */
#include "station/commands/target_part.h"

#include "drivers/family_fields.h"

#include <stdio.h>
#include <string.h>

#define LEVEL_2 0xCCu /* RDP: targets.md 5.1 */

/* Beside those the profile names, or instead of one. */
static int name_rsse(const struct family *family, const char *path, struct rss_profile *rss)
{
        size_t i = 0;

        if (!family->needs_rsse)
                return fault(FAULT_BAD_VALUE, "a %s takes no RSSe: leave -rsse away", family->name);
        while (i < rss->rsse_count && rss->rsse[i].device != family->device_id)
                i++;
        if (i == RSSE_FILES_MAX || strlen(path) >= sizeof(rss->rsse[i].file))
                return fault(FAULT_BAD_VALUE,
                             "-rsse %.80s: too long, or the %u RSSe of profile %s "
                             "are all of other devices",
                             path, RSSE_FILES_MAX, rss->name);
        rss->rsse[i].device = family->device_id;
        strcpy(rss->rsse[i].file, path);
        rss->rsse_count += i == rss->rsse_count;
        return 0;
}

int target_part_rss(const struct target_session *session, struct rss_profile *ret_rss)
{
        const struct target_choice *choice = session->choice;
        const struct family *family = &session->chosen.family;
        int r = family_rss(family, choice->rss, ret_rss), named = 0;

        if (r > 0 && choice->rsse)
                named = name_rsse(family, choice->rsse, ret_rss);
        return named < 0 ? named : r;
}

void target_part_rows(const struct target_session *session, const uint32_t *options,
                      struct option_bytes *ret_rows)
{
        const struct family *family = &session->chosen.family;

        *ret_rows = (struct option_bytes){ .count = family->option_count };
        for (size_t i = 0; i < family->option_count; i++) {
                snprintf(ret_rows->rows[i].name, sizeof(ret_rows->rows[i].name), "%s",
                         family->options[i].name);
                ret_rows->rows[i].value = options[i];
        }
}

bool target_part_is_final(const struct target_session *session, const uint32_t *options)
{
        const struct family *family = &session->chosen.family;
        const struct family_field *readout = family_field(family, ROLE_READOUT);

        return readout && family_field_get(readout, options) == LEVEL_2;
}

void target_part_say_ways(const struct target_session *session, const uint32_t *options)
{
        const struct family *family = &session->chosen.family;
        bool is_open = family_is_open(family, options);

        if (target_part_is_final(session, options))
                puts("Read-out protection is at level 2: nothing leads back.");
        else if (is_open)
                puts("Open: read, write, erase, option bytes and default-ob work from here.");
        else if (family_field(family, ROLE_STATE))
                puts("Not open: the way back is debug authentication, with the certificate or\n"
                     "password that was provisioned: gangway target discover, then regress.");
        else
                puts("Protected: gangway target regress opens it and erases all of the flash.");
}

void target_part_factory(const struct family *family, uint32_t *ret_options)
{
        for (size_t i = 0; i < family->option_count; i++)
                ret_options[i] = family->options[i].factory;
}

unsigned target_part_off_factory(const struct family *family, const uint32_t *options)
{
        unsigned count = 0;

        for (size_t i = 0; i < family->option_count; i++) {
                const struct family_option *row = &family->options[i];

                count += row->program && ((options[i] ^ row->factory) & row->mask);
        }
        return count;
}

/* Erased, and looked at again. */
static int blank_sector(struct target_session *session, uint32_t address, unsigned *erased)
{
        uint32_t length = session->chosen.family.sector_length;
        int r = target_check_blank(&session->target, address, length);

        if (r != -FAULT_NOT_BLANK)
                return r;
        *erased += 1;
        r = target_erase(&session->target, address, length, NULL);
        return r < 0 ? r : target_check_blank(&session->target, address, length);
}

int target_part_blank(struct target_session *session, unsigned *ret_erased)
{
        const struct family *family = &session->chosen.family;
        uint32_t bank_length = target_bank_length(&session->target, &session->identity);
        int r = 0;

        *ret_erased = 0;
        for (unsigned bank = 0; bank < family->banks && !r; bank++)
                for (uint32_t at = 0; at < bank_length && !r; at += family->sector_length)
                        r = blank_sector(session, family->bank_address[bank] + at, ret_erased);
        return r;
}
