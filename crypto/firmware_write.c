/*
 * firmware_write.c - Intel HEX by hand, ELF by libelf into a file that only exists in memory, so that
 * plain firmware never touches a disk but where it was asked for.
 */
#include "crypto/firmware_write.h"

#include <errno.h>
#include <libelf.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* --- Intel HEX ----------------------------------------------------------------------------- */

#define RECORD_DATA     0u
#define RECORD_END      1u
#define RECORD_UPPER    4u
#define RECORD_LENGTH   16u
#define RECORD_TEXT_MAX (1 + 2 * (4 + RECORD_LENGTH + 1) + 1) /* ":", bytes, LF */

static void put_record(struct bytes *text, unsigned kind, uint32_t offset, const uint8_t *data,
                       size_t length)
{
        uint8_t record[4 + RECORD_LENGTH + 1] = { (uint8_t)length, (uint8_t)(offset >> 8),
                                                  (uint8_t)offset, (uint8_t)kind };
        uint8_t sum = 0;

        memcpy(record + 4, data, length);
        for (size_t i = 0; i < 4 + length; i++)
                sum = (uint8_t)(sum + record[i]);
        record[4 + length] = (uint8_t)-sum;
        text->data[text->length++] = ':';
        hex_encode(record, 5 + length, (char *)text->data + text->length);
        text->length += 2 * (5 + length);
        text->data[text->length++] = '\n';
        wipe(record, sizeof(record));
}

/* Records end where their line of 16 ends, so that files of one firmware compare. */
static void put_piece(struct bytes *text, const struct firmware_piece *piece, uint32_t *upper)
{
        for (size_t at = 0; at < piece->length;) {
                uint32_t address = piece->address + (uint32_t)at;
                size_t length = RECORD_LENGTH - address % RECORD_LENGTH;

                if (length > piece->length - at)
                        length = piece->length - at;
                if (address >> 16 != *upper) {
                        *upper = address >> 16;
                        put_record(text, RECORD_UPPER, 0,
                                   (const uint8_t[]){ (uint8_t)(*upper >> 8), (uint8_t)*upper }, 2);
                }
                put_record(text, RECORD_DATA, address & 0xFFFF, (const uint8_t *)piece->data + at,
                           length);
                at += length;
        }
}

struct bytes firmware_write_hex(const struct firmware_piece *pieces, size_t count)
{
        uint32_t upper = 0; /* what a reader begins with */
        size_t records = 1;
        struct bytes text;

        for (size_t i = 0; i < count; i++)
                records += pieces[i].length / RECORD_LENGTH + 4 + pieces[i].length / 0x10000;
        text = bytes_new(records * RECORD_TEXT_MAX);
        text.length = 0;
        for (size_t i = 0; i < count; i++)
                put_piece(&text, &pieces[i], &upper);
        put_record(&text, RECORD_END, 0, (const uint8_t *)"", 0);
        text.data[text.length] = 0;
        return text;
}

/* --- ELF ----------------------------------------------------------------------------------- */

#define SEGMENTS_MAX 0xFFF0u /* e_phnum has 16 bits, 0xFFFF means otherwise */

static int elf_fault(void)
{
        return fault(FAULT_SYSTEM, "libelf: %s", elf_errmsg(-1));
}

/* Where a segment's bytes stand in the file: behind the headers, on words of 16. */
static size_t place(size_t at)
{
        return (at + 15) / 16 * 16;
}

static int put_headers(Elf *elf, const struct firmware_piece *pieces, size_t count, size_t *ret_end)
{
        size_t at = sizeof(Elf32_Ehdr) + count * sizeof(Elf32_Phdr);
        Elf32_Ehdr *header = elf32_newehdr(elf);
        Elf32_Phdr *segments = header ? elf32_newphdr(elf, count) : NULL;

        if (!segments)
                return elf_fault();
        header->e_ident[EI_DATA] = ELFDATA2LSB;
        header->e_type = ET_EXEC;
        header->e_machine = EM_ARM;
        header->e_version = EV_CURRENT;
        header->e_phoff = sizeof(Elf32_Ehdr);
        for (size_t i = 0; i < count; i++) {
                at = place(at);
                segments[i] = (Elf32_Phdr){ .p_type = PT_LOAD,
                                            .p_offset = (Elf32_Off)at,
                                            .p_vaddr = pieces[i].address,
                                            .p_paddr = pieces[i].address,
                                            .p_filesz = (Elf32_Word)pieces[i].length,
                                            .p_memsz = (Elf32_Word)pieces[i].length,
                                            .p_flags = PF_R | PF_X,
                                            .p_align = 1 };
                at += pieces[i].length;
        }
        *ret_end = at;
        return 0;
}

/* libelf writes headers and segment table; the segments' bytes have no section and are ours. */
static int write_headers(int file, const struct firmware_piece *pieces, size_t count,
                         size_t *ret_end)
{
        Elf *elf;
        int r;

        if (elf_version(EV_CURRENT) == EV_NONE)
                return elf_fault();
        elf = elf_begin(file, ELF_C_WRITE, NULL);
        if (!elf)
                return elf_fault();
        elf_flagelf(elf, ELF_C_SET, ELF_F_LAYOUT);
        r = put_headers(elf, pieces, count, ret_end);
        if (r >= 0 && elf_update(elf, ELF_C_WRITE) < 0)
                r = elf_fault();
        elf_end(elf);
        return r;
}

static int read_headers(int file, const struct firmware_piece *pieces, size_t count, size_t end,
                        struct bytes *ret_file)
{
        size_t headers = sizeof(Elf32_Ehdr) + count * sizeof(Elf32_Phdr), at = headers;
        struct bytes bytes = bytes_new(end);

        if (pread(file, bytes.data, headers, 0) != (ssize_t)headers) {
                bytes_free(&bytes);
                return fault(FAULT_SYSTEM, "the ELF headers cannot be read back");
        }
        for (size_t i = 0; i < count; i++) {
                at = place(at);
                memcpy(bytes.data + at, pieces[i].data, pieces[i].length);
                at += pieces[i].length;
        }
        *ret_file = bytes;
        return 0;
}

int firmware_write_elf(const struct firmware_piece *pieces, size_t count, struct bytes *ret_file)
{
        size_t end = 0;
        int file, r;

        if (!count || count > SEGMENTS_MAX)
                return fault(FAULT_TOO_LARGE, "%zu segments, an ELF file takes 1 to %u", count,
                             SEGMENTS_MAX);
        file = memfd_create("gangway-elf", MFD_CLOEXEC);
        if (file < 0)
                return fault_errno(errno, "a file in memory");
        r = write_headers(file, pieces, count, &end);
        if (r >= 0)
                r = read_headers(file, pieces, count, end, ret_file);
        close(file);
        return r;
}
