/*
 * loader.c - read an external loader's ELF file.
 *
 * Header and program headers as crypto/firmware_elf.c reads them; then, other than there, the segments
 * with their zeros, because they go to RAM, and the symbol table, because functions are found by
 * name. StorageInfo lies in a segment and is read at its symbol's address. Names in symbol tables
 * that we do not look for are none of our business.
 *
 * Segments go to their physical address: loaders are linked for RAM alone and both are the same. Two
 * habits of ST's own files (built by IAR's tools): StorageInfo lies at address 0 in a segment of its own,
 * for tools to read and not for the part; and zeroed data is in a section that no segment holds.
 */
#include "drivers/loader.h"

#include "scheduler/file.h"

#include <ctype.h>
#include <libelf.h>

#define SYMBOLS_MAX 65536u

/* Offsets in StorageInfo (targets.md 8.4, natural alignment). */
#define AT_TYPE        100u
#define AT_ADDRESS     104u
#define AT_LENGTH      108u
#define AT_PAGE        112u
#define AT_ERASED      116u
#define AT_GROUPS      120u
#define STORAGE_LENGTH (AT_GROUPS + 8 * LOADER_GROUPS_MAX)
#define STORAGE_LEAST  (AT_GROUPS + 16u) /* one group and the zeros behind it */

static const char *const function_names[LOADER_FUNCTIONS] = {
        [LOADER_INIT] = "Init",
        [LOADER_WRITE] = "Write",
        [LOADER_SECTOR_ERASE] = "SectorErase",
        [LOADER_MASS_ERASE] = "MassErase",
        [LOADER_READ] = "Read",
        [LOADER_VERIFY] = "Verify",
};

const char *loader_function_name(enum loader_function function)
{
        return function_names[function];
}

struct reading {
        const char *name;
        struct loader *loader;
        Elf *elf;
        Elf32_Ehdr header;
        uint32_t storage; /* address of StorageInfo */
        bool has_storage;
};

/* --- headers ------------------------------------------------------------------------------- */

static int check_ident(const char *name, const struct bytes *file)
{
        if (file->length < sizeof(Elf32_Ehdr))
                return fault(FAULT_BAD_FILE, "%s: %zu bytes, wanted at least %zu for an ELF header",
                             name, file->length, sizeof(Elf32_Ehdr));
        if (memcmp(file->data, ELFMAG, SELFMAG) != 0)
                return fault(
                        FAULT_BAD_FILE,
                        "%s offset 0: no ELF magic, wanted 7F 45 4C 46: a .stldr file is an ELF",
                        name);
        if (file->data[EI_CLASS] != ELFCLASS32 || file->data[EI_DATA] != ELFDATA2LSB)
                return fault(FAULT_BAD_FILE,
                             "%s offset 4: ELF class %u, encoding %u, wanted 1 and 1: 32 bits, "
                             "little-endian",
                             name, file->data[EI_CLASS], file->data[EI_DATA]);
        return 0;
}

static int check_header(const struct reading *reading)
{
        const Elf32_Ehdr *header = &reading->header;
        size_t length = reading->loader->file.length;

        if (header->e_machine != EM_ARM || header->e_type != ET_EXEC)
                return fault(FAULT_BAD_FILE,
                             "%s offset 16: type %u for machine %u, wanted %u and %u: a linked "
                             "program for Arm",
                             reading->name, header->e_type, header->e_machine, ET_EXEC, EM_ARM);
        if (header->e_phnum > LOADER_SEGMENTS_MAX)
                return fault(FAULT_TOO_LARGE, "%s offset 44: %u program headers, at most %u",
                             reading->name, header->e_phnum, LOADER_SEGMENTS_MAX);
        if (header->e_phnum && header->e_phentsize != sizeof(Elf32_Phdr))
                return fault(FAULT_BAD_FILE,
                             "%s offset 42: program headers of %u bytes, wanted %zu", reading->name,
                             header->e_phentsize, sizeof(Elf32_Phdr));
        if (header->e_phoff > length ||
            header->e_phnum * sizeof(Elf32_Phdr) > length - header->e_phoff)
                return fault(FAULT_BAD_FILE,
                             "%s offset 28: %u program headers at offset %u end after the file of "
                             "%zu bytes: it was cut off, copy it again",
                             reading->name, header->e_phnum, header->e_phoff, length);
        return 0;
}

/* --- segments ------------------------------------------------------------------------------ */

