/*
 * smi.c - take a module apart; its key is the module maker's, so nothing more can be done.
 */
#include "crypto/smi.h"

#include "scheduler/bytes.h"

#define MAGIC              "SMIMAGIC"
#define DESTINATION_OFFSET 8
#define LENGTH_OFFSET      12
#define TAG_OFFSET         16
#define VERSION_OFFSET     32

int smi_parse(const char *name, const void *file, size_t length, struct smi *ret_smi)
{
        const uint8_t *bytes = file;
        struct smi smi;

        if (length < SMI_HEADER_LENGTH || length > SMI_FILE_MAX)
                return fault(FAULT_BAD_FILE, "%s: %zu bytes, an .smi has %u to %u", name, length,
                             SMI_HEADER_LENGTH, SMI_FILE_MAX);
        if (memcmp(bytes, MAGIC, strlen(MAGIC)) != 0)
                return fault(FAULT_BAD_FILE, "%s offset 0: the magic is not \"" MAGIC "\"", name);
        smi.destination = load_le32(bytes + DESTINATION_OFFSET);
        smi.code_length = load_le32(bytes + LENGTH_OFFSET);
        if (smi.code_length != length - SMI_HEADER_LENGTH)
                return fault(FAULT_BAD_FILE,
                             "%s offset %u: %u bytes of code are announced, %zu follow the header",
                             name, LENGTH_OFFSET, smi.code_length, length - SMI_HEADER_LENGTH);
        if (!smi.code_length)
                return fault(FAULT_BAD_FILE, "%s offset %u: the module holds no code", name,
                             LENGTH_OFFSET);
        if (smi.destination > UINT32_MAX - smi.code_length)
                return fault(FAULT_BAD_FILE,
                             "%s offset %u: 0x%X bytes at 0x%08X reach beyond the address space",
                             name, DESTINATION_OFFSET, smi.code_length, smi.destination);
        memcpy(smi.tag, bytes + TAG_OFFSET, sizeof(smi.tag));
        for (size_t i = 0; i < SMI_VERSION_WORDS; i++)
                smi.security_version[i] = load_le32(bytes + VERSION_OFFSET + 4 * i);
        smi.code = bytes + SMI_HEADER_LENGTH;
        *ret_smi = smi;
        return 0;
}
