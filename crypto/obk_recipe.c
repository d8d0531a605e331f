/*
 * obk_recipe.c - what the elements of a recipe mean, and the bytes they make.
 *
 * The payload is the items' bytes in the order of the XML, zero-filled, behind the SHA-256 of all
 * of it when there is a Hash element. In debug authentication (DA) a key becomes the hash of its
 * raw public point and a text its hash, and the record is always 64 bytes.
 *
 * What ST's files do not show is refused, not guessed: kinds of keys other than P-256, a Permission
 * or Text outside debug authentication, a Permission of another Width.
 */
#include "crypto/obk_recipe.h"

#include "crypto/obk_recipe_parts.h"
#include "crypto/pem.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#define ALIGN_MAX 4096u

/* Permission says Width 4 and makes 16 bytes: 4 words. */
#define PERMISSION_WORDS 4u

#define PASSWORD_TYPE          0x80000000u /* first word of password.bin */
#define PASSWORD_HEADER_LENGTH 8

/* --- values -------------------------------------------------------------------------------- */

/* number = number * base + digit; false when it leaves `width` bytes. */
static bool number_push(uint8_t *number, size_t width, unsigned base, unsigned digit)
{
        unsigned carry = digit;

        for (size_t i = 0; i < width; i++) {
                carry += number[i] * base;
                number[i] = (uint8_t)carry;
                carry >>= 8;
        }
        return carry == 0;
}

bool recipe_number(const char *text, size_t width, uint8_t ret_number[static RECIPE_NUMBER_MAX])
{
        bool is_hex = text[0] == '0' && (text[1] | 0x20) == 'x';
        const char *at = is_hex ? text + 2 : text;

        INSIST(width <= RECIPE_NUMBER_MAX);
        /* 010 may mean ten or eight */
        if (!*at || (!is_hex && at[0] == '0' && at[1]))
                return false;
        memset(ret_number, 0, RECIPE_NUMBER_MAX);
        for (; *at; at++) {
                unsigned char c = (unsigned char)*at;

                if (is_hex ? !isxdigit(c) : !isdigit(c))
                        return false;
                if (!number_push(ret_number, width, is_hex ? 16 : 10,
                                 isdigit(c) ? c - 48u : (c | 0x20u) - 87u))
                        return false;
        }
        return true;
}

static const struct recipe_text *given(const struct recipe_element *element,
                                       enum recipe_field field)
{
        return element->fields[field].is_given ? &element->fields[field] : NULL;
}

static int missing(const struct obk_recipe *recipe, const struct recipe_element *element,
                   const char *what)
{
        return fault(FAULT_BAD_VALUE, "%s line %u: %s has no %s", recipe->file, element->line,
                     recipe_section_name(element->section), what);
}

/* A small number that must be there. */
static int take_small(const struct obk_recipe *recipe, const struct recipe_element *element,
                      enum recipe_field field, const char *name, uint32_t minimum, uint32_t maximum,
                      uint32_t *ret_number)
{
        const struct recipe_text *text = given(element, field);
        uint8_t number[RECIPE_NUMBER_MAX];

        if (!text)
                return missing(recipe, element, name);
        if (!recipe_number(text->text, sizeof(uint32_t), number) || load_le32(number) < minimum ||
            load_le32(number) > maximum)
                return fault(FAULT_BAD_VALUE, "%s line %u: %s is %.40s, wanted 0x%X to 0x%X",
                             recipe->file, text->line, name, text->text, minimum, maximum);
        *ret_number = load_le32(number);
        return 0;
}

/* --- elements ------------------------------------------------------------------------------ */

static int take_info(struct obk_recipe *recipe, const struct recipe_element *element)
{
        int r;

        if (recipe->global_align)
                return fault(FAULT_BAD_FILE, "%s line %u: a second Info", recipe->file,
                             element->line);
        snprintf(recipe->title, sizeof(recipe->title), "%.*s", (int)sizeof(recipe->title) - 1,
                 element->fields[FIELD_TITLE].text);
        snprintf(recipe->mcu, sizeof(recipe->mcu), "%.*s", (int)sizeof(recipe->mcu) - 1,
                 element->fields[FIELD_MCU].text);
        r = take_small(recipe, element, FIELD_GLOBAL_ALIGN, "GlobalAlign", 1, ALIGN_MAX,
                       &recipe->global_align);
        if (r < 0)
                return r;
        recipe->has_destination = given(element, FIELD_DESTINATION);
        if (!recipe->has_destination) {
                if (given(element, FIELD_ENCRYPTION))
                        return missing(recipe, element, "ObDestAddress, but a DoEncryption");
                return 0;
        }
        r = take_small(recipe, element, FIELD_DESTINATION, "ObDestAddress", 0, UINT32_MAX,
                       &recipe->destination);
        if (r < 0)
                return r;
        return take_small(recipe, element, FIELD_ENCRYPTION, "DoEncryption", 0, 1,
                          &recipe->do_encryption);
}

