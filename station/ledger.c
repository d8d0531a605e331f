/*
 * ledger.c - the life of one license, each step durable before the next is taken.
 *
 * Every function packs its arguments, runs one transaction, and returns when it is on disk. A step
 * names the states it may start from; any other state is a fault and changes nothing.
 *
 *   intended  a card is about to be asked. A crash from here on leaves the intent open, and only
 *             the card's counter can tell what became of it (ledger_report.c, reconcile).
 *   stored    the card answered; its counter went down. In the same transaction `last_counter` of
 *             the card goes down by one, so the balance holds at every commit.
 *   offered, installed, refused   what became of it at the target.
 *
 * Installed is a final word about the money: a license that has once been installed stays counted
 * as installed whatever comes later. It stays valid for its chip all the same (AN5054 rev 18
 * section 3.2.1: a license may be used again on the same chip without the card), so ledger_find
 * still hands it out, it may be offered again, and the state remains `installed`. A refused license
 * is handed out too, but only where no other is in hand: perhaps the target was at fault, and the
 * person who decides must be able to try.
 *
 * At rest a license is sealed with AES-128-GCM under the station key, a fresh random IV each; the
 * additional data are the certificate's digest and the firmware identifier, so a sealed license
 * moved to another row does not open. With at most 2^32 random IVs under one key the bound of NIST
 * SP 800-38D section 8.3 is kept by far.
 */
#include "station/ledger.h"

#include "crypto/digest.h"
#include "scheduler/loop.h"
#include "station/ledger_parts.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* One transaction's arguments and answers; each function fills what it needs. */
struct step {
        struct ledger *ledger;
        const struct ledger_request *request;
        uint8_t digest[DIGEST_LENGTH]; /* of the certificate */
        const char *card, *reason;
        uint32_t counter;
        int64_t id, now_us;
        uint8_t *license;
        enum license_source source;
        const char *state; /* names the step in a fault */

        uint8_t iv[GCM_IV_LENGTH], sealed[LICENSE_LENGTH], tag[GCM_TAG_LENGTH];
        uint8_t aad[DIGEST_LENGTH + 2 * 33];
        size_t aad_length;
        char found[16];
};

static int step_run(struct step *step, int (*work)(struct sqlite3 *, void *))
{
        step->now_us = (int64_t)clock_calendar_us();
        return store_transact(step->ledger->store, work, step);
}

static void step_for_request(struct step *step, const struct ledger_request *request)
{
        step->request = request;
        digest_sha256(request->certificate->bytes, CERTIFICATE_LENGTH, step->digest);
}

/* --- words --------------------------------------------------------------------------------- */

static const char *const sources[] = { "card", "server", "file", "global" };

const char *license_source_name(enum license_source source)
{
        return sources[source];
}

/* What schema.h lets stand there. */
static enum license_source source_of(const char *name)
{
        for (unsigned i = 0; i < LENGTH_OF(sources); i++)
                if (name && strcmp(name, sources[i]) == 0)
                        return (enum license_source)i;
        return LICENSE_FROM_CARD;
}

/* --- sealing ------------------------------------------------------------------------------- */

/* The type is added where it is not SFI: the licenses of schema version 1 had none. */
static void make_aad(struct step *step, const void *digest, const char *firmware_id,
                     const char *type)
{
        int length =
                snprintf((char *)step->aad + DIGEST_LENGTH, 2 * 33, "%.32s%s%.32s", firmware_id,
                         strcmp(type, "SFI") ? "\n" : "", strcmp(type, "SFI") ? type : "");

        memcpy(step->aad, digest, DIGEST_LENGTH);
        step->aad_length = DIGEST_LENGTH + (size_t)length;
}

/* Chance of the scheduler is not for secrets (chance.h); this one is the kernel's. */
static int random_bytes(void *data, size_t length)
{
        if (getrandom(data, length, 0) != (ssize_t)length)
                return fault_errno(errno, "getrandom");
        return 0;
}

static bool copy_blob(struct sqlite3_stmt *row, int column, void *to, size_t length)
{
        if (sqlite3_column_bytes(row, column) != (int)length)
                return false;
        memcpy(to, sqlite3_column_blob(row, column), length);
        return true;
}

/* --- finding ------------------------------------------------------------------------------- */

