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

/* Add one; copied. `license` may be NULL. -FAULT_TOO_LARGE beyond CHIP_FILES_MAX */
int chip_files_add(struct chip_files *files, const char *certificate, const char *license) MUST_USE;

/* Add every chip of a directory, by name; whether its license is there is seen when it is read.
 *      -FAULT_NOT_FOUND  no directory, or no certificate in it */
int chip_files_add_directory(struct chip_files *files, const char *directory,
                             bool has_licenses) MUST_USE;

/* For CLEANUP. */
void chip_files_release(struct chip_files *files);

/* Read and check one certificate; the sentence names the file (waits).
 *      -FAULT_BAD_CERTIFICATE, and as file_read */
int chip_certificate_read(const char *path, struct certificate *ret_certificate) MUST_USE;

/* What licenses are asked or imported for; "SFI" and "" where an option was not given. */
struct chip_purpose {
        const char *firmware_id, *type, *order;
};

/* Rows of a command for them. */
/* clang-format off */
#define PURPOSE_ARGUMENTS(purpose)                          \
        { "firmware-id", .text = &(purpose)->firmware_id }, \
        { "type", .text = &(purpose)->type },               \
        { "lot", .text = &(purpose)->order }
/* clang-format on */

/* Fill in what was not given, refuse what cannot be. -FAULT_BAD_VALUE */
int chip_purpose_check(struct chip_purpose *purpose) MUST_USE;
