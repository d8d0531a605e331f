/*
 * obk_recipe_xml.c - the XML side of recipes: expat tells of elements, we gather one section.
 *
 * The documents are four levels deep: Root, Obdata, a section (Info, File, ...), its fields. The
 * text of a field is gathered until its end, a section until its end, then recipe_take() judges it.
 * What a section may hold is a table; an element outside it is refused by name and line, since an
 * element nobody knows may change the bytes. The first fault stops the parser; its sentence stands.
 *
 * A DTD is refused as such, so there are no entities to expand and nothing to fetch.
 */
#include "crypto/obk_recipe_parts.h"

#include <expat.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#define DEPTH_MAX 4
#define TEXT_MAX  8192u /* of a Tooltip */

/* Which elements a section may hold, a bit each. */
#define IN(section) (1u << SECTION_##section)
#define IN_NUMBERS  (IN(DATA) | IN(LIST) | IN(BOOL))
#define IN_ITEMS    (IN(FILE) | IN(PERMISSION) | IN(TEXT) | IN_NUMBERS)

static const struct field_name {
        const char *name;
        unsigned sections;
        enum recipe_field field;
} field_names[] = {
        { "Title", IN(INFO), FIELD_TITLE },
        { "MCU", IN(INFO), FIELD_MCU },
        { "ObDestAddress", IN(INFO), FIELD_DESTINATION },
        { "DoEncryption", IN(INFO), FIELD_ENCRYPTION },
        { "GlobalAlign", IN(INFO), FIELD_GLOBAL_ALIGN },
        /* ranges ST's window checks slots against */
        { "FlashStart", IN(INFO), FIELD_GUI },
        { "FlashSize", IN(INFO), FIELD_GUI },
        { "FlashSectorSize", IN(INFO), FIELD_GUI },
        { "OBKStart", IN(INFO), FIELD_GUI },
        { "OBKSize", IN(INFO), FIELD_GUI },
        { "OBKSectorSize", IN(INFO), FIELD_GUI },
        { "AuthOBKStart", IN(INFO), FIELD_GUI },
        { "AuthOBKSize", IN(INFO), FIELD_GUI },
        { "Name", IN_ITEMS | IN(OUTPUT), FIELD_NAME },
        { "Value", IN_ITEMS | IN(OUTPUT), FIELD_VALUE },
        { "Width", IN_NUMBERS | IN(PERMISSION) | IN(TEXT), FIELD_WIDTH },
        { "MinWidth", IN(TEXT), FIELD_MIN_WIDTH },
        { "Align", IN(FILE), FIELD_ALIGN },
        { "KeyType", IN(FILE), FIELD_KEY_TYPE },
        { "Type", IN(FILE), FIELD_TYPE },
        { "Val", IN(LIST), FIELD_CHOICE },
        { "True", IN(BOOL), FIELD_CHOICE },
        { "False", IN(BOOL), FIELD_CHOICE },
        /* of ST's window: what is offered, shown, greyed */
        { "Default", IN_ITEMS | IN(OUTPUT), FIELD_GUI },
        { "Tooltip", IN_ITEMS | IN(OUTPUT), FIELD_GUI },
        { "Hidden", IN_ITEMS | IN(OUTPUT), FIELD_GUI },
        { "Reserved", IN_ITEMS, FIELD_GUI },
        { "Slot", IN_ITEMS, FIELD_GUI },
        { "OBKSlot", IN_ITEMS, FIELD_GUI },
        { "Dependency", IN_ITEMS, FIELD_GUI },
};

static const char *const section_names[SECTION_COUNT] = {
        [SECTION_INFO] = "Info",     [SECTION_HASH] = "Hash", [SECTION_DA] = "DA",
        [SECTION_FILE] = "File",     [SECTION_TEXT] = "Text", [SECTION_PERMISSION] = "Permission",
        [SECTION_DATA] = "Data",     [SECTION_LIST] = "List", [SECTION_BOOL] = "Bool",
        [SECTION_OUTPUT] = "Output",
};

struct reader {
        struct obk_recipe *recipe;
        XML_Parser parser;
        int depth, result;
        bool has_obdata;
        struct recipe_element element;
        enum recipe_field field;
        unsigned field_line;
        size_t text_length;
        char text[TEXT_MAX + 1];
};

const char *recipe_section_name(enum recipe_section section)
{
        return section_names[section];
}

static unsigned present_line(const struct reader *reader)
{
        return (unsigned)XML_GetCurrentLineNumber(reader->parser);
}

static void stop(struct reader *reader, int result)
{
        if (reader->result < 0)
                return;
        reader->result = result;
        XML_StopParser(reader->parser, XML_FALSE);
}

/* --- beginnings ---------------------------------------------------------------------------- */

