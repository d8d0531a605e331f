/*
 * gangway cert show, cert check: the 136-byte certificate of a chip (AN5054 figure 36).
 *
 * Both take it apart by the same rules. `check` answers with the exit code alone what a script asks
 * before it spends a license: form correct, and of this product.
 */
#include "station/commands/command.h"

#include "scheduler/bytes.h"
#include "station/commands/answer.h"
#include "station/commands/chip_files.h"

#include <string.h>

#define KEY_OFFSET       8
#define SIGNATURE_OFFSET 72
#define HALF_LENGTH      32

/* spec/secure-install.md section 12.1; the first three digits are the device id */
static const struct product {
        const char *id, *name;
} products[] = {
        { "45002001", "STM32H75x" },  { "46201002", "STM32L4 (L462CE)" },
        { "47201003", "STM32L5" },    { "49701005", "STM32WL5x" },
        { "49202013", "STM32WBA5x" }, { "5000200A", "STM32MP15" },
        { "5000300A", "STM32MP15" },
};

struct request {
        const char *path, *product_id;
        bool is_json;
};

static int read_request(int argc, char **argv, struct request *request)
{
        const struct argument arguments[] = {
                { .what = "file", .text = &request->path, .needed = "FILE" },
                { "product-id", .text = &request->product_id },
                { "json", .flag = &request->is_json },
        };
        int r = options_read(argc, argv, arguments, LENGTH_OF(arguments));

        if (r >= 0 && request->product_id && strlen(request->product_id) != PRODUCT_ID_LENGTH)
                return fault(FAULT_BAD_VALUE, "--product-id is %.40s, wanted 8 digits such as %s",
                             request->product_id, products[0].id);
        return r;
}

static const char *product_name(const char *id)
{
        for (size_t i = 0; i < LENGTH_OF(products); i++)
                if (strcmp(products[i].id, id) == 0)
                        return products[i].name;
        return "not in the table of known products";
}

static void print_number(const char *name, const uint8_t *number)
{
        char text[2 * HALF_LENGTH + 1];

        printf("  %-16s  %s\n", name, hex_encode(number, HALF_LENGTH, text));
}

static void print_text(const char *path, const struct certificate *certificate)
{
        const char *id = certificate->product_id;
        const uint8_t *bytes = certificate->bytes;

        printf("%s\n", path);
        printf("  product id        %s, %s\n", id, product_name(id));
        printf("  device id         0x%03X\n", certificate->device_id);
        printf("  security counter  %.2s\n", id + 3);
        printf("  ST key number     %.2s\n", id + 6);
        print_number("public key, x", bytes + KEY_OFFSET);
        print_number("public key, y", bytes + KEY_OFFSET + HALF_LENGTH);
        print_number("signature, r", bytes + SIGNATURE_OFFSET);
        print_number("signature, s", bytes + SIGNATURE_OFFSET + HALF_LENGTH);
        printf("  fingerprint       %s\n", certificate->fingerprint);
        printf("  form correct; ST's signature cannot be checked, its key is not public\n");
}

static int print_json(const char *path, const struct certificate *certificate)
{
        char key[129], signature[129];
        json_t *object;

        hex_encode(certificate->bytes + KEY_OFFSET, 64, key);
        hex_encode(certificate->bytes + SIGNATURE_OFFSET, 64, signature);
        object = json_pack("{s:o, s:s, s:s, s:i, s:s, s:s, s:s}", "file", answer_text(path),
                           "product_id", certificate->product_id, "product",
                           product_name(certificate->product_id), "device_id",
                           certificate->device_id, "public_key", key, "signature", signature,
                           "fingerprint", certificate->fingerprint);
        return answer_json(object, EXIT_OK);
}

static int run_show(int argc, char **argv)
{
        struct request request = { 0 };
        struct certificate certificate;
        int r;

        r = read_request(argc, argv, &request);
        if (r >= 0)
                r = chip_certificate_read(request.path, request.product_id, &certificate);
        if (r < 0)
                return r;
        if (request.is_json)
                return print_json(request.path, &certificate);
        print_text(request.path, &certificate);
        return EXIT_OK;
}

static int run_check(int argc, char **argv)
{
        struct request request = { 0 };
        struct certificate certificate;
        int r;

        r = read_request(argc, argv, &request);
        if (r >= 0)
                r = chip_certificate_read(request.path, request.product_id, &certificate);
        if (r == -FAULT_BAD_CERTIFICATE) {
                fprintf(stderr, "gangway cert check: %s\n", fault_sentence(r));
                return EXIT_NO;
        }
        if (r < 0)
                return r;
        if (request.is_json)
                return print_json(request.path, &certificate);
        printf("%s: form correct, product %s (%s)\n", request.path, certificate.product_id,
               product_name(certificate.product_id));
        return EXIT_OK;
}

const struct command cert_show_command = {
        .words = "cert show",
        .summary = "print a chip certificate",
        .help = "usage: gangway cert show FILE [--product-id ID] [--json]\n"
                "\n"
                "Prints product id and its parts, public key, signature and fingerprint.\n"
                "\n"
                "  --product-id ID  refuse another product\n"
                "  --json           the same for programs\n"
                "\n"
                "example: gangway cert show certificate.bin\n",
        .run = run_show,
};

const struct command cert_check_command = {
        .words = "cert check",
        .summary = "is a chip certificate well formed?",
        .help = "usage: gangway cert check FILE [--product-id ID] [--json]\n"
                "\n"
                "Exit code 0 when length, digits, public key on P-256 and the range of the\n"
                "signature are correct, and the product is ID; 1 when not. ST's signature cannot\n"
                "be checked: ST's key is not public.\n"
                "\n"
                "  --product-id ID  8 digits, such as 45002001 for STM32H75x\n"
                "  --json           the certificate for programs\n"
                "\n"
                "example: gangway cert check certificate.bin --product-id 45002001\n",
        .run = run_check,
};
