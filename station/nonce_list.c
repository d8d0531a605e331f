/*
 * Uses are compared in two ways. A new one is held against each earlier use of its key by
 * arithmetic (nonce_range.h). A whole list, as it comes from another machine, is laid out IV by IV
 * and sorted, so that equal ones lie side by side: no arithmetic, and no square of the length.
 */
#include "station/nonce_list.h"

#include "station/text.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define KEY_LABEL   "gangway key fingerprint 1"
#define NONCE_LABEL "gangway nonce name 1"

/* --- names and dates ----------------------------------------------------------------------- */

static char *hex_lower(const void *data, size_t length, char *text)
{
        hex_encode(data, length, text);
        for (size_t i = 0; i < 2 * length; i++)
                text[i] = (char)tolower((unsigned char)text[i]);
        return text;
}

/* The label, its closing zero byte too, keeps these hashes apart from all others. */
static void labelled(const char *label, const void *data, size_t length,
                     uint8_t ret_digest[static DIGEST_LENGTH])
{
        const struct piece pieces[] = { { label, strlen(label) + 1 }, { data, length } };

        digest_sha256_pieces(pieces, LENGTH_OF(pieces), ret_digest);
}

void nonce_key_name(const uint8_t key[static GCM_KEY_LENGTH], char ret_name[static NONCE_KEY_TEXT])
{
        uint8_t digest[DIGEST_LENGTH];

        labelled(KEY_LABEL, key, GCM_KEY_LENGTH, digest);
        hex_lower(digest, NONCE_KEY_LENGTH, ret_name);
        wipe(digest, sizeof(digest));
}

char *nonce_short(const uint8_t nonce[static SFI_NONCE_LENGTH], char text[static NONCE_SHORT_TEXT])
{
        uint8_t digest[DIGEST_LENGTH];

        labelled(NONCE_LABEL, nonce, SFI_NONCE_LENGTH, digest);
        return hex_lower(digest, (NONCE_SHORT_TEXT - 1) / 2, text);
}

char *nonce_key_read(const char name[static NONCE_KEY_TEXT], char text[static NONCE_READ_TEXT])
{
        snprintf(text, NONCE_READ_TEXT, "%.4s-%.4s-%.4s-%.4s", name, name + 4, name + 8, name + 12);
        return text;
}