static int begin_section(struct reader *reader, const char *name)
{
        for (unsigned i = 0; i < SECTION_COUNT; i++) {
                if (strcmp(section_names[i], name) != 0)
                        continue;
                memset(&reader->element, 0, sizeof(reader->element));
                reader->element.section = (enum recipe_section)i;
                reader->element.line = present_line(reader);
                return 0;
        }
        return fault(FAULT_BAD_FILE,
                     "%s line %u: element %.40s is not known below Obdata, so its bytes are not "
                     "either",
                     reader->recipe->file, present_line(reader), name);
}

static int begin_field(struct reader *reader, const char *name)
{
        for (size_t i = 0; i < LENGTH_OF(field_names); i++) {
                const struct field_name *known = &field_names[i];

                if (strcmp(known->name, name) != 0 ||
                    !(known->sections & 1u << reader->element.section))
                        continue;
                if (known->field < FIELD_COUNT && reader->element.fields[known->field].is_given)
                        return fault(FAULT_BAD_FILE, "%s line %u: a second %s in %s",
                                     reader->recipe->file, present_line(reader), known->name,
                                     recipe_section_name(reader->element.section));
                reader->field = known->field;
                reader->field_line = present_line(reader);
                reader->text_length = 0;
                return 0;
        }
        return fault(FAULT_BAD_FILE,
                     "%s line %u: element %.40s is not known in %s, so its effect is not either",
                     reader->recipe->file, present_line(reader), name,
                     recipe_section_name(reader->element.section));
}

static int begin_root(struct reader *reader, const char *name)
{
        if (strcmp(name, "Root") == 0)
                return 0;
        return fault(FAULT_BAD_FILE, "%s line %u: the outermost element is %.40s, wanted Root",
                     reader->recipe->file, present_line(reader), name);
}

static int begin_obdata(struct reader *reader, const char *name)
{
        if (strcmp(name, "McubootFormat") == 0)
                return fault(FAULT_BAD_FILE,
                             "%s line %u: it is an image recipe (McubootFormat, -pb of ST's tool), "
                             "wanted Obdata",
                             reader->recipe->file, present_line(reader));
        if (strcmp(name, "Obdata") != 0 || reader->has_obdata)
                return fault(FAULT_BAD_FILE, "%s line %u: found %.40s in Root, wanted one Obdata",
                             reader->recipe->file, present_line(reader), name);
        reader->has_obdata = true;
        return 0;
}

static void XMLCALL on_begin(void *subject, const XML_Char *name, const XML_Char **attributes)
{
        struct reader *reader = subject;
        int r;

        if (reader->result < 0)
                return;
        if (attributes[0] && reader->depth > 0) {
                stop(reader,
                     fault(FAULT_BAD_FILE,
                           "%s line %u: attribute %.40s of %.40s is not "
                           "known",
                           reader->recipe->file, present_line(reader), attributes[0], name));
                return;
        }
        switch (++reader->depth) {
        case 1:
                r = begin_root(reader, name);
                break;
        case 2:
                r = begin_obdata(reader, name);
                break;
        case 3:
                r = begin_section(reader, name);
                break;
        case DEPTH_MAX:
                r = begin_field(reader, name);
                break;
        default:
                r = fault(FAULT_BAD_FILE, "%s line %u: element %.40s is nested deeper than %d",
                          reader->recipe->file, present_line(reader), name, DEPTH_MAX);
        }
        if (r < 0)
                stop(reader, r);
}

/* --- text and ends ------------------------------------------------------------------------- */

static void XMLCALL on_text(void *subject, const XML_Char *text, int length)
{
        struct reader *reader = subject;

        if (reader->result < 0)
                return;
        for (int i = 0; reader->depth < DEPTH_MAX && i < length; i++)
                if (!isspace((unsigned char)text[i])) {
                        stop(reader, fault(FAULT_BAD_FILE, "%s line %u: text between elements",
                                           reader->recipe->file, present_line(reader)));
                        return;
                }
        if (reader->depth < DEPTH_MAX)
                return;
        if ((size_t)length > TEXT_MAX - reader->text_length) {
                stop(reader, fault(FAULT_BAD_FILE, "%s line %u: a text of more than %u bytes",
                                   reader->recipe->file, reader->field_line, TEXT_MAX));
                return;
        }
        memcpy(reader->text + reader->text_length, text, (size_t)length);
        reader->text_length += (size_t)length;
}

/* Blanks around a value are of the file's layout. */
static const char *trimmed_text(struct reader *reader)
{
        char *start = reader->text, *end = reader->text + reader->text_length;

        while (end > start && isspace((unsigned char)end[-1]))
                end--;
        *end = '\0';
        while (isspace((unsigned char)*start))
                start++;
        return start;
}

