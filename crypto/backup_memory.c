/*
 * backup_memory.c - the backup memory of an STM32MP2 and its reference container.
 *
 * The memory is kept as it lies in the chip with a mark on every byte that was given; sections of
 * the file are the runs of such bytes. The mark costs little and makes overlap a question of one
 * loop.
 */
#include "crypto/backup_memory.h"

#include "crypto/digest.h"

#include <stdlib.h>

#define MAGIC          "GWMP2BAK"
#define VERSION        1u
#define COUNT_OFFSET   12
#define HEAD_LENGTH    16u
#define SECTION_LENGTH 12u

struct view {
        uint8_t *data;
        bool *has;
        size_t length;
};

static struct view view_of(struct backup_memory *memory, enum backup_kind kind)
{
        if (kind == BACKUP_REGISTER)
                return (struct view){ memory->registers, memory->has_register,
                                      sizeof(memory->registers) };
        return (struct view){ memory->sram, memory->has_sram, sizeof(memory->sram) };
}

int backup_memory_set(struct backup_memory *memory, const char *source, enum backup_kind kind,
                      uint32_t offset, const void *data, size_t length)
{
        struct view view = view_of(memory, kind);
        const char *name = kind == BACKUP_REGISTER ? "backup registers" : "backup SRAM";

        if (!length || offset > view.length || length > view.length - offset)
                return fault(FAULT_BAD_VALUE,
                             "%s: %zu bytes at offset 0x%X, the %s have 0x%zX bytes", source,
                             length, offset, name, view.length);
        if (kind == BACKUP_REGISTER && (offset % 4 || length % 4))
                return fault(FAULT_BAD_VALUE, "%s: half a backup register", source);
        for (size_t i = 0; i < length; i++)
                if (view.has[offset + i])
                        return fault(FAULT_BAD_VALUE, "%s: offset 0x%zX of the %s is given twice",
                                     source, offset + i, name);
        memcpy(view.data + offset, data, length);
        memset(view.has + offset, true, length);
        return 0;
}

size_t backup_memory_count(const struct backup_memory *memory, enum backup_kind kind)
{
        bool is_register = kind == BACKUP_REGISTER;
        const bool *has = is_register ? memory->has_register : memory->has_sram;
        size_t length = is_register ? sizeof(memory->registers) : sizeof(memory->sram), count = 0;

        for (size_t i = 0; i < length; i++)
                count += has[i];
        return count;
}

/* Append the runs of a kind at `at`; returns their end. */
static uint8_t *append_runs(const uint8_t *data, const bool *has, size_t length,
                            enum backup_kind kind, uint8_t *at, uint32_t *count)
{
        for (size_t i = 0; i < length;) {
                size_t end = i;

                while (end < length && has[end])
                        end++;
                if (end == i) {
                        i++;
                        continue;
                }
                store_le32(at, kind);
                store_le32(at + 4, (uint32_t)i);
                store_le32(at + 8, (uint32_t)(end - i));
                memcpy(at + SECTION_LENGTH, data + i, end - i);
                at += SECTION_LENGTH + (end - i);
                (*count)++;
                i = end;
        }
        return at;
}

struct bytes backup_memory_build(const struct backup_memory *memory)
{
        struct bytes file = bytes_new(BACKUP_FILE_MAX);
        uint8_t *at = file.data + HEAD_LENGTH;
        uint32_t count = 0;

        memcpy(file.data, MAGIC, strlen(MAGIC));
        store_le32(file.data + strlen(MAGIC), VERSION);
        at = append_runs(memory->registers, memory->has_register, sizeof(memory->registers),
                         BACKUP_REGISTER, at, &count);
        at = append_runs(memory->sram, memory->has_sram, sizeof(memory->sram), BACKUP_SRAM, at,
                         &count);
        store_le32(file.data + COUNT_OFFSET, count);
        digest_sha256(file.data, (size_t)(at - file.data), at);
        file.length = (size_t)(at - file.data) + DIGEST_LENGTH;
        return file;
}

static int head_check(const char *name, const uint8_t *bytes, size_t length)
{
        uint8_t digest[DIGEST_LENGTH];

        if (length < HEAD_LENGTH + DIGEST_LENGTH || length > BACKUP_FILE_MAX ||
            memcmp(bytes, MAGIC, strlen(MAGIC)) != 0)
                return fault(FAULT_BAD_FILE,
                             "%s: not a backup memory file of the reference layout (\"" MAGIC "\")",
                             name);
        if (load_le32(bytes + strlen(MAGIC)) != VERSION)
                return fault(FAULT_BAD_FILE, "%s offset %zu: version %u, wanted %u", name,
                             strlen(MAGIC), load_le32(bytes + strlen(MAGIC)), VERSION);
        digest_sha256(bytes, length - DIGEST_LENGTH, digest);
        if (memcmp(digest, bytes + length - DIGEST_LENGTH, DIGEST_LENGTH) != 0)
                return fault(FAULT_BAD_FILE, "%s: the SHA-256 at its end does not match", name);
        return 0;
}

static int take_sections(const char *name, const uint8_t *bytes, size_t end,
                         struct backup_memory *memory)
{
        size_t at = HEAD_LENGTH;

        for (uint32_t left = load_le32(bytes + COUNT_OFFSET); left; left--) {
                uint32_t kind, length;
                int r;

                if (end - at < SECTION_LENGTH)
                        return fault(FAULT_BAD_FILE, "%s offset %zu: a section is cut", name, at);
                kind = load_le32(bytes + at);
                length = load_le32(bytes + at + 8);
                if ((kind != BACKUP_REGISTER && kind != BACKUP_SRAM) ||
                    length > end - at - SECTION_LENGTH)
                        return fault(FAULT_BAD_FILE,
                                     "%s offset %zu: section of kind %u with %u bytes, wanted kind "
                                     "1 or 2 and bytes within the file",
                                     name, at, kind, length);
                r = backup_memory_set(memory, name, (enum backup_kind)kind,
                                      load_le32(bytes + at + 4), bytes + at + SECTION_LENGTH,
                                      length);
                if (r < 0)
                        return r;
                at += SECTION_LENGTH + length;
        }
        if (at != end)
                return fault(FAULT_BAD_FILE, "%s offset %zu: %zu bytes after the last section",
                             name, at, end - at);
        return 0;
}

static void memory_free(struct backup_memory **memory)
{
        backup_memory_wipe(*memory);
        free(*memory);
}

int backup_memory_parse(const char *name, const void *file, size_t length,
                        struct backup_memory *ret_memory)
{
        struct backup_memory *parsed CLEANUP(memory_free) = calloc(1, sizeof(*parsed));
        int r;

        INSIST(parsed);
        r = head_check(name, file, length);
        if (r == 0)
                r = take_sections(name, file, length - DIGEST_LENGTH, parsed);
        if (r == 0)
                *ret_memory = *parsed;
        return r;
}

void backup_memory_wipe(struct backup_memory *memory)
{
        wipe(memory, sizeof(*memory));
}
