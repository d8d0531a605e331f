/*
 * Segments are padded to what the flash can program at once, and become areas. The walk over the
 * areas fills part after part: what fits goes in; what does not closes the part with P and opens the
 * next with R; firmware larger than an empty part is cut where a flash word ends. An area fits only
 * if the closing P still fits behind it, unless all that follows fits too and no P is needed.
 * Every piece of external firmware gets its prefix, so that each can be programmed by itself.
 */
#include "station/commands/image_plan.h"

#include <stdlib.h>

/* Version-2 images of ST's tool have F payloads of multiples of 16, version 1 of 4 (spec 2.4). */
#define UNIT_PROTOCOL_1 4u
#define UNIT_PROTOCOL_2 16u

/* The OTFDEC works on blocks of 16 bytes (targets.md 8.2). */
#define UNIT_EXTERNAL 16u

/* Which gaps the vendor fills is not public (spec 2.6). A gap no longer than the area header it
 * saves costs nothing to fill. Beside random keys none is filled: they may lie in the gap. */
#define GAP_FILLED SFI_AREA_HEADER_LENGTH

/* Cuts fall on multiples of this, or of the flash word where that is larger (spec 6.4). */
#define CUT_UNIT 16u

/* An area that is still whole. */
struct whole {
        struct sfi_plain_area area;            /* E: without its prefix */
        const struct image_external *external; /* E: where the prefix comes from */
        bool opens_part;                       /* a pair of P and R stands before it */
};

struct wholes {
        struct whole *items;
        size_t count;
};

struct walk {
        const struct image_rules *rules;
        struct image_plan *plan;
        uint64_t used;        /* by the part being filled */
        uint64_t empty;       /* what `used` was when it was opened */
        uint64_t rest;        /* cost of the areas still to come */
        bool has_pause_ahead; /* an area to come opens a part */
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

/* Bytes that live as long as the plan. */
static struct bytes *plan_own(struct image_plan *plan, struct bytes bytes)
{
        if (plan->owned_count == plan->owned_capacity) {
                plan->owned_capacity = plan->owned_capacity ? 2 * plan->owned_capacity : 16;
                plan->owned = reallocarray(plan->owned, plan->owned_capacity, sizeof(*plan->owned));
                INSIST(plan->owned);
        }
        plan->owned[plan->owned_count] = bytes;
        return &plan->owned[plan->owned_count++];
}

static void wholes_free(struct wholes *wholes)
{
        free(wholes->items);
}

static size_t prefix_length(const struct whole *whole)
{
        return whole->external ? SFI_EXTERNAL_PREFIX_LENGTH : 0;
}

static uint64_t cost(const struct whole *whole)
{
        return SFI_AREA_HEADER_LENGTH + prefix_length(whole) + whole->area.length;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
        return a > b ? a : b;
}

static bool is_firmware(const struct whole *whole)
{
        return whole->area.type == SFI_FIRMWARE || whole->area.type == SFI_EXTERNAL;
}

/* A whole area, or a piece of one, into the plan; E gets its prefix when all pieces are known. */
static void plan_put(struct walk *walk, const struct whole *whole)
{
        walk->used += cost(whole);
        plan_add(walk->plan, whole->area);
}

/* --- parts --------------------------------------------------------------------------------- */

static size_t pause_length(const struct image_rules *rules)
{
        return rules->protocol == 1 ? 0 : IMAGE_PAUSE_LENGTH;
}

static uint64_t boundary_cost(const struct walk *walk)
{
        return SFI_AREA_HEADER_LENGTH + pause_length(walk->rules);
}

/* Each has bytes of its own: sealing encrypts them in place. */
static void add_boundary(struct walk *walk, char type)
{
        const struct bytes *bytes = plan_own(walk->plan, bytes_new(pause_length(walk->rules)));

        plan_add(walk->plan, (struct sfi_plain_area){
                                     .type = type,
                                     .address = walk->rules->token.address,
                                     .data = bytes->data,
                                     .length = bytes->length,
                             });
        walk->used += boundary_cost(walk);
}

static void note_part(struct walk *walk)
{
        if (walk->used > walk->plan->largest_part)
                walk->plan->largest_part = walk->used;
        walk->plan->parts++;
}

static void next_part(struct walk *walk)
{
        add_boundary(walk, SFI_PAUSE);
        note_part(walk);
        walk->used = SFI_HEADER_LENGTH;
        add_boundary(walk, SFI_RESUME);
        walk->empty = walk->used;
}

static bool fits(const struct walk *walk, uint64_t used, const struct whole *whole)
{
        uint64_t with = used + cost(whole);

        return with + boundary_cost(walk) <= walk->rules->ram_length ||
               (!walk->has_pause_ahead && with + walk->rest <= walk->rules->ram_length);
}

/* How many bytes of `whole` go into what is left of this part, to the end of a flash word. */
static uint32_t piece_length(const struct walk *walk, const struct whole *whole)
{
        uint64_t taken =
                walk->used + SFI_AREA_HEADER_LENGTH + prefix_length(whole) + boundary_cost(walk);
        uint32_t unit = larger(CUT_UNIT, walk->rules->family->word_length);
        uint64_t end;

        if (taken >= walk->rules->ram_length)
                return 0;
        end = whole->area.address + (walk->rules->ram_length - taken);
        end -= end % unit;
        return end > whole->area.address ? (uint32_t)(end - whole->area.address) : 0;
}

/* The first `length` bytes of `whole`, which keeps the rest. */
static struct whole cut(struct whole *whole, uint32_t length)
{
        struct whole head = *whole;