/* Room in RAM for `length` more bytes at `address`. */
static int check_image(const struct reading *reading, const char *what, unsigned number,
                       uint32_t address, uint32_t length)
{
        const struct loader *loader = reading->loader;
        uint64_t image = length;

        for (unsigned i = 0; i < loader->segment_count; i++)
                image += loader->segments[i].length + (uint64_t)loader->segments[i].zeros;
        if (image > LOADER_IMAGE_MAX)
                return fault(FAULT_TOO_LARGE, "%s %s %u: its %u bytes make %llu in all, at most %u",
                             reading->name, what, number, length, (unsigned long long)image,
                             LOADER_IMAGE_MAX);
        if (length - 1 > UINT32_MAX - address)
                return fault(FAULT_BAD_FILE, "%s %s %u: %u bytes at 0x%08X end beyond 32 bits",
                             reading->name, what, number, length, address);
        return 0;
}

static int put_segment(struct reading *reading, unsigned number, const Elf32_Phdr *segment)
{
        struct loader *loader = reading->loader;
        const struct bytes *file = &loader->file;
        int r;

        if (segment->p_type != PT_LOAD || !segment->p_memsz)
                return 0;
        if (segment->p_filesz > segment->p_memsz)
                return fault(FAULT_BAD_FILE,
                             "%s segment %u: %u bytes in the file, %u in memory, wanted no more",
                             reading->name, number, segment->p_filesz, segment->p_memsz);
        if (segment->p_offset > file->length ||
            segment->p_filesz > file->length - segment->p_offset)
                return fault(FAULT_BAD_FILE,
                             "%s segment %u: %u bytes at offset %u end after the file of %zu "
                             "bytes: it was cut off, copy it again",
                             reading->name, number, segment->p_filesz, segment->p_offset,
                             file->length);
        r = check_image(reading, "segment", number, segment->p_paddr, segment->p_memsz);
        if (r < 0)
                return r;
        loader->segments[loader->segment_count++] =
                (struct loader_segment){ .address = segment->p_paddr,
                                         .data = file->data + segment->p_offset,
                                         .length = segment->p_filesz,
                                         .zeros = segment->p_memsz - segment->p_filesz };
        return 0;
}

static int read_segments(struct reading *reading)
{
        const void *found = reading->header.e_phnum ? elf32_getphdr(reading->elf) : NULL;

        if (!found && reading->header.e_phnum)
                return fault(FAULT_BAD_FILE, "%s: libelf cannot read program headers: %s",
                             reading->name, elf_errmsg(-1));
        for (unsigned i = 0; i < reading->header.e_phnum; i++) {
                Elf32_Phdr segment;
                int r;

                memcpy(&segment, (const char *)found + i * sizeof(segment), sizeof(segment));
                r = put_segment(reading, i, &segment);
                if (r < 0)
                        return r;
        }
        if (!reading->loader->segment_count)
                return fault(FAULT_BAD_FILE, "%s: no segment to load, wanted at least one",
                             reading->name);
        return 0;
}

static bool is_in_segment(const struct loader *loader, const Elf32_Shdr *section)
{
        for (unsigned i = 0; i < loader->segment_count; i++) {
                const struct loader_segment *segment = &loader->segments[i];

                if (section->sh_addr >= segment->address &&
                    section->sh_addr - segment->address < segment->length + segment->zeros)
                        return true;
        }
        return false;
}

/* A section of zeroed data outside all segments is one more. */
static int put_zeroed(struct reading *reading, unsigned number, const Elf32_Shdr *section)
{
        struct loader *loader = reading->loader;
        int r;

        if (section->sh_type != SHT_NOBITS || !(section->sh_flags & SHF_ALLOC) ||
            section->sh_flags & SHF_TLS || !section->sh_size || is_in_segment(loader, section))
                return 0;
        if (loader->segment_count == LOADER_SEGMENTS_MAX)
                return fault(FAULT_TOO_LARGE,
                             "%s section %u: zeroed data outside of %u segments, at most %u",
                             reading->name, number, loader->segment_count, LOADER_SEGMENTS_MAX);
        r = check_image(reading, "section", number, section->sh_addr, section->sh_size);
        if (r < 0)
                return r;
        loader->segments[loader->segment_count++] = (struct loader_segment){
                .address = section->sh_addr, .data = loader->file.data, .zeros = section->sh_size
        };
        return 0;
}

/* --- symbols ------------------------------------------------------------------------------- */

static void note_symbol(struct reading *reading, const char *name, const Elf32_Sym *symbol)
{
        if (symbol->st_shndx == SHN_UNDEF || ELF32_ST_TYPE(symbol->st_info) == STT_FILE)
                return;
        if (strcmp(name, "StorageInfo") == 0) {
                reading->storage = symbol->st_value;
                reading->has_storage = true;
        }
        for (unsigned i = 0; i < LOADER_FUNCTIONS; i++)
                if (ELF32_ST_TYPE(symbol->st_info) != STT_OBJECT &&
                    strcmp(name, function_names[i]) == 0)
                        reading->loader->entries[i] = symbol->st_value;
}

