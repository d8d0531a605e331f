/* The receipt of a lot: it adds up, the openssl command believes it, and no byte of it can change. */
#include "tests/station/receipt_lot.h"

#include "crypto/digest.h"
#include "station/receipt.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void make(const struct books *books, const struct sign_key *key, struct bytes *ret_text,
                 uint8_t signature[static SIGNATURE_LENGTH])
{
        assert_int_equal(receipt_make(&(struct receipt_source){ .store = books->store,
                                                                .ledger = books->ledger,
                                                                .records = books->records,
                                                                .key = key,
                                                                .station = "line 3" },
                                      "LOT-1", ret_text, signature),
                         0);
}

/* Run on a fiber: a lot, its receipt, and then whatever a test wants of it. */
struct trial {
        const char *directory;
        struct bytes text;
        uint8_t signature[SIGNATURE_LENGTH];
        struct sign_key key;
};

static int make_trial(void *subject)
{
        struct trial *trial = subject;
        static struct books books; /* its settings are too large for a stack */

        lot_open(&books, trial->directory);
        live_a_lot(&books);
        assert_int_equal(receipt_key_load(trial->directory, &trial->key), 0);
        make(&books, &trial->key, &trial->text, trial->signature);
        lot_close(&books);
        return 0;
}

static void trial_begin(struct trial *trial)
{
        *trial = (struct trial){ .directory = test_directory() };
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 0, make_trial, trial), 0);
}

static void trial_end(struct trial *trial)
{
        sign_key_wipe(&trial->key);
        bytes_free(&trial->text);
}

/* --- what it says -------------------------------------------------------------------------- */

static void a_receipt_says_what_became_of_every_license(void **state)
{
        struct receipt_facts facts;
        struct trial trial;
        unsigned record;

        (void)state;
        trial_begin(&trial);
        assert_int_equal(receipt_check(trial.text.data, trial.text.length, &facts, &record), 0);
        assert_int_equal(record, 0);
        assert_string_equal(facts.station, "line 3");
        assert_string_equal(facts.lot, "LOT-1");
        assert_string_equal(facts.firmware_id, "TEST_1");
        assert_int_equal(facts.quantity, 3);
        assert_int_equal(facts.good, 4); /* 1, 2, 6, 7 */
        assert_int_equal(facts.balance.issued, 5);
        assert_int_equal(facts.balance.installed, 2);
        assert_int_equal(facts.balance.in_hand, 2);
        assert_int_equal(facts.balance.lost, 1);
        assert_int_equal(facts.balance.pending, 0);
        assert_int_equal(facts.cancelled, 1);
        assert_int_equal(facts.stock, 1);
        assert_int_equal(facts.globals, 1);
        assert_int_equal(facts.cards, 2);
        assert_memory_equal(facts.key.public_key, trial.key.public_key, SIGN_KEY_LENGTH);
        assert_true(sign_verify(&facts.key, trial.text.data, trial.text.length, trial.signature));
        assert_non_null(strstr((char *)trial.text.data, "\"licenses_per_good_unit\":\"1.250\""));
        trial_end(&trial);
}

static void no_license_byte_and_no_private_key_is_in_it(void **state)
{
        uint8_t license[LICENSE_LENGTH];
        char text[2 * LICENSE_LENGTH + 1];
        struct trial trial;

        (void)state;
        trial_begin(&trial);
        license_of(8, license);
        assert_null(memmem(trial.text.data, trial.text.length, license, 16));
        hex_encode(license, 16, text);
        assert_null(strcasestr((char *)trial.text.data, text));
        hex_encode(trial.key.private_key, SIGN_KEY_LENGTH, text);
        assert_null(strcasestr((char *)trial.text.data, text));
        trial_end(&trial);
}

/* --- no byte can change -------------------------------------------------------------------- */

/* The record, from 1, in which byte `at` lies; its line end belongs to it. */
static unsigned record_of(const struct bytes *text, size_t at)
{
        unsigned record = 1;

        for (size_t i = 0; i < at; i++)
                record += text->data[i] == '\n';
        return record;
}

