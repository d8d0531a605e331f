/*
 * The external loader an order names: read once with the order, and held against the image, so that no
 * unit is begun that its loader could not finish.
 */
#include "drivers/loader.h"
#include "station/order.h"

#include <stdio.h>

static int refuse_file(const struct order *order, int r, struct order_error *ret_error)
{
        char sentence[256];

        snprintf(sentence, sizeof(sentence), "%s", fault_sentence(r));
        return order_refuse(ret_error, (enum fault)(-r), order->loader_line,
                            "copy the external loader there before the order, or correct "
                            "external_loader",
                            "%s", sentence);
}

static int check_area(const struct order *order, const struct loader_storage *storage,
                      const struct sfi_area *area, struct order_error *ret_error)
{
        uint32_t length = area->length - SFI_EXTERNAL_PREFIX_LENGTH;

        if (loader_holds(storage, area->address, length))
                return 0;
        return order_refuse(
                ret_error, FAULT_BAD_VALUE, order->loader_line,
                "name the loader of the memory the image is for",
                "area %u needs %u bytes at 0x%08X; the loader \"%.80s\" is for %u bytes "
                "at 0x%08X",
                area->index, length, area->address, storage->name, storage->length,
                storage->address);
}

int order_load_loader(const struct order *order, const struct sfi *sfi, struct loader *ret_loader,
                      struct order_error *ret_error)
{
        struct loader CLEANUP(loader_free) loader = { 0 };
        unsigned externals = 0;
        int r;

        for (unsigned i = 0; i < sfi->count; i++)
                externals += sfi->areas[i].type == SFI_EXTERNAL;
        if (externals && !order->external_loader[0])
                return order_refuse(ret_error, FAULT_BAD_VALUE, order->file_line,
                                    "name the loader of that memory in external_loader",
                                    "the image has %u areas for external flash and no external "
                                    "loader is named",
                                    externals);
        if (!externals && order->external_loader[0])
                return order_refuse(ret_error, FAULT_BAD_VALUE, order->loader_line,
                                    "leave external_loader out",
                                    "an external loader is named and the image has nothing for "
                                    "external flash");
        *ret_loader = (struct loader){ 0 };
        if (!externals)
                return 0;
        r = loader_load(order->external_loader, &loader);
        if (r < 0)
                return refuse_file(order, r, ret_error);
        for (unsigned i = 0; i < sfi->count; i++) {
                const struct sfi_area *area = &sfi->areas[i];

                r = area->type == SFI_EXTERNAL ? check_area(order, &loader.storage, area, ret_error)
                                               : 0;
                if (r < 0)
                        return r;
        }
        *ret_loader = loader;
        loader = (struct loader){ 0 };
        return 0;
}
