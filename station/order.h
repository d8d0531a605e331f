/*
 * order.h - what the MES wants: one YAML document (libyaml); gangway-order(5), configs/orders/.
 *
 *   order: DEMO-0001            # identifier, [A-Za-z0-9._-]{1,63}
 *   part: STM32H753XI           # shown; the family decides what is checked
 *   family: STM32H75x
 *   quantity: 64                # good units wanted, 1..1000000
 *   image:
 *     file: blinky.sfi          # from the order's directory, or absolute; no ".."
 *     sha256: 64 hex digits
 *   firmware_id: BLINKY_1       # identifier on the card
 *   license:                    # optional; a chip license of type SFI from a card when left out
 *     source: card              # card | server | file (imported before) | global
 *     type: SFI                 # SFI | SFIA
 *     file: global.bin          # global only: ST's "global license", for any chip of the family
 *   modules:                    # optional, at most 8: licenses each unit needs besides
 *     - firmware_id: STACK_1
 *       type: SMU
 *   module_list: modules.mcsv   # the vendor's tool only: the list such an image was made with
 *   external_loader: x.stldr    # when the image holds external firmware; named as the image is
 *   retries: 1                  # further attempts on the same unit, 0..5; 1 when left out
 *   erase: interrupted          # never | interrupted (when left out) | always
 *   due: 2026-12-01             # optional
 *   operator: line 3            # optional
 */
#pragma once

#include "crypto/sfi.h"
#include "scheduler/base.h"
#include "scheduler/bytes.h"
#include "scheduler/fault.h"
#include "station/ledger.h"

#define ORDER_FILE_MAX (64u << 10)
#define ORDER_ID_MAX   63u

enum erase_rule {
        ERASE_NEVER,       /* a unit whose flash is not blank is rejected */
        ERASE_INTERRUPTED, /* erase only what an earlier attempt of ours left there */
        ERASE_ALWAYS,
};

#define ORDER_MODULES_MAX 8u
/* What one unit can need: the image's and one a module. */
#define INSTALL_LICENSES_MAX (1 + ORDER_MODULES_MAX)

struct order_license {
        enum license_source source;
        char type[5];
        char file[512]; /* resolved; "" unless global */
        unsigned line;  /* where it stands; 0 left out */
};

struct order_module {
        char firmware_id[33];
        char type[5];
        unsigned line;
};

struct order {
        char id[ORDER_ID_MAX + 1];
        char part[32];
        char family[24];
        uint32_t quantity;
        char image_file[512]; /* resolved */
        uint8_t image_digest[32];
        char firmware_id[33];
        struct order_license license;
        struct order_module modules[ORDER_MODULES_MAX];
        unsigned module_count;
        char module_list[512];     /* resolved; "": none */
        char external_loader[512]; /* resolved; "": none */
        unsigned retries;
        enum erase_rule erase;
        char due[32];
        char operator_name[64];
        uint8_t digest[32]; /* SHA-256 of the order's text */
        unsigned family_line, file_line, digest_line, loader_line,
                list_line; /* where they stand, for later refusals */
};

/* Where an order is wrong, as the .err file says it. */
struct order_error {
        char code[24]; /* fault name, "BAD_VALUE" */
        unsigned line; /* 0: the file as a whole */
        char sentence[256];
        char remedy[256];
};

/* Fill `ret_error` and report the fault as "line N: sentence; remedy". */
int order_refuse(struct order_error *ret_error, enum fault code, unsigned line, const char *remedy,
                 const char *format, ...) PRINTF_LIKE(5, 6);

/* Read the text. `directory` resolves relative file names. Never opens the image.
 *      -FAULT_BAD_FILE, -FAULT_BAD_VALUE, -FAULT_TOO_LARGE; `ret_error` is filled */
int order_parse(const void *text, size_t length, const char *directory, struct order *ret_order,
                struct order_error *ret_error) MUST_USE;

/* Open the image, compare digest, parse, check against the family: device, flash ranges, part
 * sizes, number of option rows, as many M areas as modules are ordered (waits: reads through the
 * ring, hashes on `workers`, NULL in place).
 * `rss` NULL: the vendor's tool installs, its rooms and rows are its own, and order_load_modules() tells
 * of modules. The same goes for `rss` below.
 * `ret_sfi` is given to the caller.
 *      -FAULT_NOT_FOUND, -FAULT_BAD_TAG (digest), -FAULT_BAD_FILE, -FAULT_BAD_VALUE, -FAULT_NO_ROOM
 */
struct family;
struct rss_profile;
struct workers;
int order_load_image(const struct order *order, const struct family *family,
                     const struct rss_profile *rss, struct workers *workers, struct sfi **ret_sfi,
                     struct order_error *ret_error) MUST_USE;

/* Read the external loader, if the order names one, and check that it and the image's external areas
 * belong together (waits). `ret_loader` is zeroed when none is named; loader_free() it.
 *      -FAULT_BAD_VALUE  external areas without a loader, a loader without any, or for another memory
 *      -FAULT_NOT_FOUND, -FAULT_TOO_LARGE, -FAULT_BAD_FILE */
struct loader;
int order_load_loader(const struct order *order, const struct sfi *sfi, struct loader *ret_loader,
                      struct order_error *ret_error) MUST_USE;

/* What one row of a module list names. */
struct module_file {
        struct bytes module;
        struct bytes license; /* a file that serves any part; empty: one from the ledger */
        unsigned wanted;      /* that of order.modules[wanted], then */
        char ending[16];      /* of the module's name, ".smu"; the tool may look at it */
        uint32_t address;
};

struct module_files {
        struct module_file *files;
        size_t count;
};

/* Read the module list, if the order names one, with the files it names (waits). A row's second column is
 * the firmware identifier of an entry of modules, whose license is then asked for as ever, or else a
 * license file (crypto/modules.h). module_files_free() them.
 *      -FAULT_BAD_VALUE  a list for our own installer, modules without a list, a list that is not the
 *                        image's, a row without license
 *      -FAULT_NOT_FOUND, -FAULT_TOO_LARGE, -FAULT_BAD_FILE */
int order_load_modules(const struct order *order, const struct family *family,
                       const struct rss_profile *rss, const struct sfi *sfi,
                       struct module_files *ret_modules, struct order_error *ret_error) MUST_USE;

/* Wipes the licenses. For CLEANUP(module_files_free). */
void module_files_free(struct module_files *modules);

/* Can the station give licenses from where the order wants them? The global license it names is read
 * (waits): for our own installer it is opened to see that it is one; what ST's looks like is not public,
 * so for the tool it is any file of up to 4 KiB but one of ours. `ret_digest` is its SHA-256, 64
 * hexadecimal digits, "" for other sources. The caller wipes and frees.
 *      -FAULT_BAD_VALUE  no license server, or the part takes no global license
 *      -FAULT_NOT_FOUND, -FAULT_TOO_LARGE, -FAULT_BAD_FILE */
int order_load_license(const struct order *order, const struct family *family,
                       const struct rss_profile *rss, bool has_server, struct bytes *ret_license,
                       char ret_digest[static 65], struct order_error *ret_error) MUST_USE;

/* Module licenses come from where the image's does; beside a global one, from cards. */
static inline enum license_source order_module_source(const struct order *order)
{
        return order->license.source == LICENSE_GLOBAL ? LICENSE_FROM_CARD : order->license.source;
}