static int take_flag(const struct obk_recipe *recipe, const struct recipe_element *element,
                     bool *flag)
{
        const char *name = recipe_section_name(element->section);

        if (*flag)
                return fault(FAULT_BAD_FILE, "%s line %u: a second %s", recipe->file, element->line,
                             name);
        if (recipe->count)
                return fault(FAULT_BAD_FILE, "%s line %u: %s stands after %s, wanted before",
                             recipe->file, element->line, name, recipe->items[0].element);
        *flag = true;
        return 0;
}

static int take_output(struct obk_recipe *recipe, const struct recipe_element *element)
{
        const struct recipe_text *value = given(element, FIELD_VALUE);

        if (recipe->output[0])
                return fault(FAULT_BAD_FILE, "%s line %u: a second Output", recipe->file,
                             element->line);
        if (!value || !value->text[0])
                return missing(recipe, element, "Value");
        memcpy(recipe->output, value->text, sizeof(recipe->output));
        return 0;
}

static int take_file(const struct obk_recipe *recipe, const struct recipe_element *element,
                     struct recipe_item *item)
{
        const struct recipe_text *key_type = given(element, FIELD_KEY_TYPE);
        const struct recipe_text *type = given(element, FIELD_TYPE);

        item->kind = RECIPE_FILE;
        if (key_type && key_type->text[0] && strcmp(key_type->text, "ecdsa-p256") != 0)
                return fault(FAULT_BAD_VALUE,
                             "%s line %u: KeyType is %.40s, known is ecdsa-p256 only", recipe->file,
                             key_type->line, key_type->text);
        if (type && type->text[0] && strcmp(type->text, "Public") != 0)
                return fault(FAULT_BAD_VALUE,
                             "%s line %u: Type is %.40s, known are Public and an empty one",
                             recipe->file, type->line, type->text);
        item->is_public = type && type->text[0];
        return take_small(recipe, element, FIELD_ALIGN, "Align", 1, ALIGN_MAX, &item->align);
}

static int take_number(const struct obk_recipe *recipe, const struct recipe_element *element,
                       struct recipe_item *item)
{
        const struct recipe_text *value = &element->fields[FIELD_VALUE];

        if (recipe_number(value->text, item->width, item->number))
                return 0;
        return fault(FAULT_BAD_VALUE,
                     "%s line %u: the value %.40s of %s '%.60s' is no number of %u bytes, decimal "
                     "or with 0x",
                     recipe->file, value->line, value->text, item->element, item->name,
                     item->width);
}

static int take_permission(const struct obk_recipe *recipe, const struct recipe_element *element,
                           struct recipe_item *item)
{
        uint32_t words;
        int r = take_small(recipe, element, FIELD_WIDTH, "Width of Permission", PERMISSION_WORDS,
                           PERMISSION_WORDS, &words);

        if (r < 0)
                return r;
        item->kind = RECIPE_PERMISSION;
        item->width = OBK_PERMISSION_LENGTH;
        return take_number(recipe, element, item);
}

static int take_text(const struct obk_recipe *recipe, const struct recipe_element *element,
                     struct recipe_item *item)
{
        size_t length = strlen(item->value);
        int r;

        item->kind = RECIPE_TEXT;
        r = take_small(recipe, element, FIELD_WIDTH, "Width", 1, RECIPE_VALUE_MAX - 1,
                       &item->width);
        if (r == 0 && given(element, FIELD_MIN_WIDTH))
                r = take_small(recipe, element, FIELD_MIN_WIDTH, "MinWidth", 0, item->width,
                               &item->minimum_width);
        if (r < 0)
                return r;
        for (size_t i = 0; i < length; i++) /* the digest was verified on ASCII only */
                if (!isprint((unsigned char)item->value[i]))
                        return fault(FAULT_BAD_VALUE, "%s line %u: a character of %s is not ASCII",
                                     recipe->file, element->fields[FIELD_VALUE].line, item->name);
        if (length < item->minimum_width || length > item->width)
                return fault(FAULT_BAD_VALUE, "%s line %u: %s has %zu characters, wanted %u to %u",
                             recipe->file, element->fields[FIELD_VALUE].line, item->name, length,
                             item->minimum_width, item->width);
        return 0;
}

