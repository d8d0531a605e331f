#include "tests/support/line.h"

#include "crypto/digest.h"
#include "crypto/sfi.h"
#include "drivers/family_fields.h"
#include "scheduler/chance.h"
#include "scheduler/loop.h"
#include "tests/support/sealed.h"

#include <glob.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* AN5054 figure 15: SECURITY on, RDP level 0, nothing protected. */
static const uint32_t option_rows[] = { 0x1026AAD0, 0x81000200, 0x81000200, 0x81000200, 0x81000200,
                                        0xFFFFFFFF, 0xFFFFFFFF, 0x24000800, 0x10000810 };

const char *line_path(const struct line *line, const char *name)
{
        static char path[256];

        snprintf(path, sizeof(path), "%s/%s", line->directory, name);
        return path;
}

static void write_file(const char *path, const void *data, size_t length, mode_t mode)
{
        FILE *file = fopen(path, "wb");

        INSIST(file && fwrite(data, 1, length, file) == length);
        fclose(file);
        INSIST(chmod(path, mode) == 0);
}

/* Factory values, closed by read-out level 1 or product state; SECURITY of an H7 on. */
static void close_part(const struct family *family, uint32_t *options)
{
        const struct family_field *readout = family_field(family, ROLE_READOUT);
        const struct family_field *state = family_field(family, ROLE_STATE);

        for (size_t i = 0; i < family->option_count; i++)
                options[i] = family->options[i].factory;
        if (family->procedure == PROCEDURE_RSS_ROM)
                family_secure(family, options);
        else if (readout)
                family_field_set(readout, options, 0xBB);
        if (state)
                family_field_set(state, options, family->sequence == FAMILY_H5 ? 0x72 : 0x51);
}

void line_write(const char *path, const char *text)
{
        write_file(path, text, strlen(text), 0644);
}

static void seal_image(struct line *line, uint8_t digest[32])
{
        static uint8_t code[13000], more[116], module[64];
        bool is_h75x = strcmp(line->family.name, "STM32H75x") == 0;
        const struct family *family = &line->family;
        uint32_t last_bank = family->bank_address[family->banks - 1];
        uint8_t words[OPTION_ROWS_MAX * 4], key[16];
        uint32_t options[OPTION_ROWS_MAX];
        struct chance chance = chance_fork(1, "firmware", 0);
        struct bytes file;
        struct sfi_plain_area areas[3 + ORDER_MODULES_MAX] = {
                { SFI_FIRMWARE, 0x08000000, code, sizeof(code) / 32 * 32 },
                { SFI_FIRMWARE, is_h75x ? 0x08084000 : last_bank + family->bank_length / 2, more,
                  96 },
                { SFI_CONFIGURATION, 0, words, family->option_count * 4 },
        };
        struct sfi_recipe recipe = { .protocol = 2, .version = 23, .areas = areas, .count = 3 };

        for (unsigned i = 0; i < line->modules; i++)
                areas[recipe.count++] = (struct sfi_plain_area){ SFI_MODULE, 0x08100000 + 64 * i,
                                                                 module, sizeof(module) };
        chance_bytes(&chance, code, sizeof(code));
        chance_bytes(&chance, more, sizeof(more));
        memcpy(line->begins_with, code, sizeof(line->begins_with));
        memcpy(line->ends_with, more + areas[1].length - 16, sizeof(line->ends_with));
        line->end = areas[1].address + (uint32_t)areas[1].length;
        if (is_h75x)
                memcpy(options, option_rows, sizeof(option_rows));
        else
                close_part(family, options);
        for (unsigned i = 0; i < family->option_count; i++)
                store_le32(words + 4 * i, options[i]);
        memcpy(key, line->key, sizeof(key));
        key[0] ^= line->has_other_key;
        file = sealed_file(&recipe, key, line->nonce, NULL);
        write_file(line_path(line, "image.sfi"), file.data, file.length, 0644);
        digest_sha256(file.data, file.length, digest);
        bytes_free(&file);
}

