/*
 * Any bytes as a capture: taken apart, put together as exchanges, each said in words. What is borrowed
 * from the file must lie in it.
 */
#include "tests/support/fuzz.h"

#include "drivers/capture_exchange.h"
#include "drivers/stlink_words.h"

#include <stdlib.h>

static void check_inside(const uint8_t *data, size_t length, const void *at, size_t part)
{
        uintptr_t from = (uintptr_t)data, to = (uintptr_t)at;

        if (part)
                INSIST(to >= from && to - from <= length && part <= length - (to - from));
}

static void check_exchange(const uint8_t *data, size_t length,
                           const struct capture_exchange *exchange)
{
        char text[64];

        check_inside(data, length, exchange->data, exchange->data_length);
        check_inside(data, length, exchange->before.data, exchange->before.length);
        check_inside(data, length, exchange->after.data, exchange->after.length);
        stlink_words_format(exchange->command, text, sizeof(text));
        INSIST(text[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
        struct capture capture;
        struct capture_exchanges exchanges;

        if (capture_parse("fuzz", data, length, &capture) < 0)
                return 0;
        INSIST(memchr(capture.about.comment, '\0', sizeof(capture.about.comment)));
        for (size_t i = 0; i < capture.count; i++)
                check_inside(data, length, capture.packets[i].data, capture.packets[i].data_length);
        capture_exchanges(&capture, &exchanges);
        INSIST(exchanges.count <= capture.count);
        for (size_t i = 0; i < exchanges.count; i++)
                check_exchange(data, length, &exchanges.items[i]);
        capture_exchanges_free(&exchanges);
        capture_free(&capture);
        return 0;
}
