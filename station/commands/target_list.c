/*
 * gangway target list: the probes there are, and what is behind each.
 *
 * Each probe is opened in turn, looked at without a reset (AN5054 section 3.3.2) and left as it was. One
 * that another program holds, or with nothing behind it, is a line all the same.
 */
#include "station/commands/command.h"

#include "station/commands/answer.h"
#include "station/commands/screen.h"
#include "station/commands/target_session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct probe_line {
        struct wire_identity wire;
        char firmware[32];
        unsigned supply_mv;
        char family[24]; /* "": none */
        uint16_t device_id;
        char problem[200];
};

static void look_at_part(struct stlink *probe, const struct target_choice *choice,
                         struct probe_line *line)
{
        struct chosen_family *chosen = calloc(1, sizeof(*chosen));
        int r = stlink_voltage_mv(probe, &line->supply_mv);

        INSIST(chosen);
        if (r >= 0)
                r = stlink_set_clock(probe, choice->clock_khz);
        if (r >= 0)
                r = target_detect(probe, choice, chosen);
        if (r >= 0) {
                strcpy(line->family, chosen->family.name);
                line->device_id = chosen->family.device_id;
        } else {
                snprintf(line->problem, sizeof(line->problem), "%s", fault_sentence(r));
        }
        free(chosen);
}

static void look_at_probe(struct bus *bus, const struct target_choice *choice,
                          struct probe_line *line)
{
        struct stlink probe = { 0 };
        struct wire *wire;
        int r = bus_open(bus, line->wire.path, &wire);

        if (r >= 0) {
                line->wire = *wire_identity(wire);
                r = stlink_open(wire, &probe);
        }
        if (r < 0) {
                snprintf(line->problem, sizeof(line->problem), "%s", fault_sentence(r));
                return;
        }
        strcpy(line->firmware, probe.version.text);
        look_at_part(&probe, choice, line);
        stlink_close(&probe);
}

static void print_lines(const struct probe_line *lines, int count)
{
        static const struct table_column columns[] = {
                { "index", true, 9, false },     { "serial", false, 8, false },
                { "firmware", false, 3, false }, { "port", false, 6, false },
                { "supply", true, 4, false },    { "target", false, 7, true },
        };
        struct table *table = table_create(columns, LENGTH_OF(columns));
        struct screen screen;

        for (int i = 0; i < count; i++) {
                const struct probe_line *line = &lines[i];

                table_row(table);
                table_cell(table, TONE_PLAIN, "%d", i);
                table_cell(table, TONE_PLAIN, "%s", line->wire.serial[0] ? line->wire.serial : "-");
                table_cell(table, TONE_PLAIN, "%s", line->firmware[0] ? line->firmware : "-");
                table_cell(table, TONE_PLAIN, "%s", line->wire.path);
                table_cell(table, TONE_PLAIN, "%u.%02u V", line->supply_mv / 1000,
                           line->supply_mv % 1000 / 10);
                if (line->family[0])
                        table_cell(table, TONE_GOOD, "%s (0x%03X)%s", line->family, line->device_id,
                                   line->wire.is_simulated ? ", SIMULATED" : "");
                else
                        table_cell(table, TONE_ATTENTION, "none: %.80s", line->problem);
        }
        screen_init(&screen, stdout);
        table_print(table, &screen, stdout);
        table_destroy(table);
}

static int print_json(const struct probe_line *lines, int count)
{
        json_t *list = json_array();

        for (int i = 0; i < count; i++) {
                const struct probe_line *line = &lines[i];
                json_t *object =
                        json_pack("{s:i, s:s, s:i, s:s, s:s, s:i, s:b}", "index", i, "serial",
                                  line->wire.serial, "product", (int)line->wire.product, "firmware",
                                  line->firmware, "port_path", line->wire.path, "supply_mv",
                                  (int)line->supply_mv, "simulated", (int)line->wire.is_simulated);

                if (line->family[0]) {
                        json_object_set_new(object, "family", json_string(line->family));
                        json_object_set_new(object, "device_id", json_integer(line->device_id));
                } else {
                        json_object_set_new(object, "problem", json_string(line->problem));
                }
                json_array_append_new(list, object);
        }
        return answer_json(json_pack("{s:o}", "probes", list), EXIT_OK);
}

static int list(const struct target_choice *choice, struct bus *bus)
{
        struct wire_identity *found = calloc(TARGET_PROBES_MAX, sizeof(*found));
        struct probe_line *lines = calloc(TARGET_PROBES_MAX, sizeof(*lines));
        int count, r = 0;

        INSIST(found && lines);
        count = target_probes(bus, found);
        for (int i = 0; i < count; i++) {
                lines[i].wire = found[i];
                look_at_probe(bus, choice, &lines[i]);
        }
        if (count == 0 && !choice->is_json)
                r = fault(FAULT_UNPLUGGED,
                          "no ST-LINK is connected; look at the cable, and at who may open it "
                          "(lsusb -d 0483:)");
        else if (count >= 0 && choice->is_json)
                r = print_json(lines, count);
        else if (count > 0)
                print_lines(lines, count);
        free(found);
        free(lines);
        return count < 0 ? count : r;
}

static int run(int argc, char **argv)
{
        struct target_bus bus CLEANUP(target_bus_close) = { 0 };
        struct target_choice choice = TARGET_CHOICE;
        const struct argument arguments[] = {
                TARGET_ARGUMENTS(&choice),
                { "json", .flag = &choice.is_json },
        };
        int r = options_read(argc, argv, arguments, LENGTH_OF(arguments));

        if (r >= 0)
                r = target_bus_open(&choice, &bus);
        if (r >= 0)
                r = list(&choice, bus.bus);
        return target_answer("target list", r);
}

const struct command target_list_command = {
        .words = "target list",
        .summary = "the probes there are, and the part behind each",
        .help = "usage: gangway target list " TARGET_USAGE "\n"
                "Serial, firmware, USB port and supply of every ST-LINK, and which family is\n"
                "behind it. Nothing is reset. ST's -l is the same: gangway target -l.\n"
                "\n" TARGET_HELP "  --json              the same for programs\n"
                "\n"
                "Exit codes: 0 ok, 2 usage, 3 no probe\n"
                "example: gangway target list --json\n",
        .run = run,
};