static int prepare_image(void *subject)
{
        struct line *line = subject;
        int r = family_load(line->station.settings.family_file, &line->family);
        struct chance chance = chance_fork(2, "secrets", 0);
        uint8_t digest[32];
        char text[65];

        if (r < 0)
                printf("# %s\n", fault_sentence(r));
        INSIST(r == 0);
        chance_bytes(&chance, line->key, sizeof(line->key));
        chance_bytes(&chance, line->nonce, sizeof(line->nonce));
        write_file(line_path(line, "key.bin"), line->key, sizeof(line->key), 0600);
        write_file(line_path(line, "nonce.bin"), line->nonce, sizeof(line->nonce), 0600);
        seal_image(line, digest);
        hex_encode(digest, sizeof(digest), text);
        write_file(line_path(line, "image.sha256"), text, 64, 0644);
        return 0;
}

static void fill_settings(struct line *line, unsigned sites, unsigned cards)
{
        struct settings *settings = &line->station.settings;

        *settings = (struct settings){
                .station = "test",
                .hardware = HARDWARE_SIMULATED,
                .family_file = "configs/targets/stm32h75x.conf",
                .rss_profile_file = "configs/rss/reference-h7.conf",
                .card_profile_file = "configs/cards/reference.conf",
                .site_count = sites,
                .clock_khz = 24000,
                .poll_ms = 10,
                .settle_ms = 20,
                .minimum_mv = 1500,
                .scan_s = 1,
                .capture = CAPTURE_FAILURES,
                .capture_mb = 256,
                .bench = { .handling_ms = 1000,
                           .speed = 0.05,
                           .cards = cards,
                           .card_counter = 10000,
                           .firmware_id = LINE_FIRMWARE_ID,
                           .license_ms_low = 1000,
                           .license_ms_high = 2000 },
        };
        for (unsigned i = 0; i < sites; i++) {
                snprintf(settings->sites[i].name, sizeof(settings->sites[i].name), "%u", i + 1);
                snprintf(settings->sites[i].path, sizeof(settings->sites[i].path), "sim-%u", i);
        }
        snprintf(settings->bench.key_file, sizeof(settings->bench.key_file), "%s",
                 line_path(line, "key.bin"));
        snprintf(settings->bench.nonce_file, sizeof(settings->bench.nonce_file), "%s",
                 line_path(line, "nonce.bin"));
        snprintf(settings->orders_directory, sizeof(settings->orders_directory), "%s",
                 line_path(line, "orders"));
        snprintf(settings->data_directory, sizeof(settings->data_directory), "%s",
                 line_path(line, "data"));
}

static int run_procedure(struct line *line, enum loop_time time, uint64_t seed,
                         int (*procedure)(void *subject))
{
        struct loop_settings settings = { .time = time, .seed = seed };
        struct loop *loop;
        int r;

        INSIST(loop_create(&settings, &loop) == 0);
        r = loop_run(loop, "line", procedure, line);
        loop_destroy(loop);
        return r;
}

struct line *line_create(unsigned sites, unsigned cards)
{
        struct line *line = calloc(1, sizeof(*line));

        INSIST(line);
        snprintf(line->directory, sizeof(line->directory), "/tmp/gangway-line-XXXXXX");
        INSIST(mkdtemp(line->directory));
        INSIST(mkdir(line_path(line, "orders"), 0755) == 0);
        INSIST(mkdir(line_path(line, "orders/in"), 0755) == 0);
        fill_settings(line, sites, cards);
        INSIST(run_procedure(line, LOOP_TIME_REAL, 1, prepare_image) == 0);
        return line;
}

struct line *line_destroy(struct line *line)
{
        char command[256];

        snprintf(command, sizeof(command), "rm -rf '%s'", line->directory);
        INSIST(system(command) == 0);
        free(line);
        return NULL;
}