static void every_changed_byte_is_found_and_its_record_named(void **state)
{
        static const uint8_t masks[] = { 0x01, 0x20, 0x80, 0xFF };
        struct receipt_facts facts;
        struct trial trial;

        (void)state;
        trial_begin(&trial);
        for (size_t at = 0; at < trial.text.length; at++)
                for (size_t i = 0; i < LENGTH_OF(masks); i++) {
                        unsigned record, wanted = record_of(&trial.text, at);

                        trial.text.data[at] ^= masks[i];
                        assert_fault(
                                receipt_check(trial.text.data, trial.text.length, &facts, &record),
                                BAD_TAG, "record ");
                        if (record != wanted)
                                fail_msg("byte %zu of record %u: record %u was named", at, wanted,
                                         record);
                        assert_false(sign_verify(&trial.key, trial.text.data, trial.text.length,
                                                 trial.signature));
                        trial.text.data[at] ^= masks[i];
                }
        trial_end(&trial);
}

static void a_receipt_that_was_cut_anywhere_is_refused(void **state)
{
        struct receipt_facts facts;
        struct trial trial;
        unsigned record;

        (void)state;
        trial_begin(&trial);
        for (size_t length = 0; length < trial.text.length; length++)
                assert_fault(receipt_check(trial.text.data, length, &facts, &record), BAD_TAG,
                             NULL);
        trial_end(&trial);
}

/* --- what was signed so, and does not add up ----------------------------------------------- */

/* The receipt again, record by record as JSON; a test changes one and chains them anew. */
struct rewritten {
        json_t *records[32];
        unsigned count;
};

static void take_apart(const struct bytes *text, struct rewritten *ret_rewritten)
{
        const char *at = (const char *)text->data;

        *ret_rewritten = (struct rewritten){ .count = 0 };
        while (*at) {
                const char *stop = strchr(at, '\n');

                assert_non_null(stop);
                assert_true(ret_rewritten->count < LENGTH_OF(ret_rewritten->records));
                ret_rewritten->records[ret_rewritten->count++] =
                        json_loadb(at + 65, (size_t)(stop - at - 65), 0, NULL);
                at = stop + 1;
        }
}

/* The n-th record of that kind, from 1. */
static json_t *record(const struct rewritten *rewritten, const char *kind, unsigned n)
{
        for (unsigned i = 0; i < rewritten->count; i++)
                if (strcmp(json_string_value(json_object_get(rewritten->records[i], "record")),
                           kind) == 0 &&
                    --n == 0)
                        return rewritten->records[i];
        fail_msg("there are not so many records %s", kind);
        return NULL;
}

static unsigned number_of(const struct rewritten *rewritten, const json_t *wanted)
{
        unsigned i = 0;

        while (rewritten->records[i] != wanted)
                i++;
        return i + 1;
}

static int check_again(const struct rewritten *rewritten, unsigned *ret_record)
{
        char hash[RECEIPT_HASH_TEXT] = "", *text = NULL;
        struct receipt_facts facts;
        size_t length = 0;
        FILE *out = open_memstream(&text, &length);
        int r;

        memset(hash, '0', sizeof(hash) - 1);
        for (unsigned i = 0; i < rewritten->count; i++) {
                char *json = json_dumps(rewritten->records[i], JSON_COMPACT);

                receipt_link(hash, json, strlen(json), hash);
                fprintf(out, "%s %s\n", hash, json);
                free(json);
        }
        fclose(out);
        r = receipt_check(text, length, &facts, ret_record);
        free(text);
        return r;
}

static void put_apart(struct rewritten *rewritten)
{
        for (unsigned i = 0; i < rewritten->count; i++)
                json_decref(rewritten->records[i]);
}

/* One lie: in the n-th record of a kind a member gets another value; what is said of it, and where:
 * -1 the record itself, else the n-th of this kind. */
struct lie {
        const char *kind;
        unsigned n;
        const char *member, *value; /* JSON */
        enum fault code;
        const char *sentence, *where;
};