        head.area.length = length;
        whole->area.data = (uint8_t *)whole->area.data + length;
        whole->area.address += length;
        whole->area.length -= length;
        return head;
}

static int place_area(struct walk *walk, struct whole whole)
{
        uint64_t opened = SFI_HEADER_LENGTH + boundary_cost(walk);

        while (!fits(walk, walk->used, &whole)) {
                uint32_t piece = is_firmware(&whole) ? piece_length(walk, &whole) : 0;
                struct whole head;

                if (walk->used > walk->empty && (fits(walk, opened, &whole) || !piece)) {
                        next_part(walk);
                        continue;
                }
                if (!piece)
                        return fault(FAULT_NO_ROOM,
                                     "the %s area of %zu bytes at 0x%08X does not fit a part of %u "
                                     "bytes (--ramsize): give more",
                                     sfi_type_name(whole.area.type), whole.area.length,
                                     whole.area.address, walk->rules->ram_length);
                head = cut(&whole, piece);
                plan_put(walk, &head);
                next_part(walk);
        }
        plan_put(walk, &whole);
        return 0;
}

/* -rs without -ct is enough only while everything fits. */
static int check_token_given(const struct walk *walk)
{
        const struct image_rules *rules = walk->rules;

        if (rules->token.is_given)
                return 0;
        if (walk->has_pause_ahead || rules->always_parts)
                return fault(FAULT_BAD_VALUE,
                             "%s: give the address of a continuation token in flash (-ct)",
                             rules->has_hash ? "-hash 1 puts the digest into pause and resume areas"
                                             : "an image of external firmware always has pause and "
                                               "resume areas");
        if (rules->ram_length && walk->used + walk->rest > rules->ram_length)
                return fault(FAULT_BAD_VALUE,
                             "the image takes %llu bytes of RAM, --ramsize gives %u: give the "
                             "address of a continuation token too (-ct), for the parts",
                             (unsigned long long)(walk->used + walk->rest), rules->ram_length);
        return 0;
}

static int place_areas(struct walk *walk, const struct wholes *wholes)
{
        size_t pauses = 0;
        int r;

        for (size_t i = 0; i < wholes->count; i++) {
                walk->rest += cost(&wholes->items[i]);
                pauses += wholes->items[i].opens_part;
        }
        walk->has_pause_ahead = pauses > 0;
        r = check_token_given(walk);
        for (size_t i = 0; i < wholes->count && r >= 0; i++) {
                const struct whole *whole = &wholes->items[i];

                walk->rest -= cost(whole);
                pauses -= whole->opens_part;
                walk->has_pause_ahead = pauses > 0;
                if (whole->opens_part && walk->used > walk->empty)
                        next_part(walk);
                if (walk->rules->ram_length)
                        r = place_area(walk, *whole);
                else
                        plan_put(walk, whole);
        }
        note_part(walk);
        return r;
}

/* --- the whole ----------------------------------------------------------------------------- */

static void add(struct wholes *wholes, struct whole whole)
{
        wholes->items[wholes->count++] = whole;
}

static void add_firmware(struct wholes *wholes, char type, const struct firmware *firmware,
                         const struct image_external *external)
{
        for (size_t i = 0; i < firmware->count; i++)
                add(wholes, (struct whole){ .area = { .type = type,
                                                      .address = firmware->segments[i].address,
                                                      .data = firmware->segments[i].data.data,
                                                      .length = firmware->segments[i].data.length },
                                            .external = external });
}

static void add_blobs(struct wholes *wholes, const struct image_inputs *inputs, char type)
{
        for (size_t i = 0; i < inputs->blob_count; i++) {
                const struct image_blob *blob = &inputs->blobs[i];

                if (blob->type == type)
                        add(wholes, (struct whole){ .area = { .type = type,
                                                              .address = blob->address,
                                                              .data = blob->data.data,
                                                              .length = blob->data.length } });
        }
}

static struct wholes gather(const struct image_inputs *inputs, struct image_plan *plan)
{
        size_t most = inputs->firmware.count + inputs->blob_count + 2;
        struct wholes wholes = { 0 };