/* The name at `offset` of the string table, or NULL; its end is looked for here, for libelf trusts
 * the last byte of a table. */
static const char *symbol_name(const Elf_Data *strings, uint32_t offset)
{
        const char *text = strings ? strings->d_buf : NULL;

        if (!text || offset >= strings->d_size ||
            !memchr(text + offset, 0, strings->d_size - offset))
                return NULL;
        return text + offset;
}

static int read_table(struct reading *reading, Elf_Scn *section, const Elf32_Shdr *header)
{
        Elf_Scn *string_section = elf_getscn(reading->elf, header->sh_link);
        Elf_Data *symbols = elf_getdata(section, NULL);
        Elf_Data *strings = string_section ? elf_getdata(string_section, NULL) : NULL;
        size_t count = symbols && symbols->d_buf ? symbols->d_size / sizeof(Elf32_Sym) : 0;

        if (count > SYMBOLS_MAX)
                return fault(FAULT_TOO_LARGE, "%s: %zu symbols, at most %u", reading->name, count,
                             SYMBOLS_MAX);
        for (size_t i = 0; i < count; i++) {
                const char *name;
                Elf32_Sym symbol;

                memcpy(&symbol, (const char *)symbols->d_buf + i * sizeof(symbol), sizeof(symbol));
                name = symbol_name(strings, symbol.st_name);
                if (name)
                        note_symbol(reading, name, &symbol);
        }
        return 0;
}

static int read_sections(struct reading *reading)
{
        Elf_Scn *section = NULL;
        int r = 0;

        while (r >= 0 && (section = elf_nextscn(reading->elf, section))) {
                const void *found = elf32_getshdr(section);
                Elf32_Shdr header;

                if (!found)
                        continue;
                memcpy(&header, found, sizeof(header));
                if (header.sh_type == SHT_SYMTAB)
                        r = read_table(reading, section, &header);
                else
                        r = put_zeroed(reading, (unsigned)elf_ndxscn(section), &header);
        }
        return r;
}

/* --- what a loader must have --------------------------------------------------------------- */

static struct loader_segment *segment_at(struct loader *loader, uint32_t address, uint32_t length)
{
        for (unsigned i = 0; i < loader->segment_count; i++) {
                struct loader_segment *segment = &loader->segments[i];

                if (address >= segment->address && address - segment->address <= segment->length &&
                    length <= segment->length - (address - segment->address))
                        return segment;
        }
        return NULL;
}

static int check_entries(const struct reading *reading)
{
        static const enum loader_function wanted[] = { LOADER_INIT, LOADER_WRITE,
                                                       LOADER_SECTOR_ERASE };
        const uint32_t *entries = reading->loader->entries;

        for (size_t i = 0; i < LENGTH_OF(wanted); i++)
                if (!entries[wanted[i]])
                        return fault(FAULT_BAD_FILE,
                                     "%s: no symbol %s, wanted one: it is no external loader, or "
                                     "its symbols were stripped",
                                     reading->name, function_names[wanted[i]]);
        for (unsigned i = 0; i < LOADER_FUNCTIONS; i++)
                if (entries[i] && !segment_at(reading->loader, entries[i] & ~1u, 2))
                        return fault(FAULT_BAD_FILE,
                                     "%s: %s is at 0x%08X, which is in none of its segments",
                                     reading->name, function_names[i], entries[i]);
        if (!reading->has_storage)
                return fault(FAULT_BAD_FILE,
                             "%s: no symbol StorageInfo, wanted the descriptor of "
                             "its memory",
                             reading->name);
        return 0;
}

/* Groups of sectors until a zero; together they are not more than the memory. */
static int read_groups(const struct reading *reading, const uint8_t *at, size_t length)
{
        struct loader_storage *storage = &reading->loader->storage;
        uint64_t sum = 0;

        for (size_t i = AT_GROUPS; i + 8 <= length; i += 8) {
                struct loader_group group = { load_le32(at + i), load_le32(at + i + 4) };

                if (!group.count || !group.length)
                        break;
                storage->groups[storage->group_count++] = group;
                sum += (uint64_t)group.count * group.length;
                if (sum > storage->length)
                        return fault(FAULT_BAD_FILE,
                                     "%s: StorageInfo has sectors for %llu bytes in a memory of %u",
                                     reading->name, (unsigned long long)sum, storage->length);
        }
        if (sum != storage->length)
                return fault(FAULT_BAD_FILE,
                             "%s: StorageInfo has sectors for %llu bytes in a memory of %u",
                             reading->name, (unsigned long long)sum, storage->length);
        return 0;
}

