/*
 * external_image.h - an image with firmware for the memory outside, on a line (line.h), for tests.
 *
 * Firmware in flash, a key for the OTFDEC (a file of its own, or random by a K area), external firmware
 * cut over two parts, and option bytes that leave debug access. Beside it the external loader.
 */
#pragma once

#include "tests/support/line.h"

#include "drivers/simulated/part.h"

#define EXTERNAL_FIRST_LENGTH  20000u /* of the external area in the second part of the image */
#define EXTERNAL_SECOND_LENGTH 5003u  /* of that in the third, right behind it */
#define EXTERNAL_LENGTH        (EXTERNAL_FIRST_LENGTH + EXTERNAL_SECOND_LENGTH)

struct external_image {
        const char *family, *rss;
        uint32_t external, region, mode, key_address;
        uint32_t ram;            /* of the loader; 0: 0x24000000 */
        uint32_t loader_address; /* of the memory it is for; 0: `external` */
        bool has_key_area, has_no_key;
        bool closes;           /* the option bytes take debug access: a product state */
        bool has_options_part; /* the option bytes come after all external data, in a part of their own */
};

extern const struct external_image external_h7a3, external_h7a3_second, external_h73x, external_l5,
        external_u545, external_u585, external_u5ax, external_u5gx, external_h533, external_h573;

/* The line is for that family and image from now on: image.sfi and x.stldr in its directory. */
void external_image_make(const struct external_image *image, struct line *line);

/* Drop an order for it, with further YAML lines. */
void external_image_order(struct line *line, unsigned quantity, const char *more);

/* EXTERNAL_LENGTH bytes, as they were before they were sealed. */
const uint8_t *external_image_plain(void);

/* Is it in the memory outside, enciphered with the key that is in the part's flash, and nothing behind? */
bool external_image_is_in(const struct external_image *image, const struct family *family,
                          const struct simulated_part *part);
