/*
 * Segments are padded to what the flash can program at once, checked against the flash, and become
 * areas. The walk over the areas fills part after part: what fits goes in; what does not closes the
 * part with P and opens the next with R; firmware larger than an empty part is cut where a flash
 * word ends. An area fits only if the closing P still fits behind it, unless all that follows fits
 * too and no P is needed.
 */
#include "station/commands/image_plan.h"

#include <stdlib.h>

/* Version-2 images of ST's tool have F payloads of multiples of 16, version 1 of 4 (spec 2.4). */
#define UNIT_PROTOCOL_1 4u
#define UNIT_PROTOCOL_2 16u

/* Which gaps the vendor fills is not public (spec 2.6). A gap no longer than the area header it
 * saves costs nothing to fill. */
#define GAP_FILLED SFI_AREA_HEADER_LENGTH

/* Cuts fall on multiples of this, or of the flash word where that is larger (spec 6.4). */
#define CUT_UNIT 16u

static const uint8_t pause_payload[IMAGE_PAUSE_LENGTH];

struct walk {
        const struct image_rules *rules;
        struct image_plan *plan;
        uint64_t used;  /* by the part being filled */
        uint64_t empty; /* what `used` was when it was opened */
        uint64_t rest;  /* cost of the areas still to come */
};

static void plan_add(struct image_plan *plan, struct sfi_plain_area area)
{
        if (plan->count == plan->capacity) {
                plan->capacity = plan->capacity ? 2 * plan->capacity : 64;
                plan->areas = reallocarray(plan->areas, plan->capacity, sizeof(*plan->areas));
                INSIST(plan->areas);
        }
        plan->areas[plan->count++] = area;
}

static uint64_t cost(const struct sfi_plain_area *area)
{
        return SFI_AREA_HEADER_LENGTH + area->length;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
        return a > b ? a : b;
}

/* --- what lies where ----------------------------------------------------------------------- */

static bool is_in_flash(const struct family *family, uint64_t address, uint64_t length)
{
        uint64_t end = address + length;

        for (unsigned i = 0; i < family->banks && address < end; i++) {
                uint64_t bank = family->bank_address[i];

                /* banks rise and may touch: an area may run from one into the next */
                if (address >= bank && address < bank + family->bank_length)
                        address = bank + family->bank_length;
        }
        return address >= end;
}

static int check_flash(const struct family *family, const struct firmware *firmware)
{
        for (size_t i = 0; i < firmware->count; i++) {
                const struct firmware_segment *segment = &firmware->segments[i];
                uint32_t last = (uint32_t)(segment->address + segment->data.length - 1);

                if (is_in_flash(family, segment->address, segment->data.length))
                        continue;
                return fault(
                        FAULT_BAD_VALUE,
                        "%s: area 0x%08X..0x%08X not in flash, wanted %u banks of 0x%X bytes "
                        "from 0x%08X (%s): set the linker's addresses or name another --family",
                        firmware->names[segment->file], segment->address, last, family->banks,
                        family->bank_length, family->bank_address[0], family->name);
        }
        return 0;
}

/* The RSS keeps its state at the token's address between parts, so no firmware may lie there. */
static int check_token(const struct image_rules *rules, const struct firmware *firmware)
{
        uint32_t word = larger(rules->family->word_length, 1);

        if (!rules->has_token)
                return 0;
        if (!is_in_flash(rules->family, rules->token, word) || rules->token % word)
                return fault(FAULT_BAD_VALUE,
                             "the continuation token address is 0x%08X, wanted a multiple of %u in "
                             "the flash of %s",
                             rules->token, word, rules->family->name);
        for (size_t i = 0; i < firmware->count; i++) {
                const struct firmware_segment *segment = &firmware->segments[i];

                if (rules->token >= segment->address &&
                    rules->token - segment->address < segment->data.length)
                        return fault(FAULT_BAD_VALUE,
                                     "the continuation token address 0x%08X lies in the area "
                                     "0x%08X..0x%08X of %s: give it a sector of its own",
                                     rules->token, segment->address,
                                     (uint32_t)(segment->address + segment->data.length - 1),
                                     firmware->names[segment->file]);
        }
        return 0;
}

/* --- parts --------------------------------------------------------------------------------- */

static struct sfi_plain_area boundary(const struct image_rules *rules, char type)
{
        return (struct sfi_plain_area){
                .type = type,
                .address = rules->token,
                .data = pause_payload,
                .length = rules->protocol == 1 ? 0 : IMAGE_PAUSE_LENGTH,
        };
}

static uint64_t boundary_cost(const struct image_rules *rules)
{
        struct sfi_plain_area pause = boundary(rules, SFI_PAUSE);

        return cost(&pause);
}

static void note_part(struct walk *walk)
{
        if (walk->used > walk->plan->largest_part)
                walk->plan->largest_part = walk->used;
        walk->plan->parts++;
}

