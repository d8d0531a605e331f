/*
 * seal.c - AES-128-GCM over an image of 64 KiB areas: the libraries' own calls beside sfi_seal().
 *
 * 1023 areas of 64 KiB make the largest image that is allowed (64 MiB with its headers). All memory
 * was touched before, for fresh pages cost more than the cipher (limits.md). The questions:
 *
 *   library    its own calls on one and on two threads, in place and from one buffer to another; the
 *              reference is its best rate on one thread, whichever way that was.
 *   sealing    sfi_seal(), all of it: the list of pieces, headers and tags besides.
 *   bound      what the machine allows: moving the same bytes with memcpy (memory alone), and the
 *              cipher over one area that stays in the cache (processor alone).
 *   fresh      the library into memory nobody has touched: what sealing in place does without.
 *
 * All contestants run once in each round, so the neighbours' load hits all. A neighbour only ever
 * adds time: the best rounds say what the program can do, the medians how disturbed it was. "Own"
 * counts the processor time of all threads, divided by their number, in the place of the clock on
 * the wall: what is left when others take a CPU away, stalls for memory included.
 */
#include "crypto/sfi.h"
#include "scheduler/loop.h"
#include "scheduler/workers.h"

#include <dirent.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#if defined(__x86_64__) && __has_include(<intel-ipsec-mb.h>)
#include <dlfcn.h>
#include <intel-ipsec-mb.h>
#define WITH_IPSEC 1
#else
#define WITH_IPSEC 0
#endif

#define ROUNDS      25
#define AREA_LENGTH ((size_t)64 << 10)
#define AREAS       1023u
#define THREADS_MAX 16u
#define HUGE_PAGE   ((size_t)2 << 20)
#define STRIDE      (SFI_AREA_HEADER_LENGTH + AREA_LENGTH)
#define IMAGE       (SFI_HEADER_LENGTH + AREAS * STRIDE)

static const uint8_t key[GCM_KEY_LENGTH] = "sixteen key byte";
static const uint8_t nonce[SFI_NONCE_LENGTH] = "twelve nonce";

struct bench {
        struct sfi_plain_area areas[AREAS];
        struct sfi_recipe recipe;
        uint8_t *source, *out; /* an image in pieces, and room for one in one piece */
        uint8_t headers[AREAS][SFI_AREA_HEADER_LENGTH];
        EVP_CIPHER_CTX *evp;
        struct workers *one, *two;
};

/* Seals the whole image once; false when the contestant is not on this machine. */
typedef bool contestant(struct bench *bench);

