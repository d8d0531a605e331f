#include "tests/support/fake_card.h"

#include "scheduler/bytes.h"
#include "tests/support/card_text.h"
#include "tests/support/test.h"

#include <stdio.h>

const struct card_profile *fake_profile(void)
{
        return card_text_profile();
}

void fake_certificate(unsigned number, struct certificate *ret_certificate)
{
        uint8_t seed[32] = { 0 }, secret[PRIVATE_KEY_LENGTH], bytes[CERTIFICATE_LENGTH];

        store_le32(seed, number);
        memset(bytes, 1, sizeof(bytes));
        memcpy(bytes, "45002001", 8);
        license_chip_key(seed, secret, bytes + 8);
        assert_int_equal(certificate_parse(bytes, sizeof(bytes), NULL, ret_certificate), 0);
}

static int fake_connect(struct reader *reader, uint64_t timeout_ns, uint8_t *ret_atr)
{
        struct fake_card *card = (struct fake_card *)reader;
        uint64_t end_ns = timeout_ns == WAIT_FOREVER ? WAIT_FOREVER : clock_now_ns() + timeout_ns;

        while (card->is_absent) {
                uint64_t now_ns = clock_now_ns();
                int r = waitlist_wait(&card->insertion, end_ns == WAIT_FOREVER ? WAIT_FOREVER
                                                        : end_ns > now_ns      ? end_ns - now_ns
                                                                               : 0);

                if (r < 0)
                        return r;
        }
        card->connects++;
        if (card->is_dead)
                return fault(FAULT_CARD_DEAD, "%s: no answer to reset", reader->name);
        card->is_connected = true;
        memcpy(ret_atr, card->profile.atr, card->profile.atr_length);
        return (int)card->profile.atr_length;
}

static int status(uint8_t *answer, size_t length, unsigned value)
{
        answer[length] = (uint8_t)(value >> 8);
        answer[length + 1] = (uint8_t)value;
        return (int)length + 2;
}

static int fake_info(struct fake_card *card, uint8_t *answer)
{
        int r = fiber_sleep_ns(card->info_ns);

        if (r < 0)
                return r;
        memset(answer, 0, 54);
        answer[0] = card->state;
        answer[1] = 2;
        store_be32(answer + 2, *card->counter);
        store_be32(answer + 6, card->maximum);
        memcpy(answer + 10, card->type, 4);
        memcpy(answer + 14, card->firmware_id, strlen(card->firmware_id));
        store_be32(answer + 46, (uint32_t)(card->serial >> 32));
        store_be32(answer + 50, (uint32_t)card->serial);
        return status(answer, 54, 0x9000);
}

static int fake_license(struct fake_card *card, const uint8_t *apdu, uint8_t *answer)
{
        static const uint8_t key[16] = "key", nonce[12] = "nonce";
        uint8_t entropy[32] = { 0 };
        char type[5] = "SFI";
        struct certificate certificate;
        enum fake_trouble trouble =
                ++card->licenses == card->trouble_at || card->is_always ? card->trouble : FAKE_GOOD;
        int r;

        if (trouble == FAKE_STATUS)
                return status(answer, 0, card->status);
        if (*card->counter == 0)
                return status(answer, 0, 0x6A88);
        if (trouble == FAKE_SILENT_BEFORE || trouble == FAKE_SILENT_AFTER) {
                card->is_dead = true;
                *card->counter -= trouble == FAKE_SILENT_AFTER;
                return fault(FAULT_CARD_DEAD, "%s: silent", card->reader.name);
        }
        --*card->counter;
        r = fiber_sleep_ns(trouble == FAKE_HANGS  ? 3600 * NS_PER_S
                           : trouble == FAKE_SLOW ? 4 * card->license_ns
                                                  : card->license_ns);
        if (r < 0)
                return r;
        if (certificate_parse(apdu + 5, CERTIFICATE_LENGTH, NULL, &certificate) < 0)
                return status(answer, 0, 0x6A80);
        store_le32(entropy, card->licenses);
        store_le32(entropy + 4, (uint32_t)card->serial);
        IGNORE(license_type((const uint8_t *)card->type, type));
        assert_int_equal(license_issue(&certificate, trouble == FAKE_OTHER_TYPE ? "SSP" : type, key,
                                       nonce, entropy, answer),
                         0);
        if (trouble == FAKE_GARBAGE)
                answer[0] ^= 1;
        return status(answer, LICENSE_LENGTH - (trouble == FAKE_SHORT), 0x9000);
}

static int fake_personalize(struct fake_card *card, const uint8_t *apdu, uint8_t *answer)
{
        card->burns++;
        if (card->burn_status == 1) {
                card->is_dead = true;
                return fault(FAULT_CARD_DEAD, "%s: silent", card->reader.name);
        }
        if (card->burn_status)
                return status(answer, 0, card->burn_status);
        card->state = 2;
        *card->counter = card->maximum = load_be32(apdu + 5 + 32);
        memset(card->firmware_id, 0, sizeof(card->firmware_id));
        memcpy(card->firmware_id, apdu + 5 + 36, 32);
        return status(answer, 0, 0x9000);
}

static int fake_transmit(struct reader *reader, const void *apdu, size_t length,
                         uint8_t *ret_answer)
{
        struct fake_card *card = (struct fake_card *)reader;
        const uint8_t *bytes = apdu;
        int r;

        assert_true(length >= 5);
        if (card->is_dead)
                return fault(FAULT_CARD_DEAD, "%s: silent", reader->name);
        if (!card->is_absent && card->is_connected) {
                if (bytes[1] == 0x20)
                        r = fake_license(card, bytes, ret_answer);
                else if (bytes[1] == 0x10)
                        r = fake_info(card, ret_answer);
                else if (bytes[1] == 0x30)
                        r = fake_personalize(card, bytes, ret_answer);
                else
                        r = status(ret_answer, 0, bytes[1] == 0xA4 ? 0x9000 : 0x6D00);
                card->others += bytes[1] != 0x20;
                if (!card->is_absent)
                        return r;
        }
        return fault(FAULT_NO_CARD, "%s: pulled", reader->name);
}

static void fake_disconnect(struct reader *reader)
{
        ((struct fake_card *)reader)->is_connected = false;
}

static void fake_close(struct reader *reader)
{
        ((struct fake_card *)reader)->closed++;
}

static const struct reader_operations operations = { fake_connect, fake_transmit, fake_disconnect,
                                                     fake_close };

void fake_card_init(struct fake_card *card, uint64_t serial, uint32_t count)
{
        *card = (struct fake_card){ .reader = { .operations = &operations, .is_simulated = true },
                                    .profile = { .atr_length = fake_profile()->atr_length },
                                    .own_counter = count,
                                    .maximum = count,
                                    .serial = serial,
                                    .type = "SFI.",
                                    .firmware_id = "TEST_1",
                                    .state = 2,
                                    .license_ns = 1500 * NS_PER_MS,
                                    .info_ns = 20 * NS_PER_MS };
        memcpy(card->profile.atr, fake_profile()->atr, sizeof(card->profile.atr));
        card->counter = &card->own_counter;
        snprintf(card->reader.name, sizeof(card->reader.name), "fake reader %u", (unsigned)serial);
}

void fake_card_pull(struct fake_card *card)
{
        card->is_absent = true;
        card->is_connected = false;
}

void fake_card_insert(struct fake_card *card)
{
        card->is_absent = false;
        waitlist_wake(&card->insertion);
}