/* Data, List, Bool. The value of the latter two must be one of those offered. */
static int take_data(const struct obk_recipe *recipe, const struct recipe_element *element,
                     struct recipe_item *item)
{
        uint64_t value;
        int r;

        item->kind = RECIPE_DATA;
        r = take_small(recipe, element, FIELD_WIDTH, "Width", 1,
                       element->section == SECTION_DATA ? RECIPE_NUMBER_MAX : sizeof(value),
                       &item->width);
        if (r == 0)
                r = take_number(recipe, element, item);
        if (r < 0 || element->section == SECTION_DATA)
                return r;
        value = (uint64_t)load_le32(item->number + 4) << 32 | load_le32(item->number);
        for (size_t i = 0; i < element->choice_count; i++)
                if (element->choices[i] == value)
                        return 0;
        return fault(FAULT_BAD_VALUE,
                     "%s line %u: the value %.40s of %s '%.60s' is none of its %zu choices",
                     recipe->file, element->fields[FIELD_VALUE].line, item->value, item->element,
                     item->name, element->choice_count);
}

static int item_fill(const struct obk_recipe *recipe, const struct recipe_element *element,
                     struct recipe_item *item)
{
        const struct recipe_text *value = given(element, FIELD_VALUE);

        item->element = recipe_section_name(element->section);
        item->line = element->line;
        snprintf(item->name, sizeof(item->name), "%.*s", (int)sizeof(item->name) - 1,
                 element->fields[FIELD_NAME].text);
        if (!value || !value->text[0])
                return missing(recipe, element, "Value");
        memcpy(item->value, value->text, sizeof(item->value));
        switch (element->section) {
        case SECTION_FILE:
                return take_file(recipe, element, item);
        case SECTION_PERMISSION:
                return take_permission(recipe, element, item);
        case SECTION_TEXT:
                return take_text(recipe, element, item);
        case SECTION_DATA:
        case SECTION_LIST:
        case SECTION_BOOL:
                return take_data(recipe, element, item);
        case SECTION_INFO:
        case SECTION_HASH:
        case SECTION_DA:
        case SECTION_OUTPUT:
        case SECTION_COUNT:
                break;
        }
        INSIST(false);
        return 0;
}

static int take_item(struct obk_recipe *recipe, const struct recipe_element *element)
{
        struct recipe_item *item;
        bool needs_authentication =
                element->section == SECTION_PERMISSION || element->section == SECTION_TEXT;

        if (recipe->count == RECIPE_ITEMS_MAX)
                return fault(FAULT_BAD_FILE, "%s line %u: more than %u items", recipe->file,
                             element->line, RECIPE_ITEMS_MAX);
        if (needs_authentication && !recipe->is_debug_authentication)
                return fault(FAULT_BAD_FILE,
                             "%s line %u: %s is known in debug authentication only, wanted a DA "
                             "element before it",
                             recipe->file, element->line, recipe_section_name(element->section));
        if (!recipe->items) {
                recipe->items = calloc(RECIPE_ITEMS_MAX, sizeof(*recipe->items));
                INSIST(recipe->items);
        }
        item = &recipe->items[recipe->count++]; /* counted first: it is wiped whatever happens */
        return item_fill(recipe, element, item);
}

int recipe_take(struct obk_recipe *recipe, const struct recipe_element *element)
{
        switch (element->section) {
        case SECTION_INFO:
                return take_info(recipe, element);
        case SECTION_HASH:
                return take_flag(recipe, element, &recipe->has_hash);
        case SECTION_DA:
                return take_flag(recipe, element, &recipe->is_debug_authentication);
        case SECTION_OUTPUT:
                return take_output(recipe, element);
        case SECTION_FILE:
        case SECTION_PERMISSION:
        case SECTION_TEXT:
        case SECTION_DATA:
        case SECTION_LIST:
        case SECTION_BOOL:
                return take_item(recipe, element);
        case SECTION_COUNT:
                break;
        }
        INSIST(false);
        return 0;
}

