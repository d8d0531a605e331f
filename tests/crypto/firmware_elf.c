#include "tests/support/test.h"

#include "crypto/firmware.h"

#include <elf.h>
#include <stdio.h>

/* The smallest image worth testing: header, two program headers, eight bytes. */
struct image {
        Elf32_Ehdr header;
        Elf32_Phdr segments[3];
        uint8_t bytes[8];
};

static struct image good_image(void)
{
        return (struct image){
                .header = { .e_ident = { 0x7F, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, EV_CURRENT },
                            .e_type = ET_EXEC,
                            .e_machine = EM_ARM,
                            .e_version = EV_CURRENT,
                            .e_phoff = offsetof(struct image, segments),
                            .e_ehsize = sizeof(Elf32_Ehdr),
                            .e_phentsize = sizeof(Elf32_Phdr),
                            .e_phnum = 3 },
                .segments = { { .p_type = PT_LOAD,
                                .p_offset = offsetof(struct image, bytes),
                                .p_vaddr = 0x20000000,
                                .p_paddr = 0x08000100,
                                .p_filesz = 4,
                                .p_memsz = 64 },
                              { .p_type = PT_NOTE, .p_offset = 0xFFFFFFF0, .p_filesz = 0x1000 },
                              { .p_type = PT_LOAD,
                                .p_offset = offsetof(struct image, bytes) + 4,
                                .p_vaddr = 0x08000000,
                                .p_paddr = 0x08000000,
                                .p_filesz = 4,
                                .p_memsz = 4 } },
                .bytes = { 1, 2, 3, 4, 5, 6, 7, 8 },
        };
}

static int add(struct firmware *firmware, const struct image *image)
{
        return firmware_add_elf(firmware, "t.elf", image, sizeof(*image));
}

static void segments_lie_at_their_physical_address(void **state)
{
        struct firmware firmware CLEANUP(firmware_free) = FIRMWARE_EMPTY;
        struct image image = good_image();

        (void)state;
        assert_int_equal(add(&firmware, &image), 0);
        assert_int_equal(firmware.count, 2);
        assert_int_equal(firmware.segments[0].address, 0x08000000);
        assert_memory_equal(firmware.segments[0].data.data, "\5\6\7\10", 4);
        assert_int_equal(firmware.segments[0].line, 2);
        assert_int_equal(firmware.segments[1].address, 0x08000100);
        assert_int_equal(firmware.segments[1].data.length, 4); /* not the 64 of memory */
}

static void an_image_at_an_odd_place_in_memory_is_read(void **state)
{
        struct firmware firmware CLEANUP(firmware_free) = FIRMWARE_EMPTY;
        struct image image = good_image();
        struct bytes copy CLEANUP(bytes_free) = bytes_new(sizeof(image) + 1);

        (void)state;
        memcpy(copy.data + 1, &image, sizeof(image));
        assert_int_equal(firmware_add(&firmware, "t.elf", copy.data + 1, sizeof(image), 0), 0);
        assert_int_equal(firmware.count, 2);
}

static void st_example_loads(void **state)
{
        struct firmware firmware CLEANUP(firmware_free) = FIRMWARE_EMPTY;
        struct bytes file CLEANUP(bytes_free) = bytes_new(1 << 16);
        FILE *stream = fopen(test_data("FIR_data.axf"), "rb");

        (void)state;
        assert_non_null(stream);
        file.length = fread(file.data, 1, file.length, stream);
        fclose(stream);
        assert_int_equal(firmware_add(&firmware, "FIR_data.axf", file.data, file.length, 0), 0);
        /* figures of readelf -l */
        assert_int_equal(firmware.count, 2);
        assert_int_equal(firmware.segments[0].address, 0x08080000);
        assert_int_equal(firmware.segments[0].data.length, 0x668);
        assert_int_equal(firmware.segments[1].address, 0x08084000);
        assert_int_equal(firmware.segments[1].data.length, 0x2000);
        /* the same table as in FIR_data.hex */
        assert_int_equal(load_le32(firmware.segments[1].data.data), 0xBAEEE1B9);
}

#define REFUSED(change, text)                                                                      \
        do {                                                                                       \
                struct image image = good_image();                                                 \
                change;                                                                            \
                assert_fault(add(&firmware, &image), BAD_FILE, text);                              \
                assert_int_equal(firmware.count, 0);                                               \
        } while (0)

static void other_machines_and_shapes_are_refused(void **state)
{
        struct firmware firmware CLEANUP(firmware_free) = FIRMWARE_EMPTY;

        (void)state;
        REFUSED(image.header.e_ident[0] = 0, "offset 0: no ELF magic");
        REFUSED(image.header.e_ident[EI_CLASS] = ELFCLASS64, "offset 4: ELF class 2, wanted 1");
        REFUSED(image.header.e_ident[EI_DATA] = ELFDATA2MSB, "offset 5: ELF data encoding 2");
        REFUSED(image.header.e_machine = EM_386, "offset 18: machine 3, wanted 40");
        REFUSED(image.header.e_type = ET_REL, "offset 16: type 1, wanted 2");
        REFUSED(image.header.e_phentsize = 31, "program headers of 31 bytes, wanted 32");
        REFUSED(image.header.e_phnum = 0, "none of its 0 segments");
        REFUSED(image.segments[0].p_filesz = image.segments[2].p_filesz = 0,
                "none of its 3 segments");
}

static void bounds_are_checked_for_headers_and_bytes(void **state)
{
        struct firmware firmware CLEANUP(firmware_free) = FIRMWARE_EMPTY;

        (void)state;
        REFUSED(image.header.e_phoff = sizeof(image) - 95, "program headers at offset");
        REFUSED(image.header.e_phoff = 0xFFFFFFF0, "program headers at offset");
        REFUSED(image.segments[2].p_filesz = 5, "segment 2: 5 bytes at offset");
        REFUSED(image.segments[2].p_filesz = 0xFFFFFFFF, "segment 2: 4294967295 bytes");
        REFUSED(image.segments[0].p_offset = 0xFFFFFFFF, "segment 0: 4 bytes at offset 4294967295");
        REFUSED(image.segments[0].p_paddr = 0xFFFFFFFD, "segment 0: 4 bytes at 0xFFFFFFFD");
}

static void every_cut_of_the_file_is_refused(void **state)
{
        struct firmware firmware CLEANUP(firmware_free) = FIRMWARE_EMPTY;
        struct image image = good_image();

        (void)state;
        for (size_t length = 0; length < sizeof(image); length++) {
                struct bytes cut CLEANUP(bytes_free) = bytes_copy(&image, length);

                assert_fault(firmware_add_elf(&firmware, "t.elf", cut.data, length), BAD_FILE,
                             "t.elf");
        }
        assert_int_equal(firmware.count, 0);
}

static void overlapping_segments_are_refused(void **state)
{
        struct firmware firmware CLEANUP(firmware_free) = FIRMWARE_EMPTY;
        struct image image = good_image();

        (void)state;
        image.segments[0].p_paddr = 0x08000003;
        assert_fault(add(&firmware, &image), BAD_VALUE,
                     "segment 0 (0x08000003..0x08000006) overlaps t.elf segment 2 (0x08000000");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(segments_lie_at_their_physical_address),
                cmocka_unit_test(an_image_at_an_odd_place_in_memory_is_read),
                cmocka_unit_test(st_example_loads),
                cmocka_unit_test(other_machines_and_shapes_are_refused),
                cmocka_unit_test(bounds_are_checked_for_headers_and_bytes),
                cmocka_unit_test(every_cut_of_the_file_is_refused),
                cmocka_unit_test(overlapping_segments_are_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