static uint64_t now_ns(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* Huge pages where there are any, all of them touched. */
static uint8_t *touched(size_t length)
{
        size_t room = (length + HUGE_PAGE) / HUGE_PAGE * HUGE_PAGE;
        uint8_t *memory = aligned_alloc(HUGE_PAGE, room);

        INSIST(memory);
        (void)madvise(memory, room, MADV_HUGEPAGE);
        memset(memory, 0x5A, room);
        return memory;
}

/* --- the libraries' own calls -------------------------------------------------------------- */

/* Where area `i` is read, and where its header and its ciphertext go. */
struct place {
        uint8_t *header, *to;
        const uint8_t *from;
};

/* `out` NULL: in place. */
static struct place place(struct bench *bench, uint8_t *out, size_t i)
{
        uint8_t *from = bench->source + i * AREA_LENGTH;
        uint8_t *header = out ? out + SFI_HEADER_LENGTH + i * STRIDE : bench->headers[i];

        return (struct place){ header, out ? header + SFI_AREA_HEADER_LENGTH : from, from };
}

static void iv_next(uint8_t iv[static GCM_IV_LENGTH])
{
        for (unsigned i = GCM_IV_LENGTH; i-- > 0 && ++iv[i] == 0;)
                ;
}

static void evp_direct(struct bench *bench, uint8_t *out)
{
        uint8_t iv[GCM_IV_LENGTH], none[16];

        memcpy(iv, nonce, sizeof(iv));
        for (size_t i = 0; i < AREAS; i++) {
                struct place at = place(bench, out, i);
                int done;

                iv_next(iv);
                INSIST(EVP_EncryptInit_ex(bench->evp, NULL, NULL, NULL, iv) == 1);
                INSIST(EVP_EncryptUpdate(bench->evp, NULL, &done, at.header, 14) == 1);
                INSIST(EVP_EncryptUpdate(bench->evp, at.to, &done, at.from, (int)AREA_LENGTH) == 1);
                INSIST(EVP_EncryptFinal_ex(bench->evp, none, &done) == 1);
                INSIST(EVP_CIPHER_CTX_ctrl(bench->evp, EVP_CTRL_AEAD_GET_TAG, 16, at.header + 14) ==
                       1);
        }
}

static bool run_evp(struct bench *bench)
{
        evp_direct(bench, NULL);
        return true;
}

#if WITH_IPSEC
static IMB_MGR *ipsec_manager(void)
{
        static IMB_MGR *manager;
        IMB_MGR *(*allocate)(uint64_t flags) = NULL;
        void (*initialize)(IMB_MGR * mgr, IMB_ARCH * arch) = NULL;
        void *library = manager ? NULL : dlopen("libIPSec_MB.so.1", RTLD_NOW), *found;

        if (!library)
                return manager;
        found = dlsym(library, "alloc_mb_mgr");
        memcpy(&allocate, &found, sizeof(found));
        found = dlsym(library, "init_mb_mgr_auto");
        memcpy(&initialize, &found, sizeof(found));
        if (!allocate || !initialize)
                return NULL;
        manager = allocate(0);
        initialize(manager, NULL);
        return manager;
}

/* Areas `first` up to `end`. The IV only has to differ, so it starts anew for each half. */
static bool ipsec_direct(struct bench *bench, uint8_t *out, size_t first, size_t end)
{
        struct gcm_key_data expanded;
        struct gcm_context_data scratch;
        uint8_t iv[GCM_IV_LENGTH];
        IMB_MGR *manager = ipsec_manager();

        if (!manager)
                return false;
        manager->gcm128_pre(key, &expanded);
        memcpy(iv, nonce, sizeof(iv));
        iv[0] ^= (uint8_t)(first != 0);
        for (size_t i = first; i < end; i++) {
                struct place at = place(bench, out, i);

                iv_next(iv);
                manager->gcm128_enc(&expanded, &scratch, at.to, at.from, AREA_LENGTH, iv, at.header,
                                    14, at.header + 14, 16);
        }
        return true;
}
#else
static bool ipsec_direct(struct bench *bench, uint8_t *out, size_t first, size_t end)
{
        (void)bench;
        (void)out;
        (void)first;
        (void)end;
        return false;
}
#endif

static bool run_ipsec(struct bench *bench)
{
        return ipsec_direct(bench, NULL, 0, AREAS);
}

static bool run_ipsec_moved(struct bench *bench)
{
        return ipsec_direct(bench, bench->out, 0, AREAS);
}

static int ipsec_half(void *argument, size_t half)
{
        (void)ipsec_direct(argument, NULL, half ? AREAS / 2 : 0, half ? AREAS : AREAS / 2);
        return 0;
}

static int ipsec_half_moved(void *argument, size_t half)
{
        struct bench *bench = argument;

        (void)ipsec_direct(bench, bench->out, half ? AREAS / 2 : 0, half ? AREAS : AREAS / 2);
        return 0;
}

/* What two threads can do at best here: the library alone, each on its half. */
static bool run_ipsec_two(struct bench *bench)
{
        INSIST(workers_each(bench->two, 2, ipsec_half, bench) == 0);
        return ipsec_direct(bench, NULL, 0, 0);
}

static bool run_ipsec_two_moved(struct bench *bench)
{
        INSIST(workers_each(bench->two, 2, ipsec_half_moved, bench) == 0);
        return ipsec_direct(bench, NULL, 0, 0);
}

/* --- what the machine allows: the same bytes moved only, and the cipher without the memory - */

static int copy_half(void *argument, size_t half)
{
        struct bench *bench = argument;
        size_t share = AREAS / 2 * AREA_LENGTH, whole = AREAS * AREA_LENGTH;

        memcpy(bench->out + (half ? share : 0), bench->source + (half ? share : 0),
               half ? whole - share : share);
        return 0;
}

static bool run_copy(struct bench *bench)
{
        return copy_half(bench, 0) == 0 && copy_half(bench, 1) == 0;
}

static bool run_copy_two(struct bench *bench)
{
        return workers_each(bench->two, 2, copy_half, bench) == 0;
}

/* As many bytes, but one area over and over: it stays in the caches of its CPU. */
static bool cached(struct bench *bench, size_t areas, size_t which)
{
        size_t first = which * AREAS / 2;

        for (size_t i = 0; i < areas; i++)
                if (!ipsec_direct(bench, NULL, first, first + 1))
                        return false;
        return true;
}

static int cached_half(void *argument, size_t half)
{
        (void)cached(argument, half ? AREAS - AREAS / 2 : AREAS / 2, half);
        return 0;
}

static bool run_cached(struct bench *bench)
{
        return cached(bench, AREAS, 0);
}

static bool run_cached_two(struct bench *bench)
{
        INSIST(workers_each(bench->two, 2, cached_half, bench) == 0);
        return ipsec_direct(bench, NULL, 0, 0);
}

/* The best library, into memory nobody has touched; the headers' AAD is zeroes then. */
static bool run_library_fresh(struct bench *bench)
{
        uint8_t *fresh = calloc(1, IMAGE);

        INSIST(fresh);
        if (!ipsec_direct(bench, fresh, 0, AREAS))
                evp_direct(bench, fresh);
        free(fresh);
        return true;
}

/* --- ours ---------------------------------------------------------------------------------- */

static bool seal(struct bench *bench, struct workers *workers)
{
        struct sfi_sealed sealed;

        INSIST(sfi_seal(&bench->recipe, key, nonce, workers, &sealed) == 0);
        sfi_sealed_free(&sealed);
        return true;
}

static bool run_alone(struct bench *bench)
{
        return seal(bench, NULL);
}

static bool run_one(struct bench *bench)
{
        return seal(bench, bench->one);
}

static bool run_two(struct bench *bench)
{
        return seal(bench, bench->two);
}

/* The engine that always is there is bound by the processor, not by memory. */
static bool seal_with_openssl(struct bench *bench, struct workers *workers)
{
        INSIST(gcm_engine_select("openssl") == 0);
        (void)seal(bench, workers);
        INSIST(gcm_engine_select(NULL) == 0);
        return true;
}

static bool run_openssl_one(struct bench *bench)
{
        return seal_with_openssl(bench, bench->one);
}

static bool run_openssl_two(struct bench *bench)
{
        return seal_with_openssl(bench, bench->two);
}

/* --- the table ----------------------------------------------------------------------------- */

enum row {
        IPSEC,
        IPSEC_MOVED,
        EVP,
        IPSEC_TWO,
        IPSEC_TWO_MOVED,
        ALONE,
        ONE,
        TWO,
        OPENSSL_ONE,
        OPENSSL_TWO,
        COPY,
        COPY_TWO,
        CACHED,
        CACHED_TWO,
        LIBRARY_FRESH,
        ROWS
};

static const struct {
        const char *name;
        contestant *run;
        unsigned threads; /* that work */
} rows[ROWS] = {
        [IPSEC] = { "library: ipsec-mb, in place, 1 thread", run_ipsec, 1 },
        [IPSEC_MOVED] = { "library: ipsec-mb, to elsewhere, 1 thread", run_ipsec_moved, 1 },
        [EVP] = { "library: OpenSSL EVP, in place, 1 thread", run_evp, 1 },
        [IPSEC_TWO] = { "library: ipsec-mb, in place, 2 threads", run_ipsec_two, 2 },
        [IPSEC_TWO_MOVED] = { "library: ipsec-mb, to elsewhere, 2 threads", run_ipsec_two_moved,
                              2 },
        [ALONE] = { "sealing: sfi_seal, no worker", run_alone, 1 },
        [ONE] = { "sealing: sfi_seal, 1 worker", run_one, 1 },
        [TWO] = { "sealing: sfi_seal, 2 workers", run_two, 2 },
        [OPENSSL_ONE] = { "sealing: sfi_seal on OpenSSL, 1 worker", run_openssl_one, 1 },
        [OPENSSL_TWO] = { "sealing: sfi_seal on OpenSSL, 2 workers", run_openssl_two, 2 },
        [COPY] = { "bound: memcpy of as much, 1 thread", run_copy, 1 },
        [COPY_TWO] = { "bound: memcpy of as much, 2 threads", run_copy_two, 2 },
        [CACHED] = { "bound: ipsec-mb on one cached area, 1 thread", run_cached, 1 },
        [CACHED_TWO] = { "bound: ipsec-mb on one cached area, 2 threads", run_cached_two, 2 },
        [LIBRARY_FRESH] = { "fresh: best library, 1 thread", run_library_fresh, 1 },
};

static int by_value(const void *a, const void *b)
{
        const double *x = a, *y = b;

        return (*x > *y) - (*x < *y);
}

/* GB/s; all 0 for a contestant that is not here. */
struct figure {
        double best, median, own;
};

/* The processor clocks of this program's threads (the kernel's encoding, see clock_getres(2)). */
struct threads {
        clockid_t clocks[THREADS_MAX];
        uint64_t ns[THREADS_MAX];
        size_t count;
};

static void threads_find(struct threads *threads)
{
        DIR *tasks = opendir("/proc/self/task");
        struct dirent *task;

        while (tasks && (task = readdir(tasks)) && threads->count < THREADS_MAX)
                if (task->d_name[0] != '.')
                        threads->clocks[threads->count++] =
                                (clockid_t)(~(unsigned)atoi(task->d_name) << 3 | 6);
        if (tasks)
                closedir(tasks);
}

/* What all of them have worked since the last call. */
static uint64_t threads_worked(struct threads *threads)
{
        uint64_t sum = 0;

        for (size_t i = 0; i < threads->count; i++) {
                struct timespec now = { 0 };
                uint64_t ns;

                (void)clock_gettime(threads->clocks[i], &now); /* a thread that ended counts 0 */
                ns = (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
                sum += ns > threads->ns[i] ? ns - threads->ns[i] : 0;
                threads->ns[i] = ns;
        }
        return sum;
}

static void measure(struct bench *bench, struct figure ret_figures[static ROWS])
{
        static const double bytes = (double)AREAS * AREA_LENGTH;
        struct threads threads = { 0 };
        double rates[ROWS][ROUNDS];

        for (unsigned row = 0; row < ROWS; row++)
                (void)rows[row].run(bench); /* once unmeasured: caches, page tables, threads */
        threads_find(&threads);
        for (unsigned round = 0; round < ROUNDS; round++) {
                for (unsigned row = 0; row < ROWS; row++) {
                        struct figure *figure = &ret_figures[row];
                        uint64_t start = now_ns(), ns;
                        double own;
                        bool is_here;

                        (void)threads_worked(&threads);
                        is_here = rows[row].run(bench);
                        ns = now_ns() - start;
                        own = bytes * rows[row].threads / (double)threads_worked(&threads);
                        rates[row][round] = is_here ? bytes / (double)ns : 0;
                        if (is_here && own > figure->own)
                                figure->own = own;
                }
        }
        for (unsigned row = 0; row < ROWS; row++) {
                qsort(rates[row], ROUNDS, sizeof(double), by_value);
                ret_figures[row].best = rates[row][ROUNDS - 1];
                ret_figures[row].median = rates[row][ROUNDS / 2];
        }
}

/* "+F:n:AES-128-GCM:bytes per second" (openssl speed -mr). */
static double openssl_speed(void)
{
        FILE *speed = popen(
                "openssl speed -mr -evp aes-128-gcm -bytes 65536 -seconds 1 2>/dev/null", "r");
        double rate = 0;
        char line[256];

        while (speed && fgets(line, sizeof(line), speed)) {
                const char *last = strrchr(line, ':');

                if (strncmp(line, "+F:", 3) == 0 && last)
                        rate = strtod(last + 1, NULL) / 1e9;
        }
        if (speed)
                pclose(speed);
        return rate;
}

static double larger(double a, double b)
{
        return a > b ? a : b;
}

/* The library's own best rate on one thread: each column of the way and the library that is best in
 * it. */
static struct figure reference(const struct figure figures[static ROWS])
{
        static const enum row candidates[] = { IPSEC, IPSEC_MOVED, EVP };
        struct figure best = { 0 };

        for (unsigned i = 0; i < LENGTH_OF(candidates); i++) {
                const struct figure *figure = &figures[candidates[i]];

                best.best = larger(best.best, figure->best);
                best.median = larger(best.median, figure->median);
                best.own = larger(best.own, figure->own);
        }
        return best;
}

static void print_table(const struct figure figures[static ROWS])
{
        double speed = openssl_speed();
        struct figure to = reference(figures);

        printf("seal: %u areas of 64 KiB, engine %s, %d rounds, GB/s\n", AREAS, gcm_engine_name(),
               ROUNDS);
        printf("seal: %-46s %6s %7s %6s %6s\n", "", "best", "", "median", "own");
        for (unsigned row = 0; row < ROWS; row++) {
                const struct figure *figure = &figures[row];

                if (figure->best > 0)
                        printf("seal: %-46s %6.2f %5.2f x %6.2f %6.2f\n", rows[row].name,
                               figure->best, figure->best / to.best, figure->median, figure->own);
        }
        if (speed > 0)
                printf("seal: %-46s %6.2f\n", "openssl speed, 64 KiB, cached", speed);
}

static void print_verdict(const char *what, const struct figure *of, const struct figure *to,
                          const char *target)
{
        if (of->best > 0 && to->best > 0)
                printf("seal: %-46s %6.2f %7s %6.2f %6.2f  %s\n", what, of->best / to->best, "",
                       of->median / to->median, of->own / to->own, target);
}

/* The targets, for best rounds and medians, and below each what the machine gave in the same run. */
static void print_verdicts(const struct figure figures[static ROWS])
{
        const struct figure best = reference(figures), *two = &figures[TWO];

        print_verdict("1 worker to the library's best thread", &figures[ONE], &best, "target 0.95");
        print_verdict("2 workers to the library's best thread", two, &best, "target 1.8");
        print_verdict("2 workers to 1, on OpenSSL", &figures[OPENSSL_TWO], &figures[OPENSSL_ONE],
                      "target 1.8");
        print_verdict("the library's 2 threads to its best thread", &figures[IPSEC_TWO], &best, "");
        print_verdict("  the same to elsewhere", &figures[IPSEC_TWO_MOVED], &best, "");
        print_verdict("2 workers to the library's 2 threads", two, &figures[IPSEC_TWO], "");
        print_verdict("bound: memory, memcpy, 2 threads to 1", &figures[COPY_TWO], &figures[COPY],
                      "");
        print_verdict("bound: processors, cached, 2 threads to 1", &figures[CACHED_TWO],
                      &figures[CACHED], "");
}

static void bench_prepare(struct bench *bench)
{
        static const int cpus[] = { 0, 1 };

        bench->source = touched(AREAS * AREA_LENGTH);
        for (unsigned i = 0; i < AREAS; i++)
                bench->areas[i] = (struct sfi_plain_area){
                        .type = SFI_FIRMWARE,
                        .address = 0x08000000 + i * (uint32_t)AREA_LENGTH,
                        .data = bench->source + i * AREA_LENGTH,
                        .length = AREA_LENGTH,
                };
        bench->recipe = (struct sfi_recipe){
                .protocol = 1, .version = 1, .areas = bench->areas, .count = AREAS
        };
        bench->out = touched(IMAGE);
        bench->evp = EVP_CIPHER_CTX_new();
        INSIST(bench->evp);
        INSIST(EVP_EncryptInit_ex(bench->evp, EVP_aes_128_gcm(), NULL, key, NULL) == 1);
        INSIST(workers_create("seal-1", 1, cpus, &bench->one) == 0);
        INSIST(workers_create("seal-2", 2, cpus, &bench->two) == 0);
}

static int run(void *subject)
{
        struct bench *bench = subject;
        struct figure figures[ROWS] = { 0 };

        bench_prepare(bench);
        measure(bench, figures);
        print_table(figures);
        print_verdicts(figures);
        workers_destroy(bench->one);
        workers_destroy(bench->two);
        EVP_CIPHER_CTX_free(bench->evp);
        free(bench->source);
        free(bench->out);
        return 0;
}

int main(void)
{
        static struct bench bench;
        const struct loop_settings settings = { .time = LOOP_TIME_REAL };
        struct loop *loop;
        int r = loop_create(&settings, &loop);

        if (r < 0) {
                fprintf(stderr, "seal: %s\n", fault_sentence(r));
                return 1;
        }
        r = loop_run(loop, "bench", run, &bench);
        loop_destroy(loop);
        return r < 0;
}
