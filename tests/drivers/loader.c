/*
 * Reading an external loader, and what it says of one that is none.
 */
#include "tests/support/loader_file.h"
#include "tests/support/test.h"

#include "drivers/loader.h"

#include <elf.h>

static int parse(struct bytes file, struct loader *ret_loader)
{
        return loader_parse("x.stldr", &file, ret_loader);
}

static int parse_made(struct loader_file settings, struct loader *ret_loader)
{
        return parse(loader_file_make(&settings), ret_loader);
}

static void a_loader_is_read(void **state)
{
        struct loader CLEANUP(loader_free) loader = { 0 };

        (void)state;
        assert_int_equal(parse_made((struct loader_file){ 0 }, &loader), 0);
        assert_string_equal(loader.storage.name, "GANGWAY REFERENCE LOADER MX25LM51245G");
        assert_int_equal(loader.storage.type, 7);
        assert_int_equal(loader.storage.address, 0x90000000);
        assert_int_equal(loader.storage.length, 1 << 20);
        assert_int_equal(loader.storage.page_length, 256);
        assert_int_equal(loader.storage.erased, 0xFF);
        assert_int_equal(loader.storage.group_count, 1);
        assert_int_equal(loader.storage.groups[0].count, 256);
        assert_int_equal(loader.storage.groups[0].length, 4096);
        assert_int_equal(loader.entries[LOADER_INIT], 0x24000001);
        assert_int_equal(loader.entries[LOADER_WRITE], 0x24000009);
        assert_int_equal(loader.entries[LOADER_SECTOR_ERASE], 0x24000011);
        assert_int_equal(loader.entries[LOADER_MASS_ERASE], 0);
        assert_int_equal(loader.entries[LOADER_READ], 0x24000021);
        assert_int_equal(loader.segment_count, 2);
        assert_int_equal(loader.segments[0].length, 248);
        assert_int_equal(loader.segments[0].zeros, 0);
        assert_int_equal(loader.segments[1].length, 0);
        assert_int_equal(loader.segments[1].zeros, 64);
}

static void sectors_of_two_lengths_are_told_apart(void **state)
{
        struct loader_storage storage = { .address = 0x90000000,
                                          .length = 0x30000,
                                          .groups = { { 16, 4096 }, { 2, 65536 } },
                                          .group_count = 2 };
        uint32_t start, length;

        (void)state;
        loader_sector(&storage, 0x9000FFFF, &start, &length);
        assert_int_equal(start, 0x9000F000);
        assert_int_equal(length, 4096);
        loader_sector(&storage, 0x9002FFFF, &start, &length);
        assert_int_equal(start, 0x90020000);
        assert_int_equal(length, 65536);
        assert_true(loader_holds(&storage, 0x9002FFFF, 1));
        assert_false(loader_holds(&storage, 0x9002FFFF, 2));
        assert_false(loader_holds(&storage, 0x8FFFFFFF, 1));
}

/* As IAR's tools leave ST's examples: StorageInfo in a segment at address 0, zeroed data in a section alone. */
static struct bytes as_st_builds(uint32_t zeros)
{
        struct bytes file = loader_file_make(&(struct loader_file){ 0 });
        Elf32_Ehdr *header = (Elf32_Ehdr *)(void *)file.data;
        Elf32_Phdr *segments = (Elf32_Phdr *)(void *)(file.data + header->e_phoff);
        Elf32_Shdr *sections = (Elf32_Shdr *)(void *)(file.data + header->e_shoff);
        Elf32_Sym *symbols = (Elf32_Sym *)(void *)(file.data + sections[2].sh_offset);
        uint32_t code = segments[0].p_filesz - 200;

        segments[1] = segments[0];
        segments[0].p_filesz = segments[0].p_memsz = code;
        segments[1].p_offset += code;
        segments[1].p_vaddr = segments[1].p_paddr = 0;
        segments[1].p_filesz = segments[1].p_memsz = 200;
        symbols[1].st_value = 0;
        sections[1] = (Elf32_Shdr){ .sh_type = SHT_NOBITS,
                                    .sh_flags = SHF_ALLOC | SHF_WRITE,
                                    .sh_addr = 0x24000000 + code,
                                    .sh_size = zeros };
        return file;
}