void line_family(struct line *line, const char *family, const char *rss)
{
        struct settings *settings = &line->station.settings;

        snprintf(settings->family_file, sizeof(settings->family_file), "configs/targets/%s.conf",
                 family);
        snprintf(settings->rss_profile_file, sizeof(settings->rss_profile_file),
                 "configs/rss/%s.conf", rss);
        INSIST(run_procedure(line, LOOP_TIME_REAL, 1, prepare_image) == 0);
}

void line_foreign_image(struct line *line, const char *family)
{
        struct settings *settings = &line->station.settings;
        const struct family own = line->family;
        char file[sizeof(settings->family_file)];

        memcpy(file, settings->family_file, sizeof(file));
        snprintf(settings->family_file, sizeof(settings->family_file), "configs/targets/%s.conf",
                 family);
        INSIST(run_procedure(line, LOOP_TIME_REAL, 1, prepare_image) == 0);
        memcpy(settings->family_file, file, sizeof(file));
        line->family = own;
}

void line_other_key(struct line *line)
{
        line->has_other_key = true;
        INSIST(run_procedure(line, LOOP_TIME_REAL, 1, prepare_image) == 0);
}

void line_module(struct line *line, const char *firmware_id, const char *type)
{
        struct settings_bench *bench = &line->station.settings.bench;
        struct settings_module_card *card = &bench->module_cards[bench->module_card_count++];

        snprintf(card->firmware_id, sizeof(card->firmware_id), "%s", firmware_id);
        snprintf(card->type, sizeof(card->type), "%s", type);
        line->modules++;
        INSIST(run_procedure(line, LOOP_TIME_REAL, 1, prepare_image) == 0);
}

void line_drop(struct line *line, const char *name, const void *text, size_t length)
{
        char hidden[300], seen[300];

        snprintf(hidden, sizeof(hidden), "%s/orders/in/.%s", line->directory, name);
        snprintf(seen, sizeof(seen), "%s/orders/in/%s", line->directory, name);
        write_file(hidden, text, length, 0644);
        INSIST(rename(hidden, seen) == 0);
}

void line_order(struct line *line, const char *id, unsigned quantity, const char *more)
{
        char text[2048], name[80], digest[65] = "";
        char *read = line_read(line_path(line, "image.sha256"));

        INSIST(read);
        snprintf(digest, sizeof(digest), "%s", read);
        free(read);
        snprintf(text, sizeof(text),
                 "order: %s\npart: STM32H753XI\nfamily: %s\nquantity: %u\n"
                 "image:\n  file: %s/image.sfi\n  sha256: %s\nfirmware_id: %s\n%s",
                 id, line->family.name, quantity, line->directory, digest, LINE_FIRMWARE_ID, more);
        snprintf(name, sizeof(name), "%s.yaml", id);
        line->orders += strcmp(line->order, id) != 0;
        snprintf(line->order, sizeof(line->order), "%s", id);
        line_drop(line, name, text, strlen(text));
}

/* --- running ------------------------------------------------------------------------------- */

struct run {
        struct line *line;
        int (*script)(void *context);
        void *context;
};

static struct run current;