static void next_part(struct walk *walk)
{
        plan_add(walk->plan, boundary(walk->rules, SFI_PAUSE));
        walk->used += boundary_cost(walk->rules);
        note_part(walk);
        plan_add(walk->plan, boundary(walk->rules, SFI_RESUME));
        walk->used = walk->empty = SFI_HEADER_LENGTH + boundary_cost(walk->rules);
}

static bool fits(const struct walk *walk, uint64_t used, const struct sfi_plain_area *area)
{
        uint64_t with = used + cost(area);

        return with + boundary_cost(walk->rules) <= walk->rules->ram_length ||
               with + walk->rest <= walk->rules->ram_length;
}

/* How many bytes of `area` go into what is left of this part, to the end of a flash word. */
static uint32_t piece_length(const struct walk *walk, const struct sfi_plain_area *area)
{
        uint64_t taken = walk->used + SFI_AREA_HEADER_LENGTH + boundary_cost(walk->rules);
        uint32_t unit = larger(CUT_UNIT, walk->rules->family->word_length);
        uint64_t end;

        if (taken >= walk->rules->ram_length)
                return 0;
        end = area->address + (walk->rules->ram_length - taken);
        end -= end % unit;
        return end > area->address ? (uint32_t)(end - area->address) : 0;
}

static int place_area(struct walk *walk, struct sfi_plain_area area)
{
        uint64_t opened = SFI_HEADER_LENGTH + boundary_cost(walk->rules);

        while (!fits(walk, walk->used, &area)) {
                uint32_t piece = area.type == SFI_FIRMWARE ? piece_length(walk, &area) : 0;
                struct sfi_plain_area head = area;

                if (walk->used > walk->empty && (fits(walk, opened, &area) || !piece)) {
                        next_part(walk);
                        continue;
                }
                if (!piece)
                        return fault(FAULT_NO_ROOM,
                                     "the %s area of %zu bytes at 0x%08X does not fit a part of %u "
                                     "bytes (--ramsize): give more",
                                     sfi_type_name(area.type), area.length, area.address,
                                     walk->rules->ram_length);
                head.length = piece;
                plan_add(walk->plan, head);
                walk->used += cost(&head);
                area.data = (const uint8_t *)area.data + piece;
                area.address += piece;
                area.length -= piece;
                next_part(walk);
        }
        plan_add(walk->plan, area);
        walk->used += cost(&area);
        return 0;
}

static int place_areas(struct walk *walk, const struct image_plan *whole)
{
        const struct image_rules *rules = walk->rules;
        int r;

        for (size_t i = 0; i < whole->count; i++)
                walk->rest += cost(&whole->areas[i]);
        if (rules->ram_length && walk->used + walk->rest > rules->ram_length && !rules->has_token)
                return fault(FAULT_BAD_VALUE,
                             "the image takes %llu bytes of RAM, --ramsize gives %u: give the "
                             "address of a continuation token too (-ct), for the parts",
                             (unsigned long long)(walk->used + walk->rest), rules->ram_length);
        for (size_t i = 0; i < whole->count; i++) {
                struct sfi_plain_area area = whole->areas[i];

                walk->rest -= cost(&area);
                if (rules->ram_length) {
                        r = place_area(walk, area);
                        if (r < 0)
                                return r;
                } else {
                        plan_add(walk->plan, area);
                        walk->used += cost(&area);
                }
        }
        note_part(walk);
        return 0;
}

/* --- the whole ----------------------------------------------------------------------------- */

int image_plan_make(const struct image_rules *rules, struct firmware *firmware,
                    const struct bytes *options, struct image_plan *ret_plan)
{
        struct image_plan whole CLEANUP(image_plan_free) = { 0 };
        struct image_plan plan = { 0 };
        struct walk walk = {
                .rules = rules, .plan = &plan, .used = SFI_HEADER_LENGTH, .empty = SFI_HEADER_LENGTH
        };
        uint32_t unit = rules->protocol == 1 ? UNIT_PROTOCOL_1
                                             : larger(UNIT_PROTOCOL_2, rules->family->word_length);
        int r;

        r = firmware_merge(firmware, GAP_FILLED, rules->padding, unit);
        if (r >= 0)
                r = check_flash(rules->family, firmware);
        if (r >= 0)
                r = check_token(rules, firmware);
        if (r < 0)
                return r;
        for (size_t i = 0; i < firmware->count; i++)
                plan_add(&whole, (struct sfi_plain_area){
                                         .type = SFI_FIRMWARE,
                                         .address = firmware->segments[i].address,
                                         .data = firmware->segments[i].data.data,
                                         .length = firmware->segments[i].data.length,
                                 });
        if (options->length)
                plan_add(&whole, (struct sfi_plain_area){ .type = SFI_CONFIGURATION,
                                                          .data = options->data,
                                                          .length = options->length });
        r = place_areas(&walk, &whole);
        if (r < 0) {
                image_plan_free(&plan);
                return r;
        }
        *ret_plan = plan;
        return 0;
}

void image_plan_free(struct image_plan *plan)
{
        free(plan->areas);
        *plan = (struct image_plan){ 0 };
}