        for (size_t i = 0; i < inputs->external_count; i++)
                most += inputs->externals[i].firmware.count;
        wholes.items = calloc(most + 1, sizeof(*wholes.items)); /* one more: see open_last_part() */
        INSIST(wholes.items);
        add_firmware(&wholes, SFI_FIRMWARE, &inputs->firmware, NULL);
        if (inputs->key_areas.count) {
                struct bytes *keys = plan_own(plan, key_areas_encode(&inputs->key_areas));

                add(&wholes,
                    (struct whole){ .area = { .type = SFI_KEYS,
                                              .address = inputs->key_areas.areas[0].address,
                                              .data = keys->data,
                                              .length = keys->length } });
        }
        add_blobs(&wholes, inputs, SFI_MODULE);
        add_blobs(&wholes, inputs, SFI_OPTION_KEY_REFERENCE);
        add_blobs(&wholes, inputs, SFI_SSFI_REFERENCE);
        for (size_t i = 0; i < inputs->external_count; i++)
                add_firmware(&wholes, SFI_EXTERNAL, &inputs->externals[i].firmware,
                             &inputs->externals[i]);
        if (inputs->options.length)
                add(&wholes, (struct whole){ .area = { .type = SFI_CONFIGURATION,
                                                       .data = inputs->options.data,
                                                       .length = inputs->options.length } });
        return wholes;
}

/* External firmware always has P and R, and everything internal is installed before it (spec 6.3). Option
 * bytes behind it have a part of their own: they may close the part, and external data goes out when the
 * part of the image that carries it is done. */
static void open_external_parts(struct wholes *wholes)
{
        bool has_external = false;

        for (size_t i = 0; i < wholes->count; i++) {
                struct whole *whole = &wholes->items[i];

                whole->opens_part = has_external ? whole->area.type == SFI_CONFIGURATION
                                                 : whole->external != NULL;
                has_external |= whole->external != NULL;
        }
}

/* P and R where nothing else asks for them: before the last area; an image of one area is cut in
 * two. */
static int open_last_part(const struct image_rules *rules, struct wholes *wholes)
{
        uint32_t unit = larger(CUT_UNIT, rules->family->word_length), half;
        struct whole *last = &wholes->items[wholes->count - 1];

        if (wholes->count == 1) {
                half = (uint32_t)(last->area.length / 2) / unit * unit;
                if (!half || !is_firmware(last))
                        return fault(FAULT_NO_ROOM,
                                     "the image is one area of %zu bytes, too short for pause and "
                                     "resume areas: add option bytes (-ob)",
                                     last->area.length);
                wholes->items[1] = *last;
                wholes->items[0] = cut(&wholes->items[1], half);
                wholes->count = 2;
                last = &wholes->items[1];
        }
        last->opens_part = true;
        return 0;
}

void image_firmware_digest(const struct sfi_plain_area *areas, size_t count,
                           uint8_t ret_digest[static DIGEST_LENGTH])
{
        struct piece *pieces = calloc(count + 1, sizeof(*pieces));
        size_t used = 0;

        INSIST(pieces);
        for (size_t i = 0; i < count; i++) {
                size_t prefix = areas[i].type == SFI_EXTERNAL ? SFI_EXTERNAL_PREFIX_LENGTH : 0;

                if ((areas[i].type == SFI_FIRMWARE || prefix) && areas[i].length >= prefix)
                        pieces[used++] = (struct piece){ (const uint8_t *)areas[i].data + prefix,
                                                         areas[i].length - prefix };
        }
        digest_sha256_pieces(pieces, used, ret_digest);
        free(pieces);
}

static void put_digest(struct image_plan *plan)
{
        uint8_t digest[DIGEST_LENGTH];

        image_firmware_digest(plan->areas, plan->count, digest);
        for (size_t i = 0; i < plan->count; i++) {
                const struct sfi_plain_area *area = &plan->areas[i];

                if (area->type == SFI_PAUSE || area->type == SFI_RESUME)
                        memcpy(area->data, digest, area->length);
        }
}

static int merge_firmware(const struct image_rules *rules, struct image_inputs *inputs)
{
        uint32_t unit = rules->protocol == 1 ? UNIT_PROTOCOL_1
                                             : larger(UNIT_PROTOCOL_2, rules->family->word_length);
        uint32_t gap = inputs->key_areas.count ? 0 : GAP_FILLED;
        int r = image_check(rules->family, inputs, &rules->token);

        if (r >= 0)
                r = firmware_merge(&inputs->firmware, gap, rules->padding, unit);
        for (size_t i = 0; i < inputs->external_count && r >= 0; i++)
                r = firmware_merge(&inputs->externals[i].firmware, GAP_FILLED, rules->padding,
                                   UNIT_EXTERNAL);
        return r < 0 ? r : image_check_padded(rules->family, inputs, &rules->token);
}

/* Behind area `at`, which pieces of E make up `length` bytes; returns where they end. */
static size_t find_pieces(const struct image_plan *plan, size_t at, size_t length,
                          size_t *ret_pieces)
{
        size_t pieces = 0;

        while (length) {
                INSIST(at < plan->count);
                if (plan->areas[at].type == SFI_EXTERNAL) {
                        INSIST(plan->areas[at].length <= length);
                        length -= plan->areas[at].length;
                        pieces++;
                }
                at++;
        }
        *ret_pieces = pieces;
        return at;
}

/* A prefix before each piece of a segment (AN5054 section 2.3), which grows by them where it lies and
 * is the plan's from then on. From the end, so that nothing is overwritten before it is moved. */
static size_t prefix_segment(struct image_plan *plan, size_t at,
                             const struct image_external *external,
                             struct firmware_segment *segment)
{
        size_t from = segment->data.length, pieces, end, to;
        struct bytes *bytes = plan_own(plan, segment->data);

