/*
 * hsm_package.h - the personalization package for a version-2 card: named, or chosen by the product
 * id of a chip's certificate (AN5054 section 4.3.4). Everything is checked from the name; the
 * content is encrypted for ST's cards and not looked into.
 */
#pragma once

#include "drivers/perso_name.h"

#include <stdbool.h>

#define PACKAGE_PATH_MAX 1024u

struct hsm_package_request {
        const char *file;      /* NULL: look in the folder */
        const char *folder;    /* and its subfolders; NULL: none */
        const char *cert_file; /* NULL: any product */
        const char *flow;      /* NULL: SFI in the folder, any in a name */
};

struct hsm_package {
        bool is_there;
        char path[PACKAGE_PATH_MAX];
        struct perso_name name;
        char digest[65];                        /* SHA-256 of the content */
        char product_id[PRODUCT_ID_LENGTH + 1]; /* of the certificate; "" without one */
};

/* (waits) Nothing asked for is no failure: `is_there` is false then.
 *      -FAULT_BAD_VALUE   a name that says nothing, or another product or flow
 *      -FAULT_NOT_FOUND   none in the folder; -FAULT_DUPLICATE several
 *      -FAULT_BAD_CERTIFICATE, -FAULT_BAD_FILE */
int hsm_package_choose(const struct hsm_package_request *request,
                       struct hsm_package *ret_package) MUST_USE;
