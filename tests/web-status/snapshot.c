/*
 * snapshot.c - the line as JSON and back.
 */
#include "tests/support/snapshot_example.h"
#include "tests/support/test.h"
#include "web-status/web.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct snapshot before, after;

static int parse(const char *json)
{
        return snapshot_parse(json, strlen(json), &after);
}

static void assert_round_trip(void)
{
        char *json = snapshot_json(&before);

        assert_non_null(json);
        memset(&after, 0xaa, sizeof(after));
        assert_int_equal(parse(json), 0);
        assert_memory_equal(&before, &after, sizeof(before));
        free(json);
}

static int there_and_back(void)
{
        char *json = snapshot_json(&before);
        int r;

        assert_non_null(json);
        r = parse(json);
        free(json);
        return r;
}

static void an_ordinary_line_comes_back_as_it_went(void **state)
{
        (void)state;
        line_example(&before, 16, 7);
        assert_round_trip();
}

static void a_full_line_with_quotes_and_control_characters_comes_back(void **state)
{
        (void)state;
        line_full(&before);
        assert_round_trip();
}

static void sixteen_cards_and_their_needs_come_back(void **state)
{
        (void)state;
        line_example(&before, 4, 0);
        cards_example(&before, 16);
        assert_int_equal(before.card_count, 16);
        assert_int_equal(before.need_count, 2);
        assert_round_trip();
        assert_int_equal(after.cards[1].lost, 1);
        assert_string_equal(after.cards[3].state, "slow");
        assert_true(after.cards[0].dry_ms > after.now_ms);
}

static void an_empty_line_comes_back(void **state)
{
        (void)state;
        memset(&before, 0, sizeof(before));
        assert_round_trip();
}

static void utf8_comes_back_and_a_letter_cut_in_half_is_dropped(void **state)
{
        (void)state;
        memset(&before, 0, sizeof(before));
        snprintf(before.station, sizeof(before.station),
                 "Pr\xc3\xbc"
                 "fplatz \xe2\x82\xac");
        assert_round_trip();
        snprintf(before.station, sizeof(before.station), "Pr\xc3");
        assert_int_equal(there_and_back(), 0);
        assert_string_equal(after.station, "Pr");
}

static void bytes_that_are_no_text_become_question_marks(void **state)
{
        (void)state;
        memset(&before, 0, sizeof(before));
        snprintf(before.station, sizeof(before.station),
                 "a\xff\xfe"
                 "b\xc3\xbc"
                 "c");
        assert_int_equal(there_and_back(), 0);
        assert_string_equal(after.station, "a??b??c");
}

/* An array without its zero byte, and counts beyond the arrays, are bugs of the filler; they must
 * not lead to reading beyond. */
static void strings_and_counts_are_held_to_their_room(void **state)
{
        (void)state;
        memset(&before, 0, sizeof(before));
        memset(before.version, 'v', sizeof(before.version));
        before.site_count = before.card_count = UINT32_MAX;
        before.need_count = before.alarm_count = UINT32_MAX;
        assert_fault(there_and_back(), BAD_FILE, "\"version\" of the line is too long");
        memset(before.version, 0, sizeof(before.version));
        assert_int_equal(there_and_back(), 0);
        assert_int_equal(after.site_count, SNAPSHOT_SITES_MAX);
        assert_int_equal(after.card_count, SNAPSHOT_CARDS_MAX);
        assert_int_equal(after.need_count, SNAPSHOT_NEEDS_MAX);
        assert_int_equal(after.alarm_count, SNAPSHOT_ALARMS_MAX);
}

/* The text of a one-site line with `from` replaced by `to`. */
static char *edited(const char *from, const char *to)
{
        static char text[8192];
        char *json, *at;

        line_example(&before, 1, 0);
        json = snapshot_json(&before);
        at = strstr(json, from);
        assert_non_null(at);
        snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - json), json, to, at + strlen(from));
        free(json);
        return text;
}