static int found_row(struct sqlite3_stmt *row, void *context)
{
        struct step *step = context;

        if (!copy_blob(row, 1, step->iv, sizeof(step->iv)) ||
            !copy_blob(row, 2, step->sealed, sizeof(step->sealed)) ||
            !copy_blob(row, 3, step->tag, sizeof(step->tag)))
                return fault(FAULT_STORE, "license %lld has parts of wrong length",
                             (long long)sqlite3_column_int64(row, 0));
        step->id = sqlite3_column_int64(row, 0);
        step->source = source_of((const char *)sqlite3_column_text(row, 4));
        return 0;
}

static int find_work(struct sqlite3 *database, void *argument)
{
        struct step *step = argument;
        int r = store_sql(database, found_row, step,
                          "SELECT id, iv, sealed, tag, source FROM licenses WHERE digest = ? AND "
                          "firmware_id = ? AND type = ? AND state IN ('stored', 'offered', "
                          "'installed', 'refused') ORDER BY state = 'refused', id DESC LIMIT 1",
                          "btt", step->digest, sizeof(step->digest), step->request->firmware_id,
                          step->request->type);

        if (r < 0 || !step->id)
                return r;
        make_aad(step, step->digest, step->request->firmware_id, step->request->type);
        r = gcm_open(step->ledger->key, step->iv, step->aad, step->aad_length, step->sealed,
                     step->license, LICENSE_LENGTH, step->tag);
        if (r < 0)
                return fault(FAULT_BAD_TAG,
                             "license %lld for chip %s does not open under the station key; was "
                             "station.db or station.key taken from another station?",
                             (long long)step->id, step->request->certificate->fingerprint);
        return 1;
}

int ledger_find(struct ledger *ledger, const struct ledger_request *request,
                struct ledger_license *ret_license)
{
        struct ledger_license found = { 0 };
        struct step step = { .ledger = ledger, .license = found.bytes };
        int r;

        step_for_request(&step, request);
        r = step_run(&step, find_work);
        if (r > 0) {
                found.id = step.id;
                found.source = step.source;
                found.was_in_hand = true;
                *ret_license = found;
        }
        wipe(&found, sizeof(found));
        return r;
}

/* --- intending ----------------------------------------------------------------------------- */

static int read_id(struct sqlite3_stmt *row, void *context)
{
        *(int64_t *)context = sqlite3_column_int64(row, 0);
        return 0;
}

/* Refuse to spend a second license on a chip that has one, whatever the caller believes. */
static int check_none_in_hand(struct sqlite3 *database, const struct step *step)
{
        int64_t id = 0;
        int r = store_sql(database, read_id, &id,
                          "SELECT id FROM licenses WHERE digest = ? AND firmware_id = ? AND "
                          "type = ? AND state IN ('stored', 'offered', 'installed') LIMIT 1",
                          "btt", step->digest, sizeof(step->digest), step->request->firmware_id,
                          step->request->type);

        if (r < 0 || !id)
                return r;
        return fault(FAULT_DUPLICATE, "chip %s has license %lld for %s in hand",
                     step->request->certificate->fingerprint, (long long)id,
                     step->request->firmware_id);
}

/* A card nobody reconciled is seen now for the first time. */
static int meet_card(struct sqlite3 *database, const struct step *step)
{
        return store_sql(database, NULL, NULL,
                         "INSERT OR IGNORE INTO cards (serial, firmware_id, type, maximum, "
                         "first_counter, last_counter, first_seen_us, last_seen_us) "
                         "VALUES (?1, ?2, ?3, ?4, ?4, ?4, ?5, ?5)",
                         "tttii", step->card, step->request->firmware_id, step->request->type,
                         (int64_t)step->counter, step->now_us);
}

/* A question to a server that never got its answer is asked again under its first number. */
static int find_open_question(struct sqlite3 *database, struct step *step)
{
        return store_sql(database, read_id, &step->id,
                         "SELECT id FROM licenses WHERE digest = ? AND firmware_id = ? AND "
                         "type = ? AND state = 'intended' AND source = 'server' LIMIT 1",
                         "btt", step->digest, sizeof(step->digest), step->request->firmware_id,
                         step->request->type);
}

static int insert_intent(struct sqlite3 *database, struct step *step)
{
        const struct ledger_request *request = step->request;
        int r = store_sql(database, NULL, NULL,
                          "INSERT INTO licenses (state, certificate, digest, firmware_id, type, "
                          "order_id, site, card, counter, source, intended_us) VALUES "
                          "('intended', ?, ?, ?, ?, ?, ?, nullif(?, ''), ?, ?, ?)",
                          "tbtttttiti", request->certificate->fingerprint, step->digest,
                          sizeof(step->digest), request->firmware_id, request->type, request->order,
                          request->site, step->card ? step->card : "", (int64_t)step->counter,
                          license_source_name(step->source), step->now_us);

        step->id = sqlite3_last_insert_rowid(database);
        return r;
}