static const struct lie lies[] = {
        { "receipt", 1, "version", "2", FAULT_BAD_FILE, "version 2", NULL },
        { "receipt", 1, "lot", "\"LOT-2\"", FAULT_BAD_VALUE, "of order LOT-1", "license" },
        { "receipt", 1, "more", "1", FAULT_BAD_FILE, "not as version 1", NULL },
        { "receipt", 1, "station", "{}", FAULT_BAD_FILE, "an object in an object", NULL },
        { "receipt", 1, "public_key", "\"00\"", FAULT_BAD_FILE, "64 hexadecimal", NULL },
        { "license", 1, "state", "\"lost\"", FAULT_BAD_VALUE, "balance says installed 2",
          "balance" },
        { "license", 1, "state", "\"gone\"", FAULT_BAD_VALUE, "no state", NULL },
        { "license", 1, "count", "2", FAULT_BAD_VALUE, "counts 2", NULL },
        { "license", 1, "card", "\"0000000000000033\"", FAULT_BAD_VALUE, "no record of its own",
          "balance" },
        { "license", 1, "card", "\"00000000000000333\"", FAULT_BAD_FILE, "17 characters", NULL },
        { "license", 1, "card", "\"\"", FAULT_BAD_VALUE, "its source is card", NULL },
        { "license", 1, "counter", "91", FAULT_BAD_VALUE, "made a license at count 91", "card" },
        { "license", 1, "counter", "86", FAULT_BAD_VALUE, "made a license at count 86", "card" },
        { "license", 1, "counter", "-1", FAULT_BAD_FILE, "the counter is -1", NULL },
        { "license", 3, "counter", "89", FAULT_BAD_VALUE,
          "same count of this card stands in record", NULL },
        { "license", 2, "id", "2", FAULT_BAD_VALUE, "license id stands in record", NULL },
        { "license", 2, "certificate_sha256", "\"short\"", FAULT_BAD_FILE, "64 hexadecimal", NULL },
        { "license", 1, "record", "\"stock\"", FAULT_BAD_VALUE, "it is of order LOT-1", NULL },
        { "stock", 1, "state", "\"stored\"", FAULT_BAD_VALUE, "stock is stored", NULL },
        { "stock", 1, "order", "\"LOT-1\"", FAULT_BAD_VALUE, "it is of order LOT-1", NULL },
        { "card", 1, "counter_last", "89", FAULT_BAD_VALUE, "licenses of this lot are from it",
          NULL },
        { "card", 1, "counter_last", "91", FAULT_BAD_VALUE, "which no card does", NULL },
        { "card", 1, "maximum", "89", FAULT_BAD_VALUE, "which no card does", NULL },
        { "card", 2, "serial", "\"" CARD "\"", FAULT_BAD_VALUE, NULL, NULL },
        { "global", 1, "record", "\"globl\"", FAULT_BAD_FILE, "no record of version 1", NULL },
        { "balance", 1, "issued", "4", FAULT_BAD_VALUE, "balance says issued 4", NULL },
        { "balance", 1, "in_hand", "3", FAULT_BAD_VALUE, "balance says in_hand 3", NULL },
        { "balance", 1, "lost", "0", FAULT_BAD_VALUE, "balance says lost 0", NULL },
        { "balance", 1, "pending", "1", FAULT_BAD_VALUE, "balance says pending 1", NULL },
        { "balance", 1, "cancelled", "0", FAULT_BAD_VALUE, "balance says cancelled 0", NULL },
        { "balance", 1, "stock", "0", FAULT_BAD_VALUE, "balance says stock 0", NULL },
        { "balance", 1, "global", "0", FAULT_BAD_VALUE, "balance says global 0", NULL },
        { "balance", 1, "good_units", "5", FAULT_BAD_VALUE, "5 for 5 are \"1.000\"", NULL },
        { "balance", 1, "licenses_per_good_unit", "\"1.000\"", FAULT_BAD_VALUE, "\"1.250\"", NULL },
};

static void what_does_not_add_up_is_refused_at_its_record(void **state)
{
        struct trial trial;

        (void)state;
        trial_begin(&trial);
        for (size_t i = 0; i < LENGTH_OF(lies); i++) {
                const struct lie *lie = &lies[i];
                struct rewritten rewritten;
                unsigned named, wanted;
                json_t *changed;
                int r;

                take_apart(&trial.text, &rewritten);
                if (i == 0)
                        assert_int_equal(check_again(&rewritten, &named), 0);
                changed = record(&rewritten, lie->kind, lie->n);
                wanted = number_of(&rewritten,
                                   lie->where ? record(&rewritten, lie->where, 1) : changed);
                assert_int_equal(json_object_set_new(changed, lie->member,
                                                     json_loads(lie->value, JSON_DECODE_ANY, NULL)),
                                 0);
                r = check_again(&rewritten, &named);
                test_assert_fault(r, lie->code, lie->sentence, lie->member, (int)i);
                if (named != wanted)
                        fail_msg("lie %zu: record %u was named, wanted %u: %s", i, named, wanted,
                                 fault_sentence(r));
                put_apart(&rewritten);
        }
        trial_end(&trial);
}