        segment->data = (struct bytes){ 0 };
        end = find_pieces(plan, at, from, &pieces);
        bytes_grow(bytes, from + pieces * SFI_EXTERNAL_PREFIX_LENGTH);
        to = bytes->length;
        for (size_t i = end; i-- > at;) {
                struct sfi_plain_area *area = &plan->areas[i];

                if (area->type != SFI_EXTERNAL)
                        continue;
                from -= area->length;
                to -= area->length;
                memmove(bytes->data + to, bytes->data + from, area->length);
                to -= SFI_EXTERNAL_PREFIX_LENGTH;
                store_le32(bytes->data + to, external->region);
                store_le32(bytes->data + to + 4, external->mode);
                store_le32(bytes->data + to + 8, external->key_address);
                area->data = bytes->data + to;
                area->length += SFI_EXTERNAL_PREFIX_LENGTH;
        }
        INSIST(from == 0 && to == 0);
        return end;
}

/* The pieces stand in the plan in the order of files and segments. */
static void prefix_external(struct image_plan *plan, struct image_inputs *inputs)
{
        size_t at = 0;

        for (size_t i = 0; i < inputs->external_count; i++) {
                struct image_external *external = &inputs->externals[i];

                for (size_t j = 0; j < external->firmware.count; j++)
                        at = prefix_segment(plan, at, external, &external->firmware.segments[j]);
        }
}

static int place(const struct image_rules *rules, const struct wholes *wholes,
                 struct image_plan *plan)
{
        struct walk walk = {
                .rules = rules, .plan = plan, .used = SFI_HEADER_LENGTH, .empty = SFI_HEADER_LENGTH
        };

        plan->count = plan->parts = 0;
        plan->largest_part = 0;
        return place_areas(&walk, wholes);
}

int image_plan_make(const struct image_rules *rules, struct image_inputs *inputs,
                    struct image_plan *ret_plan)
{
        struct image_plan plan CLEANUP(image_plan_free) = { 0 };
        struct wholes wholes CLEANUP(wholes_free) = { 0 };
        int r = merge_firmware(rules, inputs);

        if (r < 0)
                return r;
        wholes = gather(inputs, &plan);
        open_external_parts(&wholes);
        r = place(rules, &wholes, &plan);
        if (r >= 0 && rules->always_parts && plan.parts == 1 && wholes.count) {
                r = open_last_part(rules, &wholes);
                if (r >= 0)
                        r = place(rules, &wholes, &plan);
        }
        if (r < 0)
                return r;
        prefix_external(&plan, inputs);
        if (rules->has_hash)
                put_digest(&plan);
        *ret_plan = plan;
        plan = (struct image_plan){ 0 };
        return 0;
}

void image_plan_free(struct image_plan *plan)
{
        for (size_t i = 0; i < plan->owned_count; i++)
                bytes_wipe_free(&plan->owned[i]);
        free(plan->owned);
        free(plan->areas);
        *plan = (struct image_plan){ 0 };
}
