/*
 * station.c - open everything in order, let it run, close everything in reverse.
 */
#include "station/station.h"

#include "drivers/usb.h"
#include "scheduler/loop.h"
#include "station/data_lock.h"
#include "station/log.h"
#include "station/readers.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void station_changed(void *subject)
{
        struct station *station = subject;

        if (station->web)
                web_notify(station->web);
}

void station_alarm(struct station *station, const char *format, ...)
{
        char text[512];
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        log_line("alarm", "%s", text); /* in full; the page has less room */
        if (station->alarm_count == STATION_ALARMS_MAX) {
                memmove(station->alarms[0], station->alarms[1],
                        sizeof(station->alarms) - sizeof(station->alarms[0]));
                station->alarm_count--;
        }
        snprintf(station->alarms[station->alarm_count++], sizeof(station->alarms[0]), "%.159s",
                 text);
        station_changed(station);
}

void station_alarm_end(struct station *station, const char *text)
{
        char over[160];
        unsigned kept = 0;

        snprintf(over, sizeof(over), "%s", text); /* may stand in what is moved */
        for (unsigned i = 0; i < station->alarm_count; i++)
                if (strcmp(station->alarms[i], over) != 0)
                        memmove(station->alarms[kept++], station->alarms[i],
                                sizeof(station->alarms[0]));
        station->alarm_count = kept;
        log_line("alarm over", "%s", over);
        station_changed(station);
}

int station_act(void *subject, enum web_verb verb, const char *name)
{
        struct station *station = subject;

        switch (verb) {
        case WEB_CLEAR_SITE:
                for (unsigned i = 0; i < station->settings.site_count; i++)
                        if (strcmp(station->sites[i].settings->name, name) == 0)
                                return site_clear(&station->sites[i]);
                return fault(FAULT_NOT_FOUND, "there is no site %s", name);
        case WEB_STOP_LOT:
                if (!station->lots.running)
                        return fault(FAULT_BAD_VALUE, "no lot is running");
                lot_end(station);
                return 0;
        }
        return 0;
}

/* --- opening ------------------------------------------------------------------------------- */

static int load_profiles(struct station *station)
{
        const struct settings *settings = &station->settings;
        int r;

        r = family_load(settings->family_file, &station->family);
        /* the vendor's tool knows more families than our drivers */
        if (r == 0 && settings->installer == INSTALLER_NATIVE)
                r = family_check_drivers(&station->family);
        if (r == 0)
                r = rss_profile_load(settings->rss_profile_file, &station->rss);
        if (r == 0 && settings->installer == INSTALLER_NATIVE) /* the tool is given its own */
                r = rsse_load(&station->rss, &station->family, &station->rsse);
        if (r == 0)
                r = card_profile_load(settings->card_profile_file, &station->card_profile);
        return r;
}

/* A lost license is money, an open or unspent one is news. */
static void ledger_told(const char *sentence, bool is_loss, void *context)
{
        if (is_loss)
                station_alarm(context, "%s", sentence);
        else
                log_line("ledger", "%s", sentence);
}

static int open_records(struct station *station)
{
        const char *directory = station->settings.data_directory;
        int r, recovered;

        r = data_lock(directory, &station->lock);
        if (r < 0)
                return r;
        r = store_open(directory, &station->store);
        if (r == 0)
                r = ledger_open(station->store, directory, &station->ledger);
        if (r == 0)
                r = ledger_listen(station->ledger, ledger_told, station);
        if (r == 0)
                r = records_open(station->store, station->settings.station, &station->records);
        if (r < 0)
                return r;
        captures_open(&station->captures, &station->settings);
        recovered = records_recover(station->records);
        if (recovered > 0)
                station_alarm(station, "%d attempts were interrupted by the last stop", recovered);
        return recovered < 0 ? recovered : 0;
}

static int open_bench(struct station *station)
{
        int r = readers_open_bench(&station->settings, &station->family, &station->rss,
                                   &station->card_profile, station->settings.site_count,
                                   &station->bench);

        if (r == 0)
                station->bus = bench_bus(station->bench);
        return r;
}

static int open_license_server(struct station *station)
{
        const struct settings_server *settings = &station->settings.license_server;

        return settings->url[0] ? license_server_open(settings, &station->license_server) : 0;
}

static int open_desk(struct station *station)
{
        struct reader *readers[SETTINGS_READERS_MAX];
        int r = readers_open(&station->settings, station->bench, readers);

        if (r < 0)
                return r;
        return desk_open(&(struct desk_settings){ .ledger = station->ledger,
                                                  .profile = &station->card_profile,
                                                  .readers = readers,
                                                  .reader_count = (unsigned)r,
                                                  .server = station->license_server,
                                                  .changed = station_changed,
                                                  .context = station },
                         &station->desk);
}