static void two_licenses_of_one_chip_are_refused(void **state)
{
        struct rewritten rewritten;
        struct trial trial;
        json_t *first, *second;
        unsigned named;

        (void)state;
        trial_begin(&trial);
        take_apart(&trial.text, &rewritten);
        first = record(&rewritten, "license", 1);
        second = record(&rewritten, "license", 3);
        json_object_set(second, "certificate_sha256", json_object_get(first, "certificate_sha256"));
        assert_fault(check_again(&rewritten, &named), BAD_VALUE, "for this chip stands in record");
        assert_int_equal(named, number_of(&rewritten, second));
        json_object_set_new(second, "type", json_string("SMU")); /* another type: allowed */
        assert_int_equal(check_again(&rewritten, &named), 0);
        put_apart(&rewritten);
        trial_end(&trial);
}

static void records_in_another_order_are_refused(void **state)
{
        struct rewritten rewritten;
        struct trial trial;
        unsigned named;
        json_t *kept;

        (void)state;
        trial_begin(&trial);
        take_apart(&trial.text, &rewritten);
        kept = rewritten.records[rewritten.count - 1];
        rewritten.records[rewritten.count - 1] = rewritten.records[rewritten.count - 2];
        rewritten.records[rewritten.count - 2] = kept;
        assert_int_not_equal(check_again(&rewritten, &named), 0);
        kept = rewritten.records[0];
        memmove(rewritten.records, rewritten.records + 1,
                (rewritten.count - 1) * sizeof(*rewritten.records));
        rewritten.records[rewritten.count - 1] = kept;
        assert_fault(check_again(&rewritten, &named), BAD_FILE, "the first record");
        assert_int_equal(named, 1);
        put_apart(&rewritten);
        trial_end(&trial);
}

/* --- a lot that is none --------------------------------------------------------------------- */

static int ask_for_nothing(void *subject)
{
        uint8_t signature[SIGNATURE_LENGTH];
        struct sign_key key = { 0 };
        struct bytes text;
        static struct books books; /* its settings are too large for a stack */

        sign_key_make(&key);
        lot_open(&books, subject);
        assert_fault(receipt_make(&(struct receipt_source){ .store = books.store,
                                                            .ledger = books.ledger,
                                                            .records = books.records,
                                                            .key = &key,
                                                            .station = "line 3" },
                                  "LOT-9", &text, signature),
                     NOT_FOUND, "no lot LOT-9");
        lot_close(&books);
        return 0;
}

static void a_lot_that_was_never_made_has_none(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 0, ask_for_nothing,
                                       (void *)(uintptr_t)test_directory()),
                         0);
}

/* --- the script ---------------------------------------------------------------------------- */

static void write_bytes(const char *directory, const char *name, const void *data, size_t length)
{
        char path[300];
        FILE *file;

        snprintf(path, sizeof(path), "%s/%s", directory, name);
        file = fopen(path, "w");
        assert_non_null(file);
        assert_int_equal(fwrite(data, 1, length, file), length);
        assert_int_equal(fclose(file), 0);
}

/* What the script answers, and its last line of words. */
static int run_script(const char *directory, char words[static 256])
{
        char line[700];
        FILE *out;

        snprintf(line, sizeof(line),
                 "sh configs/examples/verify-receipt.sh %s/receipt %s/receipt.pub 2>&1", directory,
                 directory);
        out = popen(line, "r");
        assert_non_null(out);
        words[0] = '\0';
        while (fgets(words, 256, out))
                continue;
        return pclose(out);
}

static bool has_script(void)
{
        return access("configs/examples/verify-receipt.sh", R_OK) == 0 &&
               system("openssl version >/dev/null 2>&1") == 0;
}

/* A start of a program for every record, so a byte of every record is changed, not every byte: in
 * the digits, the space, at both ends of the JSON and in its middle, and the line end. */
