#include "tests/rigs/parts/orders.h"

#include "scheduler/loop.h"

#include <stdio.h>
#include <string.h>

static bool parse_order(const char *word, struct order *ret_order)
{
        bool is_named = strchr(word, '=');
        char name[16] = "stlink";
        unsigned count = 0;

        if (is_named ? sscanf(word, "%15[a-z0-9-]=%u", name, &count) != 2
                     : sscanf(word, "%u", &count) != 1)
                return false;
        *ret_order = (struct order){ device_kind_find(name), count };
        return ret_order->kind && count > 0 && count <= DEVICES_MAX;
}

int orders_parse(int argc, char **argv, struct order orders[static ORDERS_MAX], unsigned *ret_count)
{
        unsigned total = 0;
        int at = 1;

        for (*ret_count = 0; at < argc && strcmp(argv[at], "--") != 0; at++) {
                if (*ret_count == ORDERS_MAX || !parse_order(argv[at], &orders[*ret_count]))
                        return 0;
                total += orders[(*ret_count)++].count;
        }
        return at + 1 < argc && total > 0 && total <= DEVICES_MAX ? at + 1 : 0;
}

static int load_kind(void *subject)
{
        const struct device_kind *kind = subject;
        int r = kind->load();

        if (r < 0)
                fprintf(stderr, "usb rig: %s\n", fault_sentence(r));
        return r;
}

static int load_on_loop(const struct device_kind *kind)
{
        struct loop_settings settings = { .time = LOOP_TIME_REAL };
        struct loop *loop;
        int r = loop_create(&settings, &loop);

        if (r < 0)
                return r;
        r = loop_run(loop, "profiles", load_kind, (void *)(uintptr_t)kind);
        loop_destroy(loop);
        return r;
}

int orders_load(const struct order *orders, unsigned count)
{
        for (unsigned i = 0; i < count; i++) {
                int r = load_on_loop(orders[i].kind);

                if (r < 0)
                        return r;
        }
        return 0;
}
