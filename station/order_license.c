/*
 * Where an order's licenses come from, as far as that can be checked before a unit is touched: is there
 * a license server, does the part take a global license (it is known from the RSS profile; AN5054
 * sections 9.3.3 and 10.3.3: H5 and H7Rx/7Sx do), and is the file it names one: 136 bytes, read once.
 */
#include "crypto/digest.h"
#include "crypto/license_global.h"
#include "drivers/rss.h"
#include "scheduler/file.h"
#include "station/order.h"

#include <stdio.h>
#include <string.h>

_Static_assert(LICENSE_GLOBAL_LENGTH == LICENSE_LENGTH, "they take the same way to the target");

static int check_bytes(const struct order *order, const struct bytes *file,
                       struct order_error *ret_error)
{
        uint8_t key[GCM_KEY_LENGTH], nonce[GCM_IV_LENGTH];
        bool opens = license_global_is(file->data, file->length) &&
                     license_global_open(file->data, key, nonce) >= 0;

        wipe(key, sizeof(key));
        wipe(nonce, sizeof(nonce));
        if (opens)
                return 0;
        return order_refuse(ret_error, FAULT_BAD_FILE, order->license.line,
                            "name a global license in license.file",
                            "%.100s (%zu bytes) is no global license", order->license.file,
                            file->length);
}

int order_load_license(const struct order *order, const struct rss_profile *rss, bool has_server,
                       uint8_t ret_license[static LICENSE_LENGTH], char ret_digest[static 65],
                       struct order_error *ret_error)
{
        CLEANUP(bytes_wipe_free) struct bytes file = { 0 };
        uint8_t digest[DIGEST_LENGTH];
        char sentence[256];
        int r;

        if (order->license.source == LICENSE_FROM_SERVER && !has_server)
                return order_refuse(ret_error, FAULT_BAD_VALUE, order->license.line,
                                    "name one in the station file, or take licenses from a card",
                                    "the source of the license is server and the station has none");
        if (order->license.source != LICENSE_GLOBAL) {
                ret_digest[0] = '\0';
                return 0;
        }
        if (!rss->takes_global)
                return order_refuse(ret_error, FAULT_BAD_VALUE, order->license.line,
                                    "take licenses from a card, a server or files",
                                    "a part driven by %s takes no global license", rss->name);
        r = file_read(order->license.file, LICENSE_LENGTH, &file);
        if (r < 0) {
                snprintf(sentence, sizeof(sentence), "%s", fault_sentence(r));
                return order_refuse(ret_error, (enum fault)(-r), order->license.line,
                                    "copy the global license there before the order, or correct "
                                    "license.file",
                                    "%s", sentence);
        }
        r = check_bytes(order, &file, ret_error);
        if (r < 0)
                return r;
        memcpy(ret_license, file.data, LICENSE_LENGTH);
        digest_sha256(file.data, file.length, digest);
        hex_encode(digest, sizeof(digest), ret_digest);
        return 0;
}