/* Years of four digits only; others show as the epoch. */
char *nonce_date(int64_t calendar_s, char text[static NONCE_DATE_TEXT])
{
        time_t seconds = (time_t)calendar_s;
        struct tm parts;

        if (!gmtime_r(&seconds, &parts) || parts.tm_year < 70 || parts.tm_year > 9999 - 1900 ||
            strftime(text, NONCE_DATE_TEXT, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
                memcpy(text, "1970-01-01T00:00:00Z", NONCE_DATE_TEXT);
        return text;
}

bool nonce_date_parse(const char *text, int64_t *ret_calendar_s)
{
        char again[NONCE_DATE_TEXT];
        struct tm parts = { 0 };
        int64_t seconds;

        if (strlen(text) != NONCE_DATE_TEXT - 1 || !strptime(text, "%Y-%m-%dT%H:%M:%SZ", &parts))
                return false;
        seconds = timegm(&parts);
        if (strcmp(nonce_date(seconds, again), text) != 0) /* 31 June, a leap second, a space */
                return false;
        *ret_calendar_s = seconds;
        return true;
}

void nonce_label(const char *from, char *to, size_t capacity)
{
        size_t length = strnlen(from, capacity - 1), clean = 0;

        memcpy(to, from, length);
        to[length] = '\0';
        while ((clean += text_clean(to + clean, length - clean)) < length)
                to[clean] = '?';
        for (size_t i = 0; i < length; i++) /* these text_clean lets pass */
                if (to[i] == '\t' || to[i] == '\n' || to[i] == '\r')
                        to[i] = '?';
}

/* --- the list ------------------------------------------------------------------------------ */

static void *grown(void *items, size_t count, size_t *capacity, size_t each)
{
        if (count < *capacity)
                return items;
        *capacity = *capacity ? 2 * *capacity : 16;
        items = reallocarray(items, *capacity, each);
        INSIST(items);
        return items;
}

int nonce_list_add(struct nonce_list *list, const struct nonce_use *use)
{
        if (list->count == NONCE_USES_MAX)
                return fault(FAULT_TOO_LARGE, "more than %u uses of nonces in one list",
                             NONCE_USES_MAX);
        list->uses = grown(list->uses, list->count, &list->capacity, sizeof(*list->uses));
        list->uses[list->count++] = *use;
        return 0;
}

int nonce_list_see(struct nonce_list *list, const struct nonce_seen *seen)
{
        if (list->seen_count == NONCE_SEEN_MAX)
                return fault(FAULT_TOO_LARGE, "more than %u keys of other ledgers in one list",
                             NONCE_SEEN_MAX);
        list->seen = grown(list->seen, list->seen_count, &list->seen_capacity, sizeof(*list->seen));
        list->seen[list->seen_count++] = *seen;
        return 0;
}

void nonce_list_free(struct nonce_list *list)
{
        free(list->uses);
        free(list->seen);
        *list = (struct nonce_list){ 0 };
}

/* --- the chain ----------------------------------------------------------------------------- */

/* Fields hold no tab and no line end (nonce_label; the parsers insist on it), so different uses
 * never give the same text. */
void nonce_use_link(const char *previous, const struct nonce_use *use,
                    char ret_link[static NONCE_LINK_TEXT])
{
        char nonce[2 * SFI_NONCE_LENGTH + 1], date[NONCE_DATE_TEXT], text[1024];
        uint8_t digest[DIGEST_LENGTH];
        int length;

        length = snprintf(text, sizeof(text), "%s\n%s\t%s\t%s\t%u\t%s\t%s\t%s\t%s\t%s\n", previous,
                          use->key, hex_lower(use->range.nonce, SFI_NONCE_LENGTH, nonce),
                          sfi_iv_policy_name(use->range.policy), use->range.areas, use->digest,
                          nonce_date(use->reserved_s, date), use->origin, use->host, use->name);
        INSIST(length > 0 && length < (int)sizeof(text));
        digest_sha256(text, (size_t)length, digest);
        hex_lower(digest, sizeof(digest), ret_link);
}

int nonce_list_check(const struct nonce_list *list)
{
        char link[NONCE_LINK_TEXT] = "";

        for (size_t i = 0; i < list->count; i++) {
                const struct nonce_use *use = &list->uses[i];
                char wanted[NONCE_LINK_TEXT];

                nonce_use_link(link, use, wanted);
                if (strcmp(wanted, use->link) != 0)
                        return fault(FAULT_BAD_TAG,
                                     "use %zu (%s) does not follow from the one before: it or its "
                                     "place was changed",
                                     i + 1, use->name);
                memcpy(link, wanted, sizeof(link));
        }
        return 0;
}

/* --- comparing ----------------------------------------------------------------------------- */

int64_t nonce_list_count(const struct nonce_list *list, const char *key, int64_t limit,
                         const char **ret_link)
{
        int64_t count = 0;

        *ret_link = "";
        for (size_t i = 0; i < list->count && count < limit; i++) {
                if (strcmp(list->uses[i].key, key) != 0)
                        continue;
                count++;
                *ret_link = list->uses[i].link;
        }
        return count;
}

static bool is_same(const struct nonce_use *a, const struct nonce_use *b)
{
        return a->range.policy == b->range.policy && a->range.areas == b->range.areas &&
               memcmp(a->range.nonce, b->range.nonce, SFI_NONCE_LENGTH) == 0 &&
               strcmp(a->key, b->key) == 0 && strcmp(a->digest, b->digest) == 0;
}

struct nonce_use *nonce_list_find(const struct nonce_list *list, const struct nonce_use *use)
{
        for (size_t i = 0; i < list->count; i++)
                if (is_same(&list->uses[i], use))
                        return &list->uses[i];
        return NULL;
}

static void unit_name(uint32_t index, char text[static 32])
{
        if (index)
                snprintf(text, 32, "area %u", index);
        else
                snprintf(text, 32, "the header");
}

static int refuse(const struct nonce_use *use, uint32_t here, const struct nonce_use *earlier,
                  uint32_t there)
{
        char date[NONCE_DATE_TEXT], unit[32], unit_there[32];
        bool is_same_nonce = memcmp(use->range.nonce, earlier->range.nonce, SFI_NONCE_LENGTH) == 0;

        unit_name(here, unit);
        unit_name(there, unit_there);
        return fault(FAULT_DUPLICATE,
                     "%s: %s was used under this key for other content, %.100s, sealed %s%s%s. The "
                     "IV of %s would be that of %s there; gangway nonce new makes another nonce",
                     use->name, is_same_nonce ? "this nonce" : "an IV of this nonce's range",
                     earlier->name, nonce_date(earlier->reserved_s, date),
                     earlier->host[0] ? " on " : "", earlier->host, unit, unit_there);
}

int nonce_list_admit(const struct nonce_list *list, const struct nonce_use *use)
{
        for (size_t i = 0; i < list->count; i++) {
                const struct nonce_use *earlier = &list->uses[i];
                uint32_t here, there;

                if (strcmp(earlier->key, use->key) == 0 &&
                    strcmp(earlier->digest, use->digest) != 0 &&
                    nonce_range_meet(&use->range, &earlier->range, &here, &there))
                        return refuse(use, here, earlier, there);
        }
        return 0;
}

bool nonce_list_is_free(const struct nonce_list *list, const char *key,
                        const uint8_t nonce[static SFI_NONCE_LENGTH])
{
        struct nonce_range longest = { .areas = NONCE_AREAS_MAX };
        uint32_t here, there;

        memcpy(longest.nonce, nonce, SFI_NONCE_LENGTH);
        for (size_t i = 0; i < list->count; i++) {
                if (strcmp(list->uses[i].key, key) != 0)
                        continue;
                for (unsigned policy = 0; policy < SFI_IV_POLICIES; policy++) {
                        longest.policy = (enum sfi_iv_policy)policy;
                        if (nonce_range_meet(&longest, &list->uses[i].range, &here, &there))
                                return false;
                }
        }
        return true;
}

#define DRAWS_MAX 64

int nonce_list_draw(const struct nonce_list *list, const char *key,
                    int (*draw)(void *context, uint8_t nonce[static SFI_NONCE_LENGTH]),
                    void *context, uint8_t ret_nonce[static SFI_NONCE_LENGTH])
{
        for (int i = 0; i < DRAWS_MAX; i++) {
                int r = draw(context, ret_nonce);

                if (r < 0)
                        return r;
                if (nonce_list_is_free(list, key, ret_nonce))
                        return 0;
        }
        wipe(ret_nonce, SFI_NONCE_LENGTH);
        return fault(FAULT_SYSTEM,
                     "%d random nonces in a row were used before: the source of "
                     "chance cannot be right",
                     DRAWS_MAX);
}

/* --- all with all -------------------------------------------------------------------------- */

struct iv_use {
        uint8_t iv[GCM_IV_LENGTH];
        uint32_t use;
};

static int by_key_and_iv(const struct iv_use *a, const struct iv_use *b,
                         const struct nonce_use *uses)
{
        int order = strcmp(uses[a->use].key, uses[b->use].key);

        return order ? order : memcmp(a->iv, b->iv, GCM_IV_LENGTH);
}

static int compare(const void *left, const void *right, void *context)
{
        const struct iv_use *a = left, *b = right;
        int order = by_key_and_iv(a, b, context);

        return order ? order : (a->use > b->use) - (a->use < b->use);
}

static struct iv_use *lay_out(const struct nonce_list *list, size_t total)
{
        struct iv_use *ivs = reallocarray(NULL, total + 1, sizeof(*ivs));
        size_t at = 0;

        INSIST(ivs);
        for (size_t i = 0; i < list->count; i++) {
                const struct nonce_range *range = &list->uses[i].range;

                for (uint32_t index = 0; index <= range->areas; index++, at++) {
                        sfi_iv(range->nonce, index, range->policy, ivs[at].iv);
                        ivs[at].use = (uint32_t)i;
                }
        }
        qsort_r(ivs, total, sizeof(*ivs), compare, list->uses);
        return ivs;
}

/* Within a run of equal IVs the earliest use comes first; it is the partner of all later ones of
 * other content. (Content that comes between and is a third's clash has been found by then.) */
static void mark(const struct nonce_list *list, const struct iv_use *ivs, size_t total,
                 size_t *clashes)
{
        const struct iv_use *first = ivs;

        for (size_t i = 1; i < total; i++) {
                const struct nonce_use *use = &list->uses[ivs[i].use];

                if (by_key_and_iv(first, &ivs[i], list->uses) != 0)
                        first = &ivs[i];
                else if (strcmp(list->uses[first->use].digest, use->digest) != 0 &&
                         clashes[ivs[i].use] > first->use)
                        clashes[ivs[i].use] = first->use;
        }
}

int nonce_list_clashes(const struct nonce_list *list, size_t **ret_clashes)
{
        size_t total = 0, *clashes;
        struct iv_use *ivs;
        int found = 0;

        for (size_t i = 0; i < list->count; i++)
                total += list->uses[i].range.areas + 1u;
        if (total > NONCE_IVS_MAX)
                return fault(FAULT_TOO_LARGE,
                             "the uses take %zu IVs together, at most %u are "
                             "compared",
                             total, NONCE_IVS_MAX);
        clashes = reallocarray(NULL, list->count + 1, sizeof(*clashes));
        INSIST(clashes);
        for (size_t i = 0; i < list->count; i++)
                clashes[i] = SIZE_MAX;
        ivs = lay_out(list, total);
        mark(list, ivs, total, clashes);
        free(ivs);
        for (size_t i = 0; i < list->count; i++)
                found += clashes[i] != SIZE_MAX;
        *ret_clashes = clashes;
        return found;
}