static int intend_work(struct sqlite3 *database, void *argument)
{
        struct step *step = argument;
        int r = check_none_in_hand(database, step);

        if (r >= 0)
                r = step->card ? meet_card(database, step) : find_open_question(database, step);
        if (r < 0 || step->id)
                return r;
        return insert_intent(database, step);
}

int ledger_intend(struct ledger *ledger, const struct ledger_request *request, const char *card,
                  uint32_t counter, int64_t *ret_id)
{
        struct step step = { .ledger = ledger,
                             .card = card,
                             .counter = counter,
                             .source = card ? LICENSE_FROM_CARD : LICENSE_FROM_SERVER };
        int r;

        step_for_request(&step, request);
        r = step_run(&step, intend_work);
        if (r < 0)
                return r;
        *ret_id = step.id;
        return 0;
}

/* --- keeping ----------------------------------------------------------------------------- */

static int found_state(struct sqlite3_stmt *row, void *context)
{
        struct step *step = context;

        snprintf(step->found, sizeof(step->found), "%s", (const char *)sqlite3_column_text(row, 0));
        return 0;
}

/* The update met no row in a state it may start from: say which state stood there. */
static int check_changed(struct sqlite3 *database, struct step *step)
{
        int r;

        if (sqlite3_changes(database) == 1)
                return 0;
        r = store_sql(database, found_state, step, "SELECT state FROM licenses WHERE id = ?", "i",
                      step->id);
        if (r < 0)
                return r;
        return fault(FAULT_STORE, "license %lld is %s and cannot become %s", (long long)step->id,
                     step->found[0] ? step->found : "not in the ledger", step->state);
}

static int found_binding(struct sqlite3_stmt *row, void *context)
{
        uint8_t digest[DIGEST_LENGTH];

        if (!copy_blob(row, 0, digest, sizeof(digest)))
                return fault(FAULT_STORE, "an intent has no certificate digest");
        make_aad(context, digest, (const char *)sqlite3_column_text(row, 1),
                 (const char *)sqlite3_column_text(row, 2));
        return 0;
}

static int keep_work(struct sqlite3 *database, void *argument)
{
        struct step *step = argument;
        int r = store_sql(database, found_binding, step,
                          "SELECT digest, firmware_id, type FROM licenses WHERE id = ?", "i",
                          step->id);

        if (r < 0)
                return r;
        gcm_seal(step->ledger->key, step->iv, step->aad, step->aad_length, step->license,
                 step->sealed, LICENSE_LENGTH, step->tag);
        r = store_sql(database, NULL, NULL,
                      "UPDATE licenses SET state = 'stored', iv = ?, sealed = ?, tag = ?, "
                      "stored_us = ? WHERE id = ? AND state = 'intended'",
                      "bbbii", step->iv, sizeof(step->iv), step->sealed, sizeof(step->sealed),
                      step->tag, sizeof(step->tag), step->now_us, step->id);
        if (r >= 0)
                r = check_changed(database, step);
        if (r < 0)
                return r;
        return store_sql(database, NULL, NULL,
                         "UPDATE cards SET last_counter = last_counter - 1, last_seen_us = ? "
                         "WHERE serial = (SELECT card FROM licenses WHERE id = ?)",
                         "ii", step->now_us, step->id);
}

int ledger_store(struct ledger *ledger, int64_t id, const uint8_t license[static LICENSE_LENGTH])
{
        uint8_t copy[LICENSE_LENGTH];
        struct step step = { .ledger = ledger, .id = id, .license = copy, .state = "stored" };
        int r = random_bytes(step.iv, sizeof(step.iv));

        memcpy(copy, license, sizeof(copy));
        if (r >= 0)
                r = step_run(&step, keep_work);
        wipe(copy, sizeof(copy));
        return r;
}

/* --- from a file --------------------------------------------------------------------------- */

/* In hand already: fine when it is the same, else a person must know. */
static int import_again(struct sqlite3 *database, struct step *step)
{
        uint8_t in_hand[LICENSE_LENGTH] = { 0 };
        struct step found = { .ledger = step->ledger,
                              .request = step->request,
                              .license = in_hand };
        int r;

        memcpy(found.digest, step->digest, sizeof(found.digest));
        r = find_work(database, &found);
        if (r > 0 && memcmp(in_hand, step->license, LICENSE_LENGTH) == 0)
                step->id = found.id;
        else if (r > 0)
                r = fault(FAULT_DUPLICATE,
                          "chip %s has license %lld for %s in hand, and it is not "
                          "this one",
                          step->request->certificate->fingerprint, (long long)found.id,
                          step->request->firmware_id);
        wipe(in_hand, sizeof(in_hand));
        return r;
}