static int open_hardware(struct station *station)
{
        int r;

        r = station->settings.hardware == HARDWARE_SIMULATED ? open_bench(station)
                                                             : usb_bus_open(&station->bus);
        if (r == 0)
                r = open_license_server(station);
        if (r == 0)
                r = open_desk(station);
        return r;
}

static int open_page(struct station *station)
{
        const struct web_station web = { station, station_fill, station_act };
        int r;

        if (!station->settings.web_address[0])
                return 0;
        r = web_start(station->settings.web_address, &web, &station->web);
        if (r == 0)
                log_line("page", "%s", web_url(station->web));
        return r;
}

static int open_drop(struct station *station)
{
        const struct settings *settings = &station->settings;

        snprintf(station->drop_directory, sizeof(station->drop_directory), "%s/in",
                 settings->orders_directory);
        return drop_open(settings->orders_directory, settings->scan_s, &station->drop);
}

static void start_sites(struct station *station)
{
        const struct settings *settings = &station->settings;

        for (unsigned i = 0; i < settings->site_count; i++)
                site_start(&station->sites[i], station, &settings->sites[i],
                           station->bench ? bench_fixture(station->bench, i) : NULL);
}

/* --- running ------------------------------------------------------------------------------- */

static bool has_nothing_to_do(const struct station *station)
{
        const struct lots *lots = &station->lots;

        return lots->ended && !lots->running && !lots->waiting && drop_is_idle(station->drop);
}

/* After each change of the lot, and once a second: cards and clocks go on by themselves. */
static void watch_licenses(struct station *station)
{
        struct desk_card cards[SETTINGS_READERS_MAX];
        const struct lots *lots = &station->lots;

        license_alarms_look(station, cards, desk_cards(station->desk, cards, SETTINGS_READERS_MAX),
                            lots->running ? lots->running : lots->last, clock_calendar_us());
}

static void run(struct station *station)
{
        while (!station->is_stopping) {
                watch_licenses(station);
                if (station->exit_when_done && has_nothing_to_do(station))
                        station_stop(station);
                else if (waitlist_wait(&station->lots.changed, NS_PER_S) == -FAULT_CANCELLED)
                        station_stop(station);
        }
}

void station_stop(struct station *station)
{
        bool at_once = station->is_stopping;

        station->is_stopping = true;
        for (unsigned i = 0; station->sites && i < station->settings.site_count; i++)
                if (station->sites[i].fiber)
                        site_stop(&station->sites[i], at_once);
        waitlist_wake(&station->lots.changed);
        station_changed(station);
}

/* --- closing ------------------------------------------------------------------------------- */

/* Units in install are finished first; then the fibers end. */
static void stop_sites(struct station *station)
{
        for (unsigned i = 0; i < station->settings.site_count; i++) {
                struct site *site = &station->sites[i];

                if (!site->fiber)
                        continue;
                while (site->state == SITE_BUSY && site->install.is_past_return &&
                       !fiber_has_ended(site->fiber))
                        IGNORE(waitlist_wait(&station->lots.changed, NS_PER_S / 10));
                site_stop(site, false);
                fiber_join(site->fiber);
                site->fiber = NULL;
                site->recorder = recorder_destroy(site->recorder);
        }
}

static void close_all(struct station *station)
{
        if (station->sites)
                stop_sites(station);
        if (station->drop)
                lots_stop(station);
        station->web = web_stop(station->web);
        station->drop = drop_close(station->drop);
        station->desk = desk_close(station->desk);
        station->license_server = license_server_close(station->license_server);
        if (station->bench)
                station->bench = bench_destroy(station->bench);
        else
                station->bus = bus_close(station->bus);
        station->records = records_close(station->records);
        station->ledger = ledger_close(station->ledger);
        station->store = store_close(station->store);
        station->workers = workers_destroy(station->workers);
        if (station->lock > 0)
                close(station->lock); /* and with it the lock */
        station->lock = 0;
        rsse_free(&station->rsse);
        free(station->sites);
        station->sites = NULL;
}

int station_run(struct station *station)
{
        int r;

        station->sites = calloc(station->settings.site_count, sizeof(*station->sites));
        INSIST(station->sites || !station->settings.site_count);
        r = load_profiles(station);
        if (r == 0)
                r = workers_create("image", station->settings.workers,
                                   station->settings.worker_cpus, &station->workers);
        if (r == 0)
                r = open_records(station);
        if (r == 0)
                r = vendor_check_station(station); /* under the lock of the data directory */
        if (r == 0)
                r = open_hardware(station);
        if (r == 0)
                r = open_drop(station);
        if (r == 0)
                r = open_page(station);
        if (r == 0) {
                start_sites(station);
                lots_start(station);
                log_line("station", "%s: %u sites%s", station->settings.station,
                         station->settings.site_count, station->bench ? ", simulated" : "");
                run(station);
                log_line("station", "stopping");
        }
        close_all(station);
        return r;
}
