/*
 * gangwayd.c - the daemon: options, signals, one station.
 */
#include "scheduler/bytes.h"
#include "scheduler/loop.h"
#include "scheduler/ring.h"
#include "station/log.h"
#include "station/station.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum exit_code { EXIT_GOOD = 0, EXIT_BROKEN = 1, EXIT_USAGE = 2 };

static const char help[] =
        "gangwayd - gang programming station for STM32 secure installs\n"
        "\n"
        "  gangwayd --config FILE [options]\n"
        "\n"
        "  -c, --config FILE     station file (gangway.conf, see configs/gangway.conf)\n"
        "      --check           read the station file and its profiles, say what is wrong, exit\n"
        "      --exit-when-done  stop by itself when the drop folder holds no order any more\n"
        "      --seed N          seed of the simulated bench and of virtual time\n"
        "  -h, --help            this text\n"
        "      --version\n"
        "\n"
        "SIGTERM and SIGINT stop cleanly: units not yet in install are aborted, the others are\n"
        "finished; the second signal aborts those too.\n"
        "\n"
        "Exit codes: 0 stopped as asked, 1 could not start or run, 2 usage or station file.\n"
        "\n"
        "Example: gangwayd --config /etc/gangway/gangway.conf\n";

struct daemon {
        struct station station;
        const char *config;
        bool only_check;
        bool has_seed;
        uint64_t seed;
        int exit_code;
};

static int watch_signals(void *subject)
{
        struct station *station = subject;
        struct signalfd_siginfo info;
        sigset_t signals;
        int descriptor;

        sigemptyset(&signals);
        sigaddset(&signals, SIGTERM);
        sigaddset(&signals, SIGINT);
        descriptor = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
        if (descriptor < 0)
                return fault_errno(errno, "signalfd");
        while (ring_poll(descriptor, POLLIN, WAIT_FOREVER) > 0)
                while (read(descriptor, &info, sizeof(info)) == sizeof(info)) {
                        log_line("station", "%s", strsignal((int)info.ssi_signo));
                        station_stop(station);
                }
        close(descriptor);
        return 0;
}

static int run_station(void *subject)
{
        struct daemon *daemon = subject;
        struct station *station = &daemon->station;
        struct fiber *signals = fiber_spawn("signals", watch_signals, station);
        int r = station_run(station);

        if (r < 0) {
                fprintf(stderr, "gangwayd: %s\n", fault_sentence(r));
                daemon->exit_code =
                        r == -FAULT_BAD_FILE || r == -FAULT_BAD_VALUE || r == -FAULT_NOT_FOUND
                                ? EXIT_USAGE
                                : EXIT_BROKEN;
        }
        fiber_cancel(signals);
        fiber_join(signals);
        return 0;
}

static int check_profiles(struct station *station)
{
        const struct settings *settings = &station->settings;
        int r = family_load(settings->family_file, &station->family);

        if (r == 0)
                r = settings->installer == INSTALLER_NATIVE
                            ? family_check_drivers(&station->family)
                            : vendor_check_tool(settings, &station->family);
        if (r == 0)
                r = rss_profile_load(settings->rss_profile_file, &station->rss);
        if (r == 0 && settings->installer == INSTALLER_NATIVE) /* the tool is given its own */
                r = rsse_load(&station->rss, &station->family, &station->rsse);
        rsse_free(&station->rsse);
        if (r == 0)
                r = card_profile_load(settings->card_profile_file, &station->card_profile);
        return r;
}

/* The settings decide which clock the station needs, so they are read on a loop of their own. */
static int read_settings(void *subject)
{
        struct daemon *daemon = subject;
        int r = settings_load(daemon->config, &daemon->station.settings);

        if (r == 0 && daemon->only_check)
                r = check_profiles(&daemon->station);
        if (r < 0) {
                fprintf(stderr, "gangwayd: %s\n", fault_sentence(r));
                daemon->exit_code = EXIT_USAGE;
        } else if (daemon->only_check) {
                printf("%s: good, %u sites\n", daemon->config, daemon->station.settings.site_count);
        }
        return r;
}

static int on_a_loop(struct daemon *daemon, const struct loop_settings *settings, const char *name,
                     int (*procedure)(void *subject))
{
        struct loop *loop;
        int r = loop_create(settings, &loop);

        if (r < 0) {
                fprintf(stderr, "gangwayd: %s\n", fault_sentence(r));
                daemon->exit_code = EXIT_BROKEN;
                return r;
        }
        r = loop_run(loop, name, procedure, daemon);
        loop_destroy(loop);
        return r;
}

static bool parse_options(int argc, char **argv, struct daemon *daemon)
{
        enum { CHECK = 256, EXIT_WHEN_DONE, SEED, VERSION };
        static const struct option options[] = {
                { "config", required_argument, NULL, 'c' },
                { "check", no_argument, NULL, CHECK },
                { "exit-when-done", no_argument, NULL, EXIT_WHEN_DONE },
                { "seed", required_argument, NULL, SEED },
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, VERSION },
                { 0 },
        };
        char *end;
        int option;

        while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1)
                switch (option) {
                case 'c':
                        daemon->config = optarg;
                        break;
                case CHECK:
                        daemon->only_check = true;
                        break;
                case EXIT_WHEN_DONE:
                        daemon->station.exit_when_done = true;
                        break;
                case SEED:
                        daemon->seed = strtoull(optarg, &end, 0);
                        daemon->has_seed = true;
                        if (*end || !*optarg) {
                                fprintf(stderr, "gangwayd: --seed takes a number\n");
                                return false;
                        }
                        break;
                case 'h':
                        fputs(help, stdout);
                        exit(EXIT_GOOD);
                case VERSION:
                        puts("gangwayd " GANGWAY_VERSION);
                        exit(EXIT_GOOD);
                default:
                        return false;
                }
        if (!daemon->config || optind != argc) {
                fprintf(stderr, "gangwayd: wanted: gangwayd --config FILE (see --help)\n");
                return false;
        }
        return true;
}

int main(int argc, char **argv)
{
        static struct daemon daemon;
        struct loop_settings settings = { .time = LOOP_TIME_REAL };
        sigset_t signals;

        secrets_stay_inside();
        sigemptyset(&signals);
        sigaddset(&signals, SIGTERM);
        sigaddset(&signals, SIGINT);
        sigprocmask(SIG_BLOCK, &signals, NULL);
        signal(SIGPIPE, SIG_IGN);
        if (!parse_options(argc, argv, &daemon))
                return EXIT_USAGE;
        if (on_a_loop(&daemon, &settings, "settings", read_settings) < 0 || daemon.only_check)
                return daemon.exit_code;
        if (daemon.station.settings.is_virtual_time)
                settings.time = LOOP_TIME_VIRTUAL;
        settings.seed = daemon.has_seed ? daemon.seed : daemon.station.settings.seed;
        if (on_a_loop(&daemon, &settings, "station", run_station) < 0)
                return daemon.exit_code ? daemon.exit_code : EXIT_BROKEN;
        return daemon.exit_code;
}