static uint64_t process_ns(void)
{
        struct timespec now;

        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
        return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* What the bench and the sites know is gone when the station has closed; keep a copy. */
static int observe(void *subject)
{
        struct line *line = subject;
        struct station *station = &line->station;

        while (fiber_sleep_ns(50 * NS_PER_MS) == 0) {
                if (station->bench)
                        line->bench_ns = bench_cost_ns(station->bench);
                for (unsigned i = 0; station->sites && i < station->settings.site_count; i++)
                        if (station->sites[i].longest_start_ns > line->longest_start_ns)
                                line->longest_start_ns = station->sites[i].longest_start_ns;
        }
        return 0;
}

static int run_station(void *subject)
{
        struct line *line = subject;
        struct fiber *script = NULL, *observer;
        uint64_t cpu_ns = process_ns(), start_ns = clock_now_ns();

        line->station.exit_when_done = true;
        observer = fiber_spawn("observer", observe, line);
        if (current.script)
                script = fiber_spawn("script", current.script, current.context);
        line->outcome = station_run(&line->station);
        if (line->outcome < 0)
                printf("# station: %s\n", fault_sentence(line->outcome));
        line->elapsed_ns = clock_now_ns() - start_ns;
        line->cpu_ns = process_ns() - cpu_ns;
        if (script) {
                fiber_cancel(script);
                fiber_join(script);
        }
        fiber_cancel(observer);
        fiber_join(observer);
        return line->outcome;
}

static int refused_row(struct sqlite3_stmt *row, void *context)
{
        *(uint32_t *)context = (uint32_t)sqlite3_column_int64(row, 0);
        return 0;
}

static int count_refused(struct sqlite3 *database, void *argument)
{
        return store_sql(database, refused_row, argument,
                         "SELECT count(*) FROM licenses WHERE state = 'refused'", "");
}

/* What is on disk, whatever the station believed. */
static int read_books(void *subject)
{
        struct line *line = subject;
        char directory[256];
        struct records *records;
        struct ledger *ledger;
        struct store *store;

        snprintf(directory, sizeof(directory), "%s", line_path(line, "data"));
        INSIST(store_open(directory, &store) == 0);
        INSIST(ledger_open(store, directory, &ledger) == 0);
        INSIST(records_open(store, "books", &records) == 0);
        INSIST(records_count(records, line->order, &line->counts) == 0);
        INSIST(ledger_balance(ledger, line->order, NULL, &line->balance) == 0);
        INSIST(store_transact(store, count_refused, &line->refused) == 0);
        INSIST(records_verify(records) == (int)line->counts.attempts ||
               line->orders > 1); /* the chain covers every attempt */
        records_close(records);
        ledger_close(ledger);
        store_close(store);
        return 0;
}

int line_run(struct line *line, enum loop_time time, uint64_t seed, int (*script)(void *context),
             void *context)
{
        static struct settings settings; /* large */
        int r;

        settings = line->station.settings;
        memset(&line->station, 0, sizeof(line->station));
        line->station.settings = settings;
        line->station.settings.is_virtual_time = time == LOOP_TIME_VIRTUAL;
        current = (struct run){ line, script, context };
        r = run_procedure(line, time, seed, run_station);
        line->station.settings = settings;
        if (r == 0)
                INSIST(run_procedure(line, LOOP_TIME_REAL, 1, read_books) == 0);
        return r;
}

bool line_wait_step(struct line *line, unsigned index, const char *step)
{
        uint64_t deadline_ns = clock_now_ns() + 600 * NS_PER_S;

        while (clock_now_ns() < deadline_ns) {
                const struct site *sites = line->station.sites;

                if (sites && sites[index].state == SITE_BUSY &&
                    strcmp(sites[index].install.step, step) == 0)
                        return true;
                if (fiber_sleep_ns(NS_PER_MS) < 0)
                        return false;
        }
        return false;
}

const char *line_find(const struct line *line, const char *pattern)
{
        static char found[256];
        glob_t matches;
        bool is_there;

        is_there = glob(line_path(line, pattern), 0, NULL, &matches) == 0;
        if (is_there)
                snprintf(found, sizeof(found), "%.255s", matches.gl_pathv[0]);
        globfree(&matches);
        return is_there ? found : NULL;
}

char *line_read(const char *path)
{
        FILE *file = path ? fopen(path, "rb") : NULL;
        char *text;
        size_t length;

        if (!file)
                return NULL;
        text = calloc(1, 1 << 22);
        INSIST(text);
        length = fread(text, 1, (1 << 22) - 1, file);
        text[length] = '\0';
        fclose(file);
        return text;
}
