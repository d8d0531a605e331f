/*
 * bytes.c - owned byte buffers, wiping, hexadecimal.
 */
#include "scheduler/bytes.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/* From here on fresh pages are asked for as huge ones: touching small ones costs more than the cipher
 * (limits.md). An image of 60 MiB is made in 0.22 instead of 0.30 s so. */
#define HUGE_LENGTH ((size_t)4 << 20)
#define PAGE        ((uintptr_t)4096)

/* All pages of the block, also the one that malloc's own words lie in: a block of which only a part has
 * the advice could not be remapped by realloc(). Advice: a kernel that does not take it is no fault. */
static void ask_for_huge_pages(const struct bytes *bytes)
{
        uintptr_t begin = (uintptr_t)bytes->data / PAGE * PAGE;
        uintptr_t end = ((uintptr_t)bytes->data + bytes->length + PAGE) / PAGE * PAGE;

        if (bytes->length >= HUGE_LENGTH)
                (void)madvise((void *)begin, end - begin, MADV_HUGEPAGE);
}

struct bytes bytes_new(size_t length)
{
        struct bytes bytes = { .length = length };

        INSIST(length < SIZE_MAX);
        bytes.data = calloc(length + 1, 1);
        INSIST(bytes.data);
        ask_for_huge_pages(&bytes);
        return bytes;
}

struct bytes bytes_copy(const void *data, size_t length)
{
        struct bytes bytes = bytes_new(length);

        if (length)
                memcpy(bytes.data, data, length);
        return bytes;
}

/* realloc() of the C library remaps a large block (mremap(2)). */
void bytes_grow(struct bytes *bytes, size_t length)
{
        size_t before = bytes->length;

        INSIST(length >= before && length < SIZE_MAX);
        bytes->data = realloc(bytes->data, length + 1);
        INSIST(bytes->data);
        bytes->length = length;
        memset(bytes->data + before, 0, length + 1 - before);
}

void bytes_free(struct bytes *bytes)
{
        free(bytes->data);
        *bytes = (struct bytes){ 0 };
}

void bytes_wipe_free(struct bytes *bytes)
{
        if (bytes->data)
                wipe(bytes->data, bytes->length);
        bytes_free(bytes);
}

void secrets_stay_inside(void)
{
        struct rlimit none = { 0, 0 };

        (void)setrlimit(RLIMIT_CORE, &none);
        (void)prctl(PR_SET_DUMPABLE, 0);
}

void wipe(void *data, size_t length)
{
        if (length)
                explicit_bzero(data, length);
}

/* Reads every byte whatever it finds; volatile so that no compiler learns to stop early. */
bool equal_secret(const void *a, const void *b, size_t length)
{
        const volatile uint8_t *x = a, *y = b;
        uint8_t difference = 0;

        for (size_t i = 0; i < length; i++)
                difference |= (uint8_t)(x[i] ^ y[i]);
        return difference == 0;
}

char *hex_encode(const void *data, size_t length, char *text)
{
        static const char digits[] = "0123456789ABCDEF";
        const uint8_t *b = data;

        for (size_t i = 0; i < length; i++) {
                text[2 * i] = digits[b[i] >> 4];
                text[2 * i + 1] = digits[b[i] & 15];
        }
        text[2 * length] = '\0';
        return text;
}

static int digit_value(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'A' && c <= 'F')
                return c - 'A' + 10;
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        return -1;
}

bool hex_decode(const char *text, void *data, size_t length)
{
        uint8_t *b = data;

        /* A text that ends early fails at its zero byte, so nothing beyond it is read. */
        for (size_t i = 0; i < length; i++) {
                int high = digit_value(text[2 * i]);
                int low = high < 0 ? -1 : digit_value(text[2 * i + 1]);

                if (low < 0)
                        return false;
                b[i] = (uint8_t)(high << 4 | low);
        }
        return text[2 * length] == '\0';
}
