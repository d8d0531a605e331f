/*
 * card.c - the reader seam: one line a call, and the two promises every implementation must keep.
 */
#include "drivers/card.h"

int reader_connect(struct reader *reader, uint64_t timeout_ns, uint8_t ret_atr[static ATR_MAX])
{
        int r = reader->operations->connect(reader, timeout_ns, ret_atr);

        INSIST(r < 0 || (unsigned)r <= ATR_MAX);
        return r;
}

/* An answer without its two status bytes is no answer. */
int reader_transmit(struct reader *reader, const void *apdu, size_t length,
                    uint8_t ret_answer[static APDU_ANSWER_MAX])
{
        int r;

        INSIST(length >= 4 && length <= APDU_MAX);
        r = reader->operations->transmit(reader, apdu, length, ret_answer);
        INSIST(r < 0 || (unsigned)r <= APDU_ANSWER_MAX);
        if (r >= 0 && r < 2)
                return fault(FAULT_CARD_DEAD, "the card in %s answered %d byte(s), a status has 2",
                             reader->name, r);
        return r;
}

void reader_disconnect(struct reader *reader)
{
        reader->operations->disconnect(reader);
}

const char *reader_name(const struct reader *reader)
{
        return reader->name;
}

struct reader *reader_close(struct reader *reader)
{
        if (reader)
                reader->operations->close(reader);
        return NULL;
}
