/*
 * The layout: ELF header, two program headers, code and StorageInfo, symbols, strings, four section
 * headers. Entries are 8 bytes each in the order of enum loader_function.
 */
#include "tests/support/loader_file.h"

#include "drivers/loader.h"

#include <elf.h>

#define CODE_LENGTH    (8u * LOADER_FUNCTIONS)
#define STORAGE_LENGTH 200u
#define SYMBOLS        (2u + LOADER_FUNCTIONS)
#define NAMES_LENGTH   256u

struct file {
        Elf32_Ehdr header;
        Elf32_Phdr segments[2];
        uint8_t code[CODE_LENGTH];
        uint8_t storage[STORAGE_LENGTH];
        Elf32_Sym symbols[SYMBOLS];
        char names[NAMES_LENGTH];
        Elf32_Shdr sections[4];
};

static void put_code(struct file *file, const struct loader_file *settings, uint32_t ram)
{
        for (unsigned i = 0; i < LOADER_FUNCTIONS; i++) {
                uint8_t *entry = file->code + 8 * (size_t)i;

                store_le16(entry, settings->code ? settings->code : (uint16_t)(0xDE40 + i));
                store_le16(entry + 2, 0x4770); /* bx lr */
                store_le32(entry + 4, ram + CODE_LENGTH);
        }
}

static uint32_t or_else(uint32_t value, uint32_t otherwise)
{
        return value ? value : otherwise;
}

static void put_storage(struct file *file, const struct loader_file *settings)
{
        const char *name = settings->storage_name ? settings->storage_name
                                                  : "GANGWAY REFERENCE LOADER MX25LM51245G";
        uint32_t length = or_else(settings->length, 1u << 20);
        uint32_t sector = or_else(settings->sector_length, 4096);

        memcpy(file->storage, name, strlen(name));
        store_le16(file->storage + 100, 7);
        store_le32(file->storage + 104, or_else(settings->address, 0x90000000));
        store_le32(file->storage + 108, length);
        store_le32(file->storage + 112, or_else(settings->page_length, 256));
        file->storage[116] = 0xFF;
        store_le32(file->storage + 120, length / sector);
        store_le32(file->storage + 124, sector);
}

static void put_symbol(struct file *file, unsigned number, const char *name, uint32_t value,
                       unsigned type, size_t *at)
{
        file->symbols[number] =
                (Elf32_Sym){ .st_name = (Elf32_Word)*at,
                             .st_value = value,
                             .st_info = (unsigned char)ELF32_ST_INFO(STB_GLOBAL, type),
                             .st_shndx = 1 };
        memcpy(file->names + *at, name, strlen(name) + 1);
        *at += strlen(name) + 1;
}

static void put_symbols(struct file *file, const struct loader_file *settings, uint32_t ram)
{
        unsigned functions = settings->functions
                                     ? settings->functions
                                     : 1u << LOADER_INIT | 1u << LOADER_WRITE |
                                               1u << LOADER_SECTOR_ERASE | 1u << LOADER_READ;
        size_t at = 1;

        if (!settings->has_no_storage)
                put_symbol(file, 1, "StorageInfo", ram + CODE_LENGTH, STT_OBJECT, &at);
        for (unsigned i = 0; i < LOADER_FUNCTIONS; i++)
                if (functions & 1u << i)
                        put_symbol(file, 2 + i, loader_function_name((enum loader_function)i),
                                   (ram + 8 * i) | 1, STT_FUNC, &at);
}

static void put_headers(struct file *file, const struct loader_file *settings, uint32_t ram)
{
        uint32_t length = CODE_LENGTH + STORAGE_LENGTH;

        file->header = (Elf32_Ehdr){ .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS32,
                                                  ELFDATA2LSB, EV_CURRENT },
                                     .e_type = ET_EXEC,
                                     .e_machine = EM_ARM,
                                     .e_version = EV_CURRENT,
                                     .e_phoff = offsetof(struct file, segments),
                                     .e_shoff = offsetof(struct file, sections),
                                     .e_ehsize = sizeof(Elf32_Ehdr),
                                     .e_phentsize = sizeof(Elf32_Phdr),
                                     .e_phnum = 2,
                                     .e_shentsize = sizeof(Elf32_Shdr),
                                     .e_shnum = 4,
                                     .e_shstrndx = 3 };
        file->segments[0] = (Elf32_Phdr){ .p_type = PT_LOAD,
                                          .p_offset = offsetof(struct file, code),
                                          .p_vaddr = ram,
                                          .p_paddr = ram,
                                          .p_filesz = length,
                                          .p_memsz = length };
        file->segments[1] = (Elf32_Phdr){ .p_type = PT_LOAD,
                                          .p_vaddr = ram + 0x200,
                                          .p_paddr = ram + 0x200,
                                          .p_memsz = or_else(settings->zeros, 64) };
        file->sections[1] = (Elf32_Shdr){ .sh_type = SHT_PROGBITS,
                                          .sh_addr = ram,
                                          .sh_offset = offsetof(struct file, code),
                                          .sh_size = length };
        file->sections[2] = (Elf32_Shdr){ .sh_type = SHT_SYMTAB,
                                          .sh_offset = offsetof(struct file, symbols),
                                          .sh_size = sizeof(file->symbols),
                                          .sh_link = 3,
                                          .sh_info = 1,
                                          .sh_addralign = 4,
                                          .sh_entsize = sizeof(Elf32_Sym) };
        file->sections[3] = (Elf32_Shdr){ .sh_type = SHT_STRTAB,
                                          .sh_offset = offsetof(struct file, names),
                                          .sh_size = sizeof(file->names) };
}

struct bytes loader_file_make(const struct loader_file *settings)
{
        struct bytes bytes = bytes_new(sizeof(struct file));
        struct file *file = (struct file *)(void *)bytes.data;
        uint32_t ram = or_else(settings->ram, 0x24000000);

        put_headers(file, settings, ram);
        put_code(file, settings, ram);
        put_storage(file, settings);
        put_symbols(file, settings, ram);
        return bytes;
}
