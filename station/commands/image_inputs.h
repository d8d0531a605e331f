/*
 * image_inputs.h - the files an image is made of, read and taken apart, not yet checked together.
 */
#pragma once

#include "crypto/firmware.h"
#include "crypto/key_areas.h"
#include "drivers/family.h"

#define IMAGE_EXTERNALS_MAX 32u
#define IMAGE_BLOBS_MAX     128u

/* One -firx: its segments, and the OTFDEC region that will decipher them (AN5054 2.3). */
struct image_external {
        struct firmware firmware;
        const char *path; /* borrowed */
        uint32_t region, mode, key_address;
};

/* What is carried verbatim: a module (M), or a file in a reference area (O, S). */
struct image_blob {
        char type;
        uint32_t address;
        uint32_t span; /* bytes of flash from `address` that it will take; 0: none or not known */
        char path[256];
        struct bytes data;
};

struct image_inputs {
        struct firmware firmware; /* internal */
        struct image_external externals[IMAGE_EXTERNALS_MAX];
        size_t external_count;
        const char *key_file; /* the .kcsv, borrowed; NULL: none */
        struct key_areas key_areas;
        struct image_blob blobs[IMAGE_BLOBS_MAX];
        size_t blob_count;
        struct bytes options; /* the C area; empty: none */
};

/* Zeroed, on the heap: it is large. */
struct image_inputs *image_inputs_create(void);

/* For CLEANUP(image_inputs_free): wipes what may be secret (.obk files hold keys). */
void image_inputs_free(struct image_inputs **inputs);

/* Each reads a file (waits) and names it in its sentence. */
int image_inputs_firmware(struct image_inputs *inputs, const char *path, bool has_address,
                          uint32_t address) MUST_USE;
/* `numbers` after the file: address, region, mode, key address; for other forms than BIN the
 * address stands in the file and may be left away. */
int image_inputs_external(struct image_inputs *inputs, const char *path, const uint32_t *numbers,
                          size_t count) MUST_USE;
int image_inputs_keys(struct image_inputs *inputs, const char *path) MUST_USE;
int image_inputs_module(struct image_inputs *inputs, const char *path, bool has_address,
                        uint32_t address) MUST_USE;
int image_inputs_modules(struct image_inputs *inputs, const char *path) MUST_USE;
int image_inputs_option_key(struct image_inputs *inputs, const struct family *family,
                            const char *path) MUST_USE;
int image_inputs_ssfi(struct image_inputs *inputs, const char *path) MUST_USE;
int image_inputs_options(struct image_inputs *inputs, const struct family *family,
                         const char *path) MUST_USE;