int recipe_finish(const struct obk_recipe *recipe)
{
        unsigned credentials = 0;

        if (!recipe->global_align)
                return fault(FAULT_BAD_FILE, "%s: no Info", recipe->file);
        if (!recipe->output[0])
                return fault(FAULT_BAD_FILE, "%s: no Output", recipe->file);
        if (!recipe->count)
                return fault(FAULT_BAD_FILE, "%s: nothing to put into the file", recipe->file);
        if (!recipe->is_debug_authentication)
                return 0;
        for (size_t i = 0; i < recipe->count; i++)
                credentials += recipe->items[i].kind == RECIPE_FILE ||
                               recipe->items[i].kind == RECIPE_TEXT;
        if (!recipe->has_hash || !recipe->has_destination)
                return fault(FAULT_BAD_FILE,
                             "%s: debug authentication wants Hash and ObDestAddress", recipe->file);
        if (credentials != 1 ||
            (recipe->items[0].kind != RECIPE_FILE && recipe->items[0].kind != RECIPE_TEXT))
                return fault(FAULT_BAD_FILE,
                             "%s line %u: debug authentication wants one root key or password, "
                             "and that first",
                             recipe->file, recipe->items[0].line);
        return 0;
}

struct obk_recipe *obk_recipe_free(struct obk_recipe *recipe)
{
        if (!recipe)
                return NULL;
        if (recipe->items)
                wipe(recipe->items, recipe->count * sizeof(*recipe->items));
        free(recipe->items);
        free(recipe);
        return NULL;
}

/* --- bytes --------------------------------------------------------------------------------- */

struct payload {
        struct bytes bytes; /* OBK_PAYLOAD_MAX of them */
        size_t length;
};

static void payload_free(struct payload *payload)
{
        bytes_wipe_free(&payload->bytes);
}

static int add(const struct obk_recipe *recipe, const struct recipe_item *item,
               struct payload *payload, const void *data, size_t length)
{
        if (length > payload->bytes.length - payload->length)
                return fault(FAULT_BAD_VALUE, "%s line %u: the payload exceeds %u bytes",
                             recipe->file, item->line, OBK_PAYLOAD_MAX);
        memcpy(payload->bytes.data + payload->length, data, length);
        payload->length += length;
        return 0;
}

static size_t fill_of(size_t length, size_t align)
{
        return (align - length % align) % align;
}

/* Zeros are there already. `align` bytes from the start of the item, as ST's files have it. */
static int add_aligned(const struct obk_recipe *recipe, const struct recipe_item *item,
                       struct payload *payload, const void *data, size_t length)
{
        static const uint8_t zeros[ALIGN_MAX];
        int r = add(recipe, item, payload, data, length);

        if (r < 0)
                return r;
        return add(recipe, item, payload, zeros, fill_of(length, item->align));
}

static int item_fault(const struct obk_recipe *recipe, const struct recipe_item *item,
                      const char *what)
{
        return fault(FAULT_BAD_FILE, "%s line %u: %s '%.60s': %.120s %s", recipe->file, item->line,
                     item->element, item->name, item->value, what);
}

static int add_key(const struct obk_recipe *recipe, const struct recipe_item *item,
                   const struct pem_key *key, struct payload *payload)
{
        uint8_t der[PEM_PUBLIC_DER_LENGTH > PEM_PRIVATE_DER_LENGTH ? PEM_PUBLIC_DER_LENGTH
                                                                   : PEM_PRIVATE_DER_LENGTH];
        size_t length = item->is_public ? PEM_PUBLIC_DER_LENGTH : PEM_PRIVATE_DER_LENGTH;
        int r;

        if (recipe->is_debug_authentication) {
                digest_sha256(key->public_key, sizeof(key->public_key), der);
                return add(recipe, item, payload, der, DIGEST_LENGTH);
        }
        if (item->is_public)
                pem_public_der(key, der);
        else if (!key->has_private)
                return item_fault(recipe, item, "has a public key only, wanted the private one");
        else
                pem_private_der(key, der);
        r = add_aligned(recipe, item, payload, der, length);
        wipe(der, sizeof(der));
        return r;
}

static int add_file(const struct obk_recipe *recipe, const struct recipe_item *item,
                    const struct bytes *content, struct payload *payload)
{
        struct pem_key key CLEANUP(pem_wipe) = { 0 };
        int r;

        if (!pem_is_text(content->data, content->length)) {
                if (item->is_public || recipe->is_debug_authentication)
                        return item_fault(recipe, item, "has no PEM block, wanted a public key");
                return add_aligned(recipe, item, payload, content->data, content->length);
        }
        if (recipe->is_debug_authentication && !item->is_public)
                return item_fault(recipe, item, "has an empty Type, wanted Public");
        r = pem_parse(item->value, content->data, content->length, &key);
        if (r < 0)
                return fault_prefix(r, "%s line %u", recipe->file, item->line);
        return add_key(recipe, item, &key, payload);
}

