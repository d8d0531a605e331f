/*
 * Orders from anyone: taken whole or refused with code, sentence and remedy, never anything else.
 */
#include "station/order.h"

#include "station/text.h"
#include "tests/support/fuzz.h"

#include <string.h>

static bool is_type(const char *type)
{
        return !strcmp(type, "SFI") || !strcmp(type, "SFIA") || !strcmp(type, "SMU");
}

/* As many licenses as there are words for, each of another kind. */
static void check_licenses(const struct order *order)
{
        const struct order_license *license = &order->license;

        INSIST(is_type(license->type) && strcmp(license->type, "SMU"));
        INSIST((license->source == LICENSE_GLOBAL) == (license->file[0] == '/'));
        INSIST(license->line || license->source == LICENSE_FROM_CARD);
        INSIST(!text_climbs(license->file) && order->module_count <= ORDER_MODULES_MAX);
        for (unsigned i = 0; i < order->module_count; i++) {
                const struct order_module *module = &order->modules[i];

                INSIST(module->line && is_type(module->type));
                INSIST(text_is_ascii(module->firmware_id, sizeof(module->firmware_id)));
                for (unsigned j = 0; j < i; j++)
                        INSIST(strcmp(module->firmware_id, order->modules[j].firmware_id) ||
                               strcmp(module->type, order->modules[j].type));
        }
}

static void check_taken(const struct order *order)
{
        INSIST(text_is_name(order->id, sizeof(order->id)));
        INSIST(text_is_name(order->family, sizeof(order->family)));
        INSIST(text_is_label(order->part, sizeof(order->part)));
        INSIST(text_is_ascii(order->firmware_id, sizeof(order->firmware_id)));
        INSIST(order->quantity >= 1 && order->quantity <= 1000000 && order->retries <= 5);
        INSIST(order->image_file[0] == '/' && !text_climbs(order->image_file));
        INSIST(order->file_line && order->digest_line && order->family_line);
        INSIST(!order->external_loader[0] ||
               (order->external_loader[0] == '/' && order->loader_line));
        INSIST(!text_climbs(order->external_loader) && !text_climbs(order->module_list));
        INSIST(!order->module_list[0] || (order->module_list[0] == '/' && order->list_line));
        check_licenses(order);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
        struct order order = { .id = "" };
        struct order_error error = { .code = "" };
        int r = order_parse(data, length, "/drop/in", &order, &error);

        if (r == 0)
                check_taken(&order);
        else
                INSIST(!strcmp(error.code, fault_name(r)) && error.line && error.sentence[0] &&
                       error.remedy[0] && !order.id[0]);
        return 0;
}