/* "0x01,firmware image only": the number before the comma. */
static int end_choice(struct reader *reader, const char *text)
{
        struct recipe_element *element = &reader->element;
        uint8_t number[RECIPE_NUMBER_MAX];
        char digits[32];
        size_t length = strcspn(text, ",");

        while (length && isspace((unsigned char)text[length - 1]))
                length--;
        if (element->choice_count == RECIPE_CHOICES_MAX)
                return fault(FAULT_BAD_FILE, "%s line %u: more than %u choices",
                             reader->recipe->file, reader->field_line, RECIPE_CHOICES_MAX);
        snprintf(digits, sizeof(digits), "%.*s", (int)(length < 32 ? length : 32), text);
        if (length >= sizeof(digits) || !recipe_number(digits, sizeof(uint64_t), number))
                return fault(FAULT_BAD_VALUE,
                             "%s line %u: the choice %.40s does not begin with a number of at "
                             "most 64 bits",
                             reader->recipe->file, reader->field_line, text);
        element->choices[element->choice_count++] =
                (uint64_t)load_le32(number + 4) << 32 | load_le32(number);
        return 0;
}

static int end_field(struct reader *reader)
{
        const char *text = trimmed_text(reader);
        struct recipe_text *field;
        size_t length = strlen(text);

        if (reader->field == FIELD_GUI)
                return 0;
        if (reader->field == FIELD_CHOICE)
                return end_choice(reader, text);
        field = &reader->element.fields[reader->field];
        if (length >= sizeof(field->text))
                return fault(FAULT_BAD_FILE, "%s line %u: a value of %zu bytes, wanted at most %zu",
                             reader->recipe->file, reader->field_line, length,
                             sizeof(field->text) - 1);
        memcpy(field->text, text, length + 1);
        field->is_given = true;
        field->line = reader->field_line;
        return 0;
}

static void XMLCALL on_end(void *subject, const XML_Char *name)
{
        struct reader *reader = subject;
        int r = 0;

        (void)name;
        if (reader->result < 0)
                return;
        if (reader->depth == DEPTH_MAX)
                r = end_field(reader);
        else if (reader->depth == 3)
                r = recipe_take(reader->recipe, &reader->element);
        reader->depth--;
        if (r < 0)
                stop(reader, r);
}

static void XMLCALL on_doctype(void *subject, const XML_Char *name, const XML_Char *system_id,
                               const XML_Char *public_id, int has_internal_subset)
{
        struct reader *reader = subject;

        (void)name, (void)system_id, (void)public_id, (void)has_internal_subset;
        stop(reader,
             fault(FAULT_BAD_FILE, "%s line %u: a document type (DTD) is not allowed; take it out",
                   reader->recipe->file, present_line(reader)));
}

/* --- the document -------------------------------------------------------------------------- */

static void reader_free(struct reader **reader)
{
        if (!*reader)
                return;
        XML_ParserFree((*reader)->parser);
        obk_recipe_free((*reader)->recipe);
        wipe(*reader, sizeof(**reader)); /* passwords pass through it */
        free(*reader);
}

static struct reader *reader_new(const char *name)
{
        struct reader *reader = calloc(1, sizeof(*reader));
        size_t length = strlen(name);

        INSIST(reader);
        reader->recipe = calloc(1, sizeof(*reader->recipe));
        reader->parser = XML_ParserCreate(NULL);
        INSIST(reader->recipe && reader->parser);
        snprintf(reader->recipe->file, sizeof(reader->recipe->file), "%s",
                 length < RECIPE_NAME_MAX ? name : name + length - RECIPE_NAME_MAX + 1);
        XML_SetUserData(reader->parser, reader);
        XML_SetElementHandler(reader->parser, on_begin, on_end);
        XML_SetCharacterDataHandler(reader->parser, on_text);
        XML_SetStartDoctypeDeclHandler(reader->parser, on_doctype);
        return reader;
}

int obk_recipe_parse(const char *name, const void *text, size_t length,
                     struct obk_recipe **ret_recipe)
{
        struct reader *reader CLEANUP(reader_free) = NULL;
        int r;

        if (length > RECIPE_FILE_MAX)
                return fault(FAULT_BAD_FILE, "%s: %zu bytes, wanted at most %u", name, length,
                             RECIPE_FILE_MAX);
        reader = reader_new(name);
        if (XML_Parse(reader->parser, text, (int)length, 1) != XML_STATUS_OK) {
                if (reader->result < 0)
                        return reader->result;
                return fault(FAULT_BAD_FILE, "%s line %u: %s", reader->recipe->file,
                             present_line(reader),
                             XML_ErrorString(XML_GetErrorCode(reader->parser)));
        }
        r = recipe_finish(reader->recipe);
        if (r < 0)
                return r;
        *ret_recipe = reader->recipe;
        reader->recipe = NULL;
        return 0;
}
