/*
 * crash_matrix.c - the station killed at every point of a small line, one point after the other.
 *
 * The line: desk, ledger and store; two cards of the simulator whose counters lie in memory that
 * outlives the process; three sites with nine chips, so that steps of several licenses share
 * commits. It passes a point before and after every SQL statement, at every write and sync of
 * database and log, in five phases of every exchange with a card, and after every step of a site.
 * Under virtual time each run is the same, so the points are numbered: one run counts them, then
 * each point gets a process of its own that dies there.
 *
 * After each death another process opens what is left, reconciles, asks for every chip again and
 * holds the books against what the cards remember. Five stories:
 *
 *      a first start      from an empty directory
 *      a power cut        the same, and of what was not synced nothing, some or torn parts is left
 *      killed again       both cards had just made a license that never arrived
 *      in every phase     the first card goes through all steps of the ledger while the second is
 *                         held in one phase of its license, for each of the phases
 */
#include "tests/support/crash_line.h"
#include "tests/support/test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- processes ----------------------------------------------------------------------------- */

#define CHECKPOINT_PAGES 24 /* the log is worked into the database a few times in each run */

static int in_child(int (*procedure)(void *), bool has_points)
{
        pid_t child;
        int status;

        world->run++;
        fflush(NULL);
        child = fork();
        assert_true(child >= 0);
        if (child == 0) {
                if (has_points)
                        crash_install(&world->crash, CHECKPOINT_PAGES);
                _exit(test_on_fiber(LOOP_TIME_VIRTUAL, 1, procedure, NULL) != 0);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        return status;
}

/* What a station leaves behind, to begin from again and again. */
static struct start {
        struct world world; /* the cards' side */
        struct {
                uint8_t bytes[1 << 20];
                size_t length;
                bool is_there;
        } files[4];
} start; /* zeros: a first start, as world_begin makes it */

static const char *const names[] = { "station.db", "station.db-wal", "station.db-shm",
                                     "station.key" };
_Static_assert(LENGTH_OF(names) == LENGTH_OF(start.files), "a place for each");

static const char *path_of(unsigned file)
{
        static char path[192];

        snprintf(path, sizeof(path), "%s/%s", world->directory, names[file]);
        return path;
}

static void keep_files(void)
{
        for (unsigned i = 0; i < LENGTH_OF(names); i++) {
                FILE *file = fopen(path_of(i), "r");

                start.files[i].is_there = file != NULL;
                if (!file)
                        continue;
                start.files[i].length =
                        fread(start.files[i].bytes, 1, sizeof(start.files[i].bytes), file);
                fclose(file);
        }
}

static void restore_files(void)
{
        for (unsigned i = 0; i < LENGTH_OF(names); i++) {
                size_t length = start.files[i].length;
                FILE *file;

                unlink(path_of(i));
                if (!start.files[i].is_there)
                        continue;
                file = fopen(path_of(i), "w");
                assert_non_null(file);
                assert_int_equal(fchmod(fileno(file), 0600), 0);
                assert_int_equal(fwrite(start.files[i].bytes, 1, length, file), length);
                fclose(file);
        }
}

static void start_fresh(void)
{
        memset(&start, 0, sizeof(start));
        for (unsigned i = 0; i < CARDS; i++)
                start.world.counters[i] = COUNTER;
}

static void world_begin(void)
{
        char directory[sizeof(world->directory)];

        memcpy(directory, world->directory, sizeof(directory));
        *world = start.world;
        memset(&world->crash, 0, sizeof(world->crash));
        memcpy(world->directory, directory, sizeof(directory));
        restore_files();
}

/* --- one death ----------------------------------------------------------------------------- */

struct tally {
        unsigned points, lost, sql, writes, exchanges, sites;
};

static void tally_add(struct tally *tally, const char *where)
{
        tally->points++;
        tally->lost += world->lost;
        tally->sql += strncmp(where, "sql", 3) == 0;
        tally->writes += strncmp(where, "write", 5) == 0;
        tally->exchanges += strncmp(where, "card", 4) == 0;
        tally->sites += strncmp(where, "site", 4) == 0;
}

/* Die there; then let another process look. One license a card may be lost by it, and only one that
 * was made: never more than were in flight. */
static void die_at(unsigned point, enum crash_power power, struct tally *tally)
{
        char where[sizeof(world->crash.where)];
        unsigned before, most;
        int status;

        world_begin();
        world->crash.at = point;
        world->crash.power = power;
        before = start.world.lost;
        status = in_child(crash_line_run, true);
        memcpy(where, world->crash.where, sizeof(where));
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
                fail_msg("point %u: the line ended with %x", point, (unsigned)status);
        most = crash_line_made();
        most = before + (most < CARDS ? most : CARDS);
        status = in_child(crash_line_after, false);
        if (status != 0)
                fail_msg("after a death at point %u, %s (power %d): %x", point, where, (int)power,
                         (unsigned)status);
        if (world->lost > most)
                fail_msg("a death at point %u, %s, cost %u licenses", point, where,
                         world->lost - before);
        tally_add(tally, where);
}

/* --- the matrix ---------------------------------------------------------------------------- */

struct story {
        const char *name;
        enum crash_power first_power, last_power;
        bool is_without_writes;
        bool has_hold; /* then only the points while the second card is held */
        enum phase hold;
};

static bool begins(const char *kind, const char *word)
{
        return strncmp(kind, word, strlen(word)) == 0;
}

/* A statement that begins where another ended finds the same disk and the same cards: the point
 * before it is the point after the other. Between the syncs of two commits a power cut and a kill
 * differ by SQLite's padding alone, which is looked at where somebody was told something. */
static bool is_worth_it(const struct story *story, const struct crash *points, unsigned point,
                        enum crash_power power)
{
        const char *kind = points->kinds[point];

        if (story->has_hold && !points->is_marked[point])
                return false;
        if (begins(kind, "write") && power == POWER_STAYS)
                return !story->is_without_writes;
        if (begins(kind, "write")) /* the two ways to leave a part take turns */
                return points->has_unsynced[point] &&
                       (power == POWER_LOST || (power == POWER_LOST_SOME) == (point % 2 == 1));
        if (begins(kind, "sql"))
                return power == POWER_STAYS && (begins(kind, "sql after") || point == 1 ||
                                                !begins(points->kinds[point - 1], "sql after"));
        return power == POWER_STAYS || power == POWER_LOST;
}

static struct crash counted;

/* One run to its end, to count. */
static void count_points(const struct story *story)
{
        start.world.has_hold = story->has_hold;
        start.world.hold = story->hold;
        world_begin();
        assert_int_equal(in_child(crash_line_run, true), 0);
        counted = world->crash;
        assert_int_equal(in_child(crash_line_after, false), 0);
        assert_int_equal(world->lost, start.world.lost);
}

#define WORKERS 2u

/* Under a sanitizer a process takes ten times as long: then every eighth point is enough. */
static unsigned stride = 1;

static struct shared {
        struct world worlds[WORKERS];
        struct tally tallies[WORKERS];
} * shared;

/* Every WORKERS-th of those that are told is this one's. */
static void tell_part(const struct story *story, unsigned worker)
{
        unsigned number = 0;

        world = &shared->worlds[worker];
        for (enum crash_power power = story->first_power; power <= story->last_power; power++)
                for (unsigned point = 1; point <= counted.reached; point++)
                        if (is_worth_it(story, &counted, point, power) &&
                            number++ % (WORKERS * stride) == worker)
                                die_at(point, power, &shared->tallies[worker]);
}

static struct tally tell(const struct story *story)
{
        struct tally sum = { 0 };
        pid_t children[WORKERS];
        bool has_failed = false;

        count_points(story);
        fflush(NULL);
        for (unsigned i = 0; i < WORKERS; i++) {
                shared->tallies[i] = (struct tally){ 0 };
                children[i] = fork();
                assert_true(children[i] >= 0);
                if (children[i] == 0) {
                        setenv("CMOCKA_TEST_ABORT", "1", 1); /* the runner is the parent's */
                        tell_part(story, i);
                        _exit(0);
                }
        }
        for (unsigned i = 0; i < WORKERS; i++) {
                const struct tally *part = &shared->tallies[i];
                int status;

                assert_int_equal(waitpid(children[i], &status, 0), children[i]);
                has_failed |= status != 0; /* the others use their directories still */
                sum.points += part->points;
                sum.lost += part->lost;
                sum.sql += part->sql;
                sum.writes += part->writes;
                sum.exchanges += part->exchanges;
                sum.sites += part->sites;
        }
        assert_false(has_failed);
        printf("# %s: %u points (%u at statements, %u at writes, %u in exchanges, %u at sites), %u "
               "lost\n",
               story->name, sum.points, sum.sql, sum.writes, sum.exchanges, sum.sites, sum.lost);
        return sum;
}

static struct tally total;

static void total_add(const struct tally *tally)
{
        total.points += tally->points;
        total.lost += tally->lost;
}

static void a_first_start_may_be_killed_at_any_point(void **state)
{
        const struct story story = { .name = "first start" };
        struct tally tally;

        (void)state;
        start_fresh();
        tally = tell(&story);
        assert_true(tally.points >= 300 / stride && tally.sql > 0 && tally.writes > 0 &&
                    tally.sites > 0);
        assert_true(tally.exchanges >=
                    (7 + 2 * CARDS) * PHASES / stride); /* LICENSE, SELECT and INFO */
        assert_true(tally.lost > 0);
        total_add(&tally);
}

static void a_power_cut_loses_no_more_than_a_kill(void **state)
{
        const struct story story = { .name = "power cut",
                                     .first_power = POWER_LOST,
                                     .last_power = POWER_LOST_MIDST };
        struct tally tally;

        (void)state;
        start_fresh();
        tally = tell(&story);
        assert_true(tally.writes >= 300 / stride);
        total_add(&tally);
}

/* Both cards have counted down and are about to answer; the station dies; its next start dies too. */
static void a_second_death_while_reconciling_loses_nothing_twice(void **state)
{
        const struct story held = { .has_hold = true, .hold = ACTED },
                           story = { .name = "killed again", .is_without_writes = true };
        struct tally tally;

        (void)state;
        start_fresh();
        count_points(&held);
        world_begin();
        for (unsigned point = 1; point <= counted.reached && !world->crash.at; point++)
                if (counted.is_marked[point])
                        world->crash.at = point;
        assert_true(WIFSIGNALED(in_child(crash_line_run, true)));
        assert_int_equal(crash_line_made(), CARDS);
        start.world = *world;
        start.world.lost = CARDS; /* as the next start will find */
        keep_files();
        tally = tell(&story);
        assert_true(tally.lost >= CARDS * tally.points);
        total_add(&tally);
}

static void every_step_of_the_ledger_meets_every_phase_of_another_card(void **state)
{
        (void)state;
        for (enum phase phase = BEFORE; phase < PHASES; phase++) {
                char name[64];
                struct story story = { .name = name, .has_hold = true, .hold = phase };
                struct tally tally;

                snprintf(name, sizeof(name), "while another license is %s", phases[phase]);
                start_fresh();
                tally = tell(&story);
                assert_true(tally.sql > 20 / stride && tally.writes > 20 / stride);
                /* the held one is lost each time once its card has acted, and never before */
                if (phase >= ACTED)
                        assert_true(tally.lost >= tally.points);
                total_add(&tally);
        }
        printf("# %u points, %u lost\n", total.points, total.lost);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_first_start_may_be_killed_at_any_point),
                cmocka_unit_test(a_power_cut_loses_no_more_than_a_kill),
                cmocka_unit_test(a_second_death_while_reconciling_loses_nothing_twice),
                cmocka_unit_test(every_step_of_the_ledger_meets_every_phase_of_another_card),
        };
        const char *directory;

        if (getenv("GANGWAY_SANITIZE"))
                stride = 8;
        /* thousands of small databases: in memory where there is no word on it; the disk that
         * matters is the one of crash_disk.c */
        if (access("/dev/shm", W_OK) == 0)
                setenv("TMPDIR", "/dev/shm", 0);
        directory = test_directory();
        shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                      0);
        if (shared == MAP_FAILED)
                return 1;
        for (unsigned i = 0; i < WORKERS; i++) {
                world = &shared->worlds[i];
                snprintf(world->directory, sizeof(world->directory), "%.100s/%u", directory, i);
                if (mkdir(world->directory, 0700) < 0)
                        return 1;
        }
        crash_line_init();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