static void a_file_as_st_builds_them_is_read(void **state)
{
        struct loader CLEANUP(loader_free) loader = { 0 };
        struct loader other;

        (void)state;
        assert_int_equal(parse(as_st_builds(100), &loader), 0);
        assert_int_equal(loader.segment_count, 3);
        assert_false(loader.segments[0].is_descriptor);
        assert_true(loader.segments[1].is_descriptor);
        assert_int_equal(loader.segments[2].address, 0x24000030);
        assert_int_equal(loader.segments[2].length, 0);
        assert_int_equal(loader.segments[2].zeros, 100);
        assert_int_equal(loader.storage.address, 0x90000000);
        assert_fault(parse(as_st_builds(LOADER_IMAGE_MAX), &other), TOO_LARGE, "section 1");
        assert_fault(parse(as_st_builds(0xF0000000), &other), TOO_LARGE, "section 1");
}

static void what_is_missing_is_named(void **state)
{
        struct loader loader;

        (void)state;
        assert_fault(parse_made((struct loader_file){ .functions = 1u << LOADER_WRITE |
                                                                   1u << LOADER_SECTOR_ERASE },
                                &loader),
                     BAD_FILE, "no symbol Init");
        assert_fault(parse_made((struct loader_file){ .functions = 1u << LOADER_INIT |
                                                                   1u << LOADER_WRITE },
                                &loader),
                     BAD_FILE, "no symbol SectorErase");
        assert_fault(parse_made((struct loader_file){ .has_no_storage = true }, &loader), BAD_FILE,
                     "no symbol StorageInfo");
}

static void a_descriptor_that_cannot_be_is_refused(void **state)
{
        struct loader loader;

        (void)state;
        assert_fault(parse_made((struct loader_file){ .sector_length = 4095 }, &loader), BAD_FILE,
                     "sectors for 1048320 bytes in a memory of 1048576");
        assert_fault(parse_made((struct loader_file){ .page_length = 2u << 20 }, &loader), BAD_FILE,
                     "pages of 2097152 bytes");
        assert_fault(parse_made((struct loader_file){ .address = 0xFFFFF000 }, &loader), BAD_FILE,
                     "1048576 bytes at 0xFFFFF000");
}

static void more_than_ram_can_hold_is_refused(void **state)
{
        struct loader loader;

        (void)state;
        assert_fault(parse_made((struct loader_file){ .zeros = 2u << 20 }, &loader), TOO_LARGE,
                     "at most 1048576");
}

static void other_files_are_told_from_loaders(void **state)
{
        struct bytes file = loader_file_make(&(struct loader_file){ 0 });
        struct loader loader;

        (void)state;
        ((Elf32_Ehdr *)(void *)file.data)->e_machine = EM_386;
        assert_fault(parse(file, &loader), BAD_FILE, "machine 3");
        assert_fault(parse(bytes_copy("MZ", 2), &loader), BAD_FILE, "2 bytes");
        file = loader_file_make(&(struct loader_file){ 0 });
        file.data[1] = 'X';
        assert_fault(parse(file, &loader), BAD_FILE, "no ELF magic");
        file = loader_file_make(&(struct loader_file){ 0 });
        file.data[EI_CLASS] = ELFCLASS64;
        assert_fault(parse(file, &loader), BAD_FILE, "ELF class 2");
        file = loader_file_make(&(struct loader_file){ 0 });
        ((Elf32_Ehdr *)(void *)file.data)->e_phnum = 17;
        assert_fault(parse(file, &loader), TOO_LARGE, "17 program headers");
}

/* Every cut of a good file is refused or read; none reads beyond its end. */
static void a_file_cut_off_anywhere_is_refused(void **state)
{
        struct bytes CLEANUP(bytes_free) whole = loader_file_make(&(struct loader_file){ 0 });
        unsigned refused = 0;

        (void)state;
        for (size_t i = 0; i < whole.length; i++) {
                struct loader loader;
                int r = parse(bytes_copy(whole.data, i), &loader);

                refused += r < 0;
                if (!r)
                        loader_free(&loader);
        }
        assert_int_equal(refused, whole.length);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_loader_is_read),
                cmocka_unit_test(sectors_of_two_lengths_are_told_apart),
                cmocka_unit_test(a_file_as_st_builds_them_is_read),
                cmocka_unit_test(what_is_missing_is_named),
                cmocka_unit_test(a_descriptor_that_cannot_be_is_refused),
                cmocka_unit_test(more_than_ram_can_hold_is_refused),
                cmocka_unit_test(other_files_are_told_from_loaders),
                cmocka_unit_test(a_file_cut_off_anywhere_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