static int add_item(const struct obk_recipe *recipe, const struct recipe_item *item,
                    const struct bytes *content, struct payload *payload)
{
        uint8_t digest[DIGEST_LENGTH];

        switch (item->kind) {
        case RECIPE_FILE:
                return add_file(recipe, item, content, payload);
        case RECIPE_TEXT:
                digest_sha256(item->value, strlen(item->value), digest);
                return add(recipe, item, payload, digest, sizeof(digest));
        case RECIPE_PERMISSION:
        case RECIPE_DATA:
                return add(recipe, item, payload, item->number, item->width);
        }
        INSIST(false);
        return 0;
}

/* Behind the items come zeros: to the length of a debug-authentication record, or to the global
 * alignment of the whole payload. */
static int payload_close(const struct obk_recipe *recipe, struct payload *payload)
{
        size_t head = recipe->has_hash ? DIGEST_LENGTH : 0;
        size_t length = payload->length + fill_of(payload->length, recipe->global_align);

        if (recipe->is_debug_authentication) {
                if (payload->length > OBK_DA_LENGTH)
                        return fault(FAULT_BAD_VALUE,
                                     "%s: the debug-authentication record has %zu bytes, wanted at "
                                     "most %u",
                                     recipe->file, payload->length - head, OBK_DA_RECORD_LENGTH);
                length = OBK_DA_LENGTH;
        }
        if (length > payload->bytes.length)
                return fault(FAULT_BAD_VALUE, "%s: the payload exceeds %u bytes", recipe->file,
                             OBK_PAYLOAD_MAX);
        payload->length = length;
        if (recipe->has_hash)
                digest_sha256(payload->bytes.data + head, length - head, payload->bytes.data);
        return 0;
}

int obk_recipe_build(const struct obk_recipe *recipe, const struct bytes *contents,
                     struct bytes *ret_file)
{
        struct payload payload CLEANUP(payload_free) = { bytes_new(OBK_PAYLOAD_MAX), 0 };
        int r;

        if (recipe->has_hash)
                payload.length = DIGEST_LENGTH;
        for (size_t i = 0; i < recipe->count; i++) {
                r = add_item(recipe, &recipe->items[i], &contents[i], &payload);
                if (r < 0)
                        return r;
        }
        r = payload_close(recipe, &payload);
        if (r < 0)
                return r;
        *ret_file = recipe->has_destination
                            ? obk_build(recipe->destination, recipe->do_encryption == 1,
                                        payload.bytes.data, payload.length)
                            : bytes_copy(payload.bytes.data, payload.length);
        return 0;
}

const char *obk_recipe_password(const struct obk_recipe *recipe)
{
        if (recipe->is_debug_authentication && recipe->items[0].kind == RECIPE_TEXT)
                return recipe->items[0].value;
        return NULL;
}

struct bytes obk_password_file(const char *password)
{
        size_t length = strlen(password);
        struct bytes file = bytes_new(PASSWORD_HEADER_LENGTH + length);

        store_le32(file.data, PASSWORD_TYPE);
        store_le32(file.data + 4, (uint32_t)length);
        memcpy(file.data + PASSWORD_HEADER_LENGTH, password, length);
        return file;
}

int obk_recipe_path(const char *recipe_path, const char *written, size_t capacity, char *ret_path)
{
        const char *slash = strrchr(recipe_path, '/');
        bool is_absolute = written[0] == '/' || written[0] == '\\';
        int directory = slash && !is_absolute ? (int)(slash - recipe_path + 1) : 0;

        if (isalpha((unsigned char)written[0]) && written[1] == ':')
                return fault(FAULT_BAD_VALUE,
                             "%.120s is a path of a Windows drive; write it relative to the recipe",
                             written);
        if ((size_t)directory + strlen(written) >= capacity)
                return fault(FAULT_BAD_VALUE, "the path %.120s is longer than %zu characters",
                             written, capacity - 1);
        snprintf(ret_path, capacity, "%.*s%s", directory, recipe_path, written);
        for (char *at = ret_path + directory; *at; at++)
                if (*at == '\\')
                        *at = '/';
        return 0;
}