static void the_script_with_openssl_alone_finds_the_record_too(void **state)
{
        struct trial trial;
        char words[256], wanted[64];
        unsigned record = 1;

        (void)state;
        if (!has_script())
                skip();
        trial_begin(&trial);
        write_bytes(trial.directory, "receipt.sig", trial.signature, sizeof(trial.signature));
        write_bytes(trial.directory, "receipt", trial.text.data, trial.text.length);
        assert_int_equal(run_script(trial.directory, words), 0);
        assert_non_null(strstr(words, "5 issued = 2 installed + 2 in hand + 1 lost"));
        for (size_t from = 0; from < trial.text.length; record++) {
                size_t to = (size_t)((uint8_t *)memchr(trial.text.data + from, '\n',
                                                       trial.text.length - from) -
                                     trial.text.data);
                const size_t places[] = { from,   from + 63, from + 64, from + 65, (from + to) / 2,
                                          to - 1, to };

                for (size_t i = record % 3; i < LENGTH_OF(places); i += 3) {
                        uint8_t mask = i % 2 ? 0xFF : 0x01;

                        trial.text.data[places[i]] ^= mask;
                        write_bytes(trial.directory, "receipt", trial.text.data, trial.text.length);
                        assert_int_not_equal(run_script(trial.directory, words), 0);
                        snprintf(wanted, sizeof(wanted), "record %u:", record);
                        if (!strstr(words, wanted))
                                fail_msg("byte %zu of record %u: %s", places[i], record, words);
                        trial.text.data[places[i]] ^= mask;
                }
                from = to + 1;
        }
        trial_end(&trial);
}

static void the_script_refuses_another_key_a_cut_and_sums_that_do_not_add_up(void **state)
{
        struct sign_key other = { 0 };
        struct trial trial;
        char words[256], *last, *number, *before;
        uint8_t signature[SIGNATURE_LENGTH];
        char hash[RECEIPT_HASH_TEXT];

        (void)state;
        if (!has_script())
                skip();
        trial_begin(&trial);
        sign_key_make(&other);
        sign_bytes(&other, trial.text.data, trial.text.length, signature);
        write_bytes(trial.directory, "receipt.sig", signature, sizeof(signature));
        write_bytes(trial.directory, "receipt", trial.text.data, trial.text.length);
        assert_int_not_equal(run_script(trial.directory, words), 0);
        assert_non_null(strstr(words, "signature"));

        last = memrchr(trial.text.data, '\n', trial.text.length - 1);
        write_bytes(trial.directory, "receipt", trial.text.data,
                    (size_t)(last + 1 - (char *)trial.text.data));
        assert_int_not_equal(run_script(trial.directory, words), 0);

        number = strstr(last, "\"installed\":2");
        assert_non_null(number);
        number[12] = '3'; /* chained and signed by the station, and yet wrong */
        before = memrchr(trial.text.data, '\n', (size_t)(last - (char *)trial.text.data));
        assert_non_null(before);
        memcpy(hash, before + 1, 64);
        hash[64] = '\0';
        receipt_link(hash, last + 66,
                     trial.text.length - (size_t)(last + 66 - (char *)trial.text.data) - 1, hash);
        memcpy(last + 1, hash, 64);
        sign_bytes(&trial.key, trial.text.data, trial.text.length, signature);
        write_bytes(trial.directory, "receipt.sig", signature, sizeof(signature));
        write_bytes(trial.directory, "receipt", trial.text.data, trial.text.length);
        assert_int_not_equal(run_script(trial.directory, words), 0);
        assert_non_null(strstr(words, "installed"));
        trial_end(&trial);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_receipt_says_what_became_of_every_license),
                cmocka_unit_test(no_license_byte_and_no_private_key_is_in_it),
                cmocka_unit_test(every_changed_byte_is_found_and_its_record_named),
                cmocka_unit_test(a_receipt_that_was_cut_anywhere_is_refused),
                cmocka_unit_test(what_does_not_add_up_is_refused_at_its_record),
                cmocka_unit_test(two_licenses_of_one_chip_are_refused),
                cmocka_unit_test(records_in_another_order_are_refused),
                cmocka_unit_test(a_lot_that_was_never_made_has_none),
                cmocka_unit_test(the_script_with_openssl_alone_finds_the_record_too),
                cmocka_unit_test(the_script_refuses_another_key_a_cut_and_sums_that_do_not_add_up),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
