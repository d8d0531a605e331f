/*
 * ELF executables for 32-bit little-endian ARM, through libelf.
 *
 * What goes into flash are the loadable segments that have bytes in the file (p_filesz > 0), at
 * their physical address: that is where initialised data lies before the start-up code copies it to
 * its virtual address in RAM. Sections play no part.
 */
#include "crypto/firmware_reader.h"

#include <libelf.h>

/* The first bytes say what it is; checked before libelf sees it, for a sentence of our own. */
static int check_ident(const char *name, const uint8_t *bytes, size_t length)
{
        if (length < sizeof(Elf32_Ehdr))
                return fault(FAULT_BAD_FILE, "%s: %zu bytes, wanted at least %zu for an ELF header",
                             name, length, sizeof(Elf32_Ehdr));
        if (memcmp(bytes, ELFMAG, SELFMAG) != 0)
                return fault(FAULT_BAD_FILE, "%s offset 0: no ELF magic, wanted 7F 45 4C 46", name);
        if (bytes[EI_CLASS] != ELFCLASS32)
                return fault(FAULT_BAD_FILE,
                             "%s offset %u: ELF class %u, wanted %u: build it for a 32-bit part",
                             name, EI_CLASS, bytes[EI_CLASS], ELFCLASS32);
        if (bytes[EI_DATA] != ELFDATA2LSB)
                return fault(FAULT_BAD_FILE,
                             "%s offset %u: ELF data encoding %u, wanted %u, little-endian", name,
                             EI_DATA, bytes[EI_DATA], ELFDATA2LSB);
        return 0;
}

static int check_header(const char *name, const Elf32_Ehdr *header, size_t length)
{
        unsigned segments = header->e_phnum;

        if (header->e_machine != EM_ARM)
                return fault(FAULT_BAD_FILE, "%s offset 18: machine %u, wanted %u, ARM", name,
                             header->e_machine, EM_ARM);
        if (header->e_type != ET_EXEC)
                return fault(FAULT_BAD_FILE,
                             "%s offset 16: type %u, wanted %u, an executable: link it first", name,
                             header->e_type, ET_EXEC);
        if (segments > FIRMWARE_SEGMENTS_MAX)
                return fault(FAULT_TOO_LARGE, "%s offset 44: %u program headers, at most %u", name,
                             segments, FIRMWARE_SEGMENTS_MAX);
        if (segments && header->e_phentsize != sizeof(Elf32_Phdr))
                return fault(FAULT_BAD_FILE,
                             "%s offset 42: program headers of %u bytes, wanted %zu", name,
                             header->e_phentsize, sizeof(Elf32_Phdr));
        if (header->e_phoff > length || segments * sizeof(Elf32_Phdr) > length - header->e_phoff)
                return fault(FAULT_BAD_FILE,
                             "%s offset 28: %u program headers at offset %u end after the file of "
                             "%zu bytes: it was cut off, copy it again",
                             name, segments, header->e_phoff, length);
        return 0;
}

static int put_segment(struct firmware_reader *reader, unsigned number, const Elf32_Phdr *segment,
                       const uint8_t *bytes, size_t length)
{
        if (segment->p_type != PT_LOAD || !segment->p_filesz)
                return 0;
        if (segment->p_offset > length || segment->p_filesz > length - segment->p_offset)
                return fault(FAULT_BAD_FILE,
                             "%s segment %u: %u bytes at offset %u end after the file of %zu "
                             "bytes: it was cut off, copy it again",
                             reader->name, number, segment->p_filesz, segment->p_offset, length);
        return firmware_reader_put(reader, number, segment->p_paddr, bytes + segment->p_offset,
                                   segment->p_filesz);
}

/* libelf hands out pointers into a file that may lie anywhere and hold any offsets, so headers are
 * copied before a field is read. */
static int read_segments(struct firmware_reader *reader, Elf *elf, const uint8_t *bytes,
                         size_t length)
{
        const void *found = elf32_getehdr(elf);
        Elf32_Phdr segment;
        Elf32_Ehdr header;
        int r;

        if (!found)
                return fault(FAULT_BAD_FILE, "%s: libelf cannot read its header: %s", reader->name,
                             elf_errmsg(-1));
        memcpy(&header, found, sizeof(header));
        r = check_header(reader->name, &header, length);
        if (r < 0)
                return r;
        found = header.e_phnum ? elf32_getphdr(elf) : NULL;
        if (header.e_phnum && !found)
                return fault(FAULT_BAD_FILE, "%s offset %u: libelf cannot read program headers: %s",
                             reader->name, header.e_phoff, elf_errmsg(-1));
        for (unsigned i = 0; i < header.e_phnum; i++) {
                memcpy(&segment, (const char *)found + i * sizeof(segment), sizeof(segment));
                r = put_segment(reader, i, &segment, bytes, length);
                if (r < 0)
                        return r;
        }
        if (!reader->count)
                return fault(FAULT_BAD_FILE,
                             "%s: none of its %u segments has bytes to load, wanted at least one",
                             reader->name, header.e_phnum);
        return 0;
}

int firmware_read_elf(struct firmware_reader *reader, const void *data, size_t length)
{
        Elf *elf;
        int r;

        reader->unit = "segment";
        r = check_ident(reader->name, data, length);
        if (r < 0)
                return r;
        INSIST(elf_version(EV_CURRENT) != EV_NONE);
        /* libelf reads only, in spite of its prototype. */
        elf = elf_memory((char *)(uintptr_t)data, length);
        if (!elf)
                return fault(FAULT_BAD_FILE, "%s: libelf cannot read it: %s", reader->name,
                             elf_errmsg(-1));
        r = read_segments(reader, elf, data, length);
        (void)elf_end(elf); /* counts references; the memory is the caller's */
        return r;
}