static void read_name(const uint8_t *at, char *ret_name)
{
        size_t length = strnlen((const char *)at, LOADER_NAME_LENGTH);

        for (size_t i = 0; i < length; i++)
                ret_name[i] = isprint(at[i]) ? (char)at[i] : '?';
        ret_name[length] = 0;
}

static bool has_code(struct loader *loader, const struct loader_segment *segment)
{
        for (unsigned i = 0; i < LOADER_FUNCTIONS; i++)
                if (loader->entries[i] &&
                    segment_at(loader, loader->entries[i] & ~1u, 2) == segment)
                        return true;
        return false;
}

static int read_storage(const struct reading *reading)
{
        struct loader_segment *segment =
                segment_at(reading->loader, reading->storage, STORAGE_LEAST);
        struct loader_storage *storage = &reading->loader->storage;
        size_t length;
        const uint8_t *at;

        if (!segment)
                return fault(FAULT_BAD_FILE,
                             "%s: StorageInfo at 0x%08X is not in the bytes of a segment",
                             reading->name, reading->storage);
        segment->is_descriptor = !has_code(reading->loader, segment);
        at = segment->data + (reading->storage - segment->address);
        length = segment->length - (reading->storage - segment->address);
        read_name(at, storage->name);
        storage->type = load_le16(at + AT_TYPE);
        storage->address = load_le32(at + AT_ADDRESS);
        storage->length = load_le32(at + AT_LENGTH);
        storage->page_length = load_le32(at + AT_PAGE);
        storage->erased = at[AT_ERASED];
        if (!storage->length || storage->length - 1 > UINT32_MAX - storage->address)
                return fault(FAULT_BAD_FILE, "%s: StorageInfo is of %u bytes at 0x%08X",
                             reading->name, storage->length, storage->address);
        if (!storage->page_length || storage->page_length > storage->length)
                return fault(FAULT_BAD_FILE,
                             "%s: StorageInfo has pages of %u bytes, wanted 1 to %u", reading->name,
                             storage->page_length, storage->length);
        return read_groups(reading, at, length < STORAGE_LENGTH ? length : STORAGE_LENGTH);
}

/* --- all of it ----------------------------------------------------------------------------- */

static int read_elf(struct reading *reading)
{
        const void *found = elf32_getehdr(reading->elf);
        int r;

        if (!found)
                return fault(FAULT_BAD_FILE, "%s: libelf cannot read its header: %s", reading->name,
                             elf_errmsg(-1));
        memcpy(&reading->header, found, sizeof(reading->header));
        r = check_header(reading);
        if (!r)
                r = read_segments(reading);
        if (!r)
                r = read_sections(reading);
        if (!r)
                r = check_entries(reading);
        return r < 0 ? r : read_storage(reading);
}

int loader_parse(const char *name, struct bytes *file, struct loader *ret_loader)
{
        struct loader CLEANUP(loader_free) loader = { .file = *file };
        struct reading reading = { .name = name, .loader = &loader };
        int r;

        *file = (struct bytes){ 0 };
        r = check_ident(name, &loader.file);
        if (r < 0)
                return r;
        INSIST(elf_version(EV_CURRENT) != EV_NONE);
        reading.elf = elf_memory((char *)loader.file.data, loader.file.length);
        if (!reading.elf)
                return fault(FAULT_BAD_FILE, "%s: libelf cannot read it: %s", name, elf_errmsg(-1));
        r = read_elf(&reading);
        (void)elf_end(reading.elf); /* counts references; the memory is ours */
        if (r < 0)
                return r;
        *ret_loader = loader;
        loader = (struct loader){ 0 };
        return 0;
}

int loader_load(const char *path, struct loader *ret_loader)
{
        struct bytes file;
        int r = file_read(path, LOADER_FILE_MAX, &file);

        return r < 0 ? r : loader_parse(path, &file, ret_loader);
}

void loader_free(struct loader *loader)
{
        bytes_free(&loader->file);
        *loader = (struct loader){ 0 };
}

bool loader_holds(const struct loader_storage *storage, uint32_t address, uint32_t length)
{
        return address >= storage->address && address - storage->address < storage->length &&
               length <= storage->length - (address - storage->address);
}

void loader_sector(const struct loader_storage *storage, uint32_t address, uint32_t *ret_start,
                   uint32_t *ret_length)
{
        const struct loader_group *group = storage->groups;
        uint32_t start = storage->address;

        INSIST(loader_holds(storage, address, 1));
        while (address - start >= group->count * group->length) {
                start += group->count * group->length;
                group++;
                INSIST(group < storage->groups + storage->group_count);
        }
        *ret_start = address - (address - start) % group->length;
        *ret_length = group->length;
}
