/*
 * Where an order's licenses come from, as far as that can be checked before a unit is touched: is there
 * a license server, does the part take a global license, and is the file it names one; it is read once.
 *
 * AN5054 sections 9.3.3 and 10.3.3 have H5 and H7Rx/7Sx take global licenses. For our own installer the
 * RSS profile knows; for the vendor's tool the family does, these being the ones with product states.
 */
#include "crypto/digest.h"
#include "crypto/license_global.h"
#include "drivers/family.h"
#include "drivers/rss.h"
#include "scheduler/file.h"
#include "station/order.h"

#include <stdio.h>
#include <string.h>

_Static_assert(LICENSE_GLOBAL_LENGTH == LICENSE_LENGTH, "they take the same way to the target");

#define VENDOR_LICENSE_MAX 4096u /* ours have 136 bytes; the length of ST's is not public */

static int refuse_file(const struct order *order, const struct bytes *file,
                       struct order_error *ret_error, const char *what)
{
        return order_refuse(ret_error, FAULT_BAD_FILE, order->license.line,
                            "name a global license in license.file", "%.100s (%zu bytes) is %s",
                            order->license.file, file->length, what);
}

static int check_ours(const struct order *order, const struct bytes *file,
                      struct order_error *ret_error)
{
        uint8_t key[GCM_KEY_LENGTH], nonce[GCM_IV_LENGTH];
        bool opens = license_global_is(file->data, file->length) &&
                     license_global_open(file->data, key, nonce) >= 0;

        wipe(key, sizeof(key));
        wipe(nonce, sizeof(nonce));
        return opens ? 0 : refuse_file(order, file, ret_error, "no global license");
}

/* Nothing is known of ST's, but that no part takes ours. */
static int check_theirs(const struct order *order, const struct bytes *file,
                        struct order_error *ret_error)
{
        if (file->length == 0)
                return refuse_file(order, file, ret_error, "empty");
        if (license_global_is(file->data, file->length))
                return refuse_file(order, file, ret_error,
                                   "Gangway's reference of a global license, which no part takes");
        return 0;
}

static int read_global(const struct order *order, const struct rss_profile *rss,
                       struct bytes *ret_file, struct order_error *ret_error)
{
        CLEANUP(bytes_wipe_free) struct bytes file = { 0 };
        char sentence[256];
        int r = file_read(order->license.file, rss ? LICENSE_LENGTH : VENDOR_LICENSE_MAX, &file);

        if (r < 0) {
                snprintf(sentence, sizeof(sentence), "%s", fault_sentence(r));
                return order_refuse(ret_error, (enum fault)(-r), order->license.line,
                                    "copy the global license there before the order, or correct "
                                    "license.file",
                                    "%s", sentence);
        }
        r = rss ? check_ours(order, &file, ret_error) : check_theirs(order, &file, ret_error);
        if (r < 0)
                return r;
        *ret_file = file;
        file = (struct bytes){ 0 };
        return 0;
}

int order_load_license(const struct order *order, const struct family *family,
                       const struct rss_profile *rss, bool has_server, struct bytes *ret_license,
                       char ret_digest[static 65], struct order_error *ret_error)
{
        bool takes_global = rss ? rss->takes_global : family->procedure == PROCEDURE_STATE;
        uint8_t digest[DIGEST_LENGTH];
        int r;

        if (order->license.source == LICENSE_FROM_SERVER && !has_server)
                return order_refuse(ret_error, FAULT_BAD_VALUE, order->license.line,
                                    "name one in the station file, or take licenses from a card",
                                    "the source of the license is server and the station has none");
        ret_digest[0] = '\0';
        if (order->license.source != LICENSE_GLOBAL)
                return 0;
        if (!takes_global)
                return order_refuse(ret_error, FAULT_BAD_VALUE, order->license.line,
                                    "take licenses from a card, a server or files",
                                    "a part driven by %s takes no global license",
                                    rss ? rss->name : family->name);
        r = read_global(order, rss, ret_license, ret_error);
        if (r < 0)
                return r;
        digest_sha256(ret_license->data, ret_license->length, digest);
        hex_encode(digest, sizeof(digest), ret_digest);
        return 0;
}