static void each_kind_of_wrong_value_is_named(void **state)
{
        static const struct {
                const char *from, *to, *sentence;
        } cases[] = {
                { "\"progress\":0", "\"progress\":-1", "\"progress\" of sites[0] is not a number" },
                { "\"progress\":0", "\"progress\":4294967296", "\"progress\" of sites[0]" },
                { "\"progress\":0", "\"progress\":0.5",
                  "\"progress\" of sites[0] is not a number" },
                { "\"progress\":0", "\"progress\":\"0\"",
                  "\"progress\" of sites[0] is not a number" },
                { "\"progress\":0", "\"advance\":0", "\"progress\" of sites[0] is missing" },
                { "\"name\":\"1\"", "\"name\":1", "\"name\" of sites[0] is not a text" },
                { "\"name\":\"1\"", "\"name\":\"1234567890123456\"",
                  "\"name\" of sites[0] is too long" },
                { "\"name\":\"1\"", "\"name\":\"1\",\"name\":\"2\"", "duplicate" },
                { "\"name\":\"1\"", "\"name\":\"\\u0000\"", "NUL" },
                { "\"needs_person\":false", "\"needs_person\":0", "is neither true nor false" },
                { "\"now_ms\":", "\"now_ms\":-", "\"now_ms\" of the line is not a number" },
                { "\"sites\":[", "\"sites\":[7,", "sites[0] is missing" },
                { "\"sites\":[", "\"sites\":{},\"was\":[", "\"sites\" of the line is not a list" },
                { "\"dry_ms\":", "\"dry_ms\":-", "\"dry_ms\" of cards[0] is not a number" },
                { "\"type\":\"SFI\"", "\"type\":\"SFIAB\"", "\"type\" of cards[0] is too long" },
                { "\"licenses_per_good\":1010", "\"licenses_per_good\":1.01",
                  "\"licenses_per_good\" of the lot is not a number of 32 bits" },
                { "\"wanted\":223", "\"wanted\":null",
                  "\"wanted\" of needs[0] is not a number of 32 bits" },
                { "\"needs\":[", "\"needs\":null,\"was\":[",
                  "\"needs\" of the line is not a list" },
                { "\"alarms\":[", "\"alarms\":[null,", "\"alarms\" of the line is not a text" },
                { "\"lot\":{", "\"lot\":[],\"was\":{", "the lot is missing or not an object" },
                { "}", "", "line 1, column" },
        };

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(cases); i++)
                assert_fault(parse(edited(cases[i].from, cases[i].to)), BAD_FILE,
                             cases[i].sentence);
}

static void a_member_of_a_newer_station_is_passed_over(void **state)
{
        (void)state;
        assert_int_equal(parse(edited("\"sites\":[", "\"mood\":{\"good\":true},\"sites\":[")), 0);
        assert_memory_equal(&before, &after, sizeof(before));
}

static void too_many_of_anything_is_refused(void **state)
{
        char many[8192] = "\"alarms\":[";

        (void)state;
        for (unsigned i = 0; i < SNAPSHOT_ALARMS_MAX; i++)
                strcat(many, "\"\",");
        assert_fault(parse(edited("\"alarms\":[", many)), BAD_FILE, "18 alarms, at most 16");
        strcpy(many, "\"needs\":[");
        for (unsigned i = 0; i < SNAPSHOT_NEEDS_MAX; i++)
                strcat(many, "{},");
        assert_fault(parse(edited("\"needs\":[", many)), BAD_FILE, "10 needs, at most 9");
}

static void a_bad_text_leaves_the_result_alone(void **state)
{
        static struct snapshot untouched;

        (void)state;
        memset(&after, 0x5a, sizeof(after));
        memset(&untouched, 0x5a, sizeof(untouched));
        assert_fault(parse(edited("\"orders_waiting\":2", "\"orders_waiting\":true")), BAD_FILE,
                     NULL);
        assert_memory_equal(&after, &untouched, sizeof(after));
}

static void depth_and_length_are_bounded_before_the_parser_sees_them(void **state)
{
        static char deep[200000];
        char *big = calloc(1, 600u << 10);

        (void)state;
        memset(deep, '[', sizeof(deep));
        assert_fault(snapshot_parse(deep, sizeof(deep), &after), BAD_FILE, "nested more than");
        memset(big, ' ', 600u << 10);
        assert_fault(snapshot_parse(big, 600u << 10, &after), BAD_FILE, "at most 524288 are read");
        free(big);
        /* Brackets in strings are not depth. */
        assert_int_equal(parse(edited("\"alarms\":[", "\"alarms\":[\"[[[[[[[[[[[[\",")), 0);
}

static void a_text_cut_anywhere_is_a_fault_and_never_a_crash(void **state)
{
        char *json;
        size_t length;

        (void)state;
        line_example(&before, 2, 0);
        json = snapshot_json(&before);
        length = strlen(json);
        for (size_t cut = 0; cut < length; cut++) {
                char *exact = malloc(cut ? cut : 1); /* so that a sanitizer sees a read beyond */

                memcpy(exact, json, cut);
                assert_fault(snapshot_parse(exact, cut, &after), BAD_FILE, NULL);
                free(exact);
        }
        free(json);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_ordinary_line_comes_back_as_it_went),
                cmocka_unit_test(sixteen_cards_and_their_needs_come_back),
                cmocka_unit_test(an_empty_line_comes_back),
                cmocka_unit_test(a_full_line_with_quotes_and_control_characters_comes_back),
                cmocka_unit_test(utf8_comes_back_and_a_letter_cut_in_half_is_dropped),
                cmocka_unit_test(bytes_that_are_no_text_become_question_marks),
                cmocka_unit_test(strings_and_counts_are_held_to_their_room),
                cmocka_unit_test(each_kind_of_wrong_value_is_named),
                cmocka_unit_test(a_member_of_a_newer_station_is_passed_over),
                cmocka_unit_test(too_many_of_anything_is_refused),
                cmocka_unit_test(a_bad_text_leaves_the_result_alone),
                cmocka_unit_test(depth_and_length_are_bounded_before_the_parser_sees_them),
                cmocka_unit_test(a_text_cut_anywhere_is_a_fault_and_never_a_crash),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
