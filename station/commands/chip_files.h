/*
 * chip_files.h - certificates of chips, and licenses beside them, from files: for import and ahead.
 *
 * In a directory a chip is NAME.certificate.bin and NAME.license.bin.
 */
#pragma once

#include "crypto/certificate.h"
#include "station/commands/options.h"

#define CHIP_FILES_MAX 100000u

struct chip_file {
        char *certificate, *license; /* license NULL: not wanted */
};

struct chip_files {
        struct chip_file *rows;
        size_t count, capacity;
};

/* Read and check one certificate, of this product unless it is NULL; the sentence names the file
 * (waits).
 *      -FAULT_BAD_CERTIFICATE, and as file_read */
int chip_certificate_read(const char *path, const char *product_id,
                          struct certificate *ret_certificate) MUST_USE;

/* What licenses are asked or imported for; "SFI" and "" where an option was not given. */
struct chip_purpose {
        const char *firmware_id, *type, *order;
};

/* All that licenses import and licenses ahead are given: (CERTIFICATE [LICENSE]) ..., --directory,
 * the purpose, --station and --json. */
struct chip_request {
        bool has_licenses; /* set before: a license stands behind each certificate */
        const char *station_file;
        struct chip_purpose purpose;
        struct chip_files files;
        bool is_json;
};

/* Read it from the command line; directories are looked into (waits).
 *      -FAULT_BAD_VALUE  no chip, a certificate alone, a purpose that cannot be
 *      -FAULT_NOT_FOUND  no directory, or no certificate in it
 *      -FAULT_TOO_LARGE  more than CHIP_FILES_MAX chips */
int chip_request_read(int argc, char **argv, struct chip_request *request) MUST_USE;

/* For CLEANUP. */
void chip_request_release(struct chip_request *request);