static int import_work(struct sqlite3 *database, void *argument)
{
        struct step *step = argument;
        int r = import_again(database, step);

        if (r != 0)
                return r;
        r = insert_intent(database, step);
        return r < 0 ? r : keep_work(database, step);
}

int ledger_import(struct ledger *ledger, const struct ledger_request *request,
                  const uint8_t license[static LICENSE_LENGTH], int64_t *ret_id)
{
        uint8_t copy[LICENSE_LENGTH];
        struct step step = {
                .ledger = ledger, .license = copy, .state = "stored", .source = LICENSE_FROM_FILE
        };
        int r = random_bytes(step.iv, sizeof(step.iv));

        memcpy(copy, license, sizeof(copy));
        step_for_request(&step, request);
        if (r >= 0)
                r = step_run(&step, import_work);
        wipe(copy, sizeof(copy));
        if (r < 0)
                return r;
        *ret_id = step.id;
        return 0;
}

/* --- the last steps ------------------------------------------------------------------------ */

static int cancel_work(struct sqlite3 *database, void *argument)
{
        struct step *step = argument;
        int r = store_sql(database, NULL, NULL,
                          "UPDATE licenses SET state = 'cancelled', reason = ?, settled_us = ? "
                          "WHERE id = ? AND state = 'intended'",
                          "tii", step->reason, step->now_us, step->id);

        return r < 0 ? r : check_changed(database, step);
}

int ledger_cancel(struct ledger *ledger, int64_t id, const char *reason)
{
        struct step step = { .ledger = ledger, .id = id, .reason = reason, .state = "cancelled" };

        return step_run(&step, cancel_work);
}

static int offer_work(struct sqlite3 *database, void *argument)
{
        struct step *step = argument;
        int r = store_sql(database, NULL, NULL,
                          "UPDATE licenses SET offered_us = ?, state = "
                          "CASE state WHEN 'installed' THEN state ELSE 'offered' END WHERE id = ? "
                          "AND state IN ('stored', 'offered', 'installed', 'refused')",
                          "ii", step->now_us, step->id);

        return r < 0 ? r : check_changed(database, step);
}

int ledger_offer(struct ledger *ledger, int64_t id)
{
        struct step step = { .ledger = ledger, .id = id, .state = "offered" };

        return step_run(&step, offer_work);
}

static int settle_work(struct sqlite3 *database, void *argument)
{
        struct step *step = argument;
        int r = store_sql(database, NULL, NULL,
                          "UPDATE licenses SET settled_us = ?, reason = ?, state = "
                          "CASE state WHEN 'installed' THEN state ELSE ? END WHERE id = ? "
                          "AND state IN ('offered', 'installed', 'refused')",
                          "itti", step->now_us, step->reason, step->state, step->id);

        return r < 0 ? r : check_changed(database, step);
}

int ledger_settle(struct ledger *ledger, int64_t id, bool is_installed, const char *reason)
{
        struct step step = { .ledger = ledger,
                             .id = id,
                             .reason = reason ? reason : "",
                             .state = is_installed ? "installed" : "refused" };

        return step_run(&step, settle_work);
}

/* --- opening ------------------------------------------------------------------------------- */

int ledger_open(struct store *store, const char *directory, struct ledger **ret_ledger)
{
        struct ledger *ledger = calloc(1, sizeof(*ledger));
        uint8_t key[GCM_KEY_LENGTH];
        int r;

        INSIST(ledger);
        ledger->store = store;
        r = station_key_load(store, directory, key, &ledger->key_home);
        if (r >= 0)
                ledger->key = gcm_key_create(key);
        wipe(key, sizeof(key));
        if (r < 0) {
                ledger_close(ledger);
                return r;
        }
        *ret_ledger = ledger;
        return 0;
}

struct ledger *ledger_open_look(struct store *store)
{
        struct ledger *ledger = calloc(1, sizeof(*ledger));

        INSIST(ledger);
        ledger->store = store;
        return ledger;
}

struct ledger *ledger_close(struct ledger *ledger)
{
        if (!ledger)
                return NULL;
        gcm_key_destroy(ledger->key);
        free(ledger);
        return NULL;
}
