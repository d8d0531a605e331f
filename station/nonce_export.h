/*
 * nonce_export.h - a nonce list as a file: for an auditor, for another machine's ledger.
 *
 * Lines of fields with one tab between, UTF-8, each with a line end:
 *
 *      gangway-nonces 1
 *      ledger  ID
 *      use     KEY NONCE POLICY AREAS DIGEST RESERVED ORIGIN HOST NAME CONFIRMED LINK
 *      seen    LEDGER KEY USES
 *      end     NUMBER-OF-USES SHA-256-OF-ALL-LINES-ABOVE
 *
 * A line of "seen" says that the list holds all that LEDGER knew of KEY when it counted USES; the
 * list's own ledger has such a line for each of its keys. CONFIRMED is "-" for a reservation that
 * was never confirmed. The JSON form holds the same fields under the same names, and the same
 * digest, which is that of the lines. Every link, count and digest is checked on reading.
 */
#pragma once

#include "scheduler/bytes.h"
#include "station/nonce_list.h"

#include <jansson.h>

#define NONCE_EXPORT_MAX (64u << 20)

/* The fields of one use as texts, in the order above. */
#define NONCE_USE_FIELDS 11

/* Read one use; `where` opens the sentence. -FAULT_BAD_FILE  names the field and what it holds */
int nonce_use_parse(const char *where, const char *const fields[static NONCE_USE_FIELDS],
                    struct nonce_use *ret_use) MUST_USE;

/* Room for the fields that are not texts in struct nonce_use. */
struct nonce_use_texts {
        char nonce[2 * SFI_NONCE_LENGTH + 1], areas[12], reserved[NONCE_DATE_TEXT],
                confirmed[NONCE_DATE_TEXT];
};

/* The other way; fields point into `use` and `texts`. */
void nonce_use_fields(const struct nonce_use *use, struct nonce_use_texts *texts,
                      const char *ret_fields[static NONCE_USE_FIELDS]);

/* The names of the fields: "key", "nonce", ... */
extern const char *const nonce_use_names[NONCE_USE_FIELDS];

/* The lines. `list->seen` has the list's own ledger too. */
struct bytes nonce_export_text(const struct nonce_list *list);

/* Given to the caller; NULL when memory is out. */
json_t *nonce_export_json(const struct nonce_list *list);

/* Read either form and check all of it; `name` is for sentences. `ret_list` is for
 * nonce_list_free(), empty on failure.
 *      -FAULT_BAD_FILE  what is wrong and where
 *      -FAULT_BAD_TAG   a link or the digest does not fit: it was changed
 *      -FAULT_TOO_LARGE */
int nonce_export_parse(const char *name, const void *data, size_t length,
                       struct nonce_list *ret_list) MUST_USE;
