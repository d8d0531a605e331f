/*
 * card_memory.c - the memory of a card held against its own rules, field by field.
 */
#include "drivers/simulated/card_memory.h"

#include "scheduler/bytes.h"

#define MAGIC "GWCARD01"

void card_memory_pad(const char *text, char ret_field[static 4])
{
        memset(ret_field, '.', 4);
        memcpy(ret_field, text, strnlen(text, 4));
}

struct card_memory card_memory_blank(unsigned version, const char *type, uint64_t serial)
{
        struct card_memory memory = { .state = HSM_STATE_OEM, .version = version };

        memcpy(memory.magic, MAGIC, sizeof(memory.magic));
        card_memory_pad(type, memory.type);
        store_be32(memory.serial, (uint32_t)(serial >> 32));
        store_be32(memory.serial + 4, (uint32_t)serial);
        return memory;
}

uint64_t card_memory_serial(const struct card_memory *memory)
{
        return (uint64_t)load_be32(memory->serial) << 32 | load_be32(memory->serial + 4);
}

bool card_memory_is_firmware_id(const char field[static FIRMWARE_ID_MAX])
{
        size_t length = strnlen(field, FIRMWARE_ID_MAX);

        for (size_t i = 0; i < FIRMWARE_ID_MAX; i++)
                if (i < length ? field[i] < 0x20 || field[i] > 0x7E : field[i] != 0)
                        return false;
        return length > 0;
}

bool card_memory_is_product_id(const char field[static PRODUCT_ID_LENGTH])
{
        for (size_t i = 0; i < PRODUCT_ID_LENGTH; i++)
                if (!(field[i] >= '0' && field[i] <= '9') && !(field[i] >= 'A' && field[i] <= 'F'))
                        return false;
        return true;
}

bool card_memory_is_type(const char field[static 4])
{
        size_t length = 0;

        while (length < 4 && field[length] >= 'A' && field[length] <= 'Z')
                length++;
        for (size_t i = length; i < 4; i++)
                if (field[i] != '.')
                        return false;
        return length > 0;
}

static bool is_zero(const void *bytes, size_t length)
{
        const uint8_t *b = bytes;

        for (size_t i = 0; i < length; i++)
                if (b[i])
                        return false;
        return true;
}

static int bad(const char *name, size_t offset, const char *what)
{
        return fault(FAULT_BAD_FILE, "%s, offset %zu: %s; make a card with `gangway hsm blank`",
                     name, offset, what);
}

#define OFFSET(field) offsetof(struct card_memory, field)

/* What PERSONALIZE wrote; looked at only once it was committed. */
static int check_burned(const char *name, const struct card_memory *memory)
{
        if (memory->counter > memory->maximum || memory->maximum == 0)
                return bad(name, OFFSET(counter), "the counter is not within its maximum");
        if (!is_zero(memory->iv + SFI_NONCE_LENGTH, sizeof(memory->iv) - SFI_NONCE_LENGTH))
                return bad(name, OFFSET(iv) + SFI_NONCE_LENGTH,
                           "the last 4 bytes of the IV are not zero");
        if (!card_memory_is_firmware_id(memory->firmware_id))
                return bad(name, OFFSET(firmware_id), "the firmware identifier is not a text");
        if (memory->version == 1)
                return 0;
        if (!card_memory_is_product_id(memory->product_id))
                return bad(name, OFFSET(product_id), "the product id is not 8 digits");
        if (!card_memory_is_type(memory->flow))
                return bad(name, OFFSET(flow), "the flow is not capitals padded with dots");
        return 0;
}

static int check(const char *name, const struct card_memory *memory)
{
        if (memcmp(memory->magic, MAGIC, sizeof(memory->magic)) != 0)
                return bad(name, 0, "it does not begin with " MAGIC);
        if (memory->state >= HSM_STATE_UNKNOWN)
                return bad(name, OFFSET(state), "the state is none of 0, 1, 2");
        if (memory->version != 1 && memory->version != 2)
                return bad(name, OFFSET(version), "the version is neither 1 nor 2");
        if (!card_memory_is_type(memory->type))
                return bad(name, OFFSET(type), "the type is not capitals padded with dots");
        if (!is_zero(memory->zero, sizeof(memory->zero)))
                return bad(name, OFFSET(zero), "the last 8 bytes are not zero");
        return memory->state == HSM_STATE_OPERATIONAL ? check_burned(name, memory) : 0;
}

int card_memory_parse(const char *name, const void *data, size_t length,
                      struct card_memory *ret_memory)
{
        struct card_memory memory;
        int r;

        if (length != CARD_MEMORY_LENGTH)
                return fault(FAULT_BAD_FILE,
                             "%s has %zu bytes, a simulated card has %u; make one with `gangway "
                             "hsm blank`",
                             name, length, CARD_MEMORY_LENGTH);
        memcpy(&memory, data, sizeof(memory));
        r = check(name, &memory);
        if (r >= 0)
                *ret_memory = memory;
        wipe(&memory, sizeof(memory));
        return r < 0 ? r : 0;
}
