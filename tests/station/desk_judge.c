/* Types of cards and what a lot will want of them, before it is begun. */
#include "tests/station/desk.h"

static void card_is(struct fake_card *card, const char *firmware_id, const char *type)
{
        snprintf(card->firmware_id, sizeof(card->firmware_id), "%s", firmware_id);
        memset(card->type, '.', 4);
        memcpy(card->type, type, strlen(type));
}

static int by_type(void *subject)
{
        struct hall hall;
        struct asker sfi = { .hall = &hall, .first_chip = 1, .count = 3 };
        struct asker smu = { .hall = &hall, .first_chip = 1, .count = 3, .type = "SMU" };
        struct asker sfia = { .hall = &hall, .first_chip = 1, .count = 1, .type = "SFIA" };
        struct fiber *fibers[3];

        hall_init(&hall, subject, 3, 10);
        card_is(&hall.cards[1], "TEST_1", "SMU");
        card_is(&hall.cards[2], "TEST_2", "SFIA");
        desk_start(&hall);
        fibers[0] = site(&sfi);
        fibers[1] = site(&smu);
        fibers[2] = site(&sfia);
        for (unsigned i = 0; i < 3; i++)
                assert_int_equal(fiber_join(fibers[i]), 0);
        assert_int_equal(sfi.served, 3);
        assert_int_equal(smu.served, 3); /* the same chips and firmware, yet other licenses */
        assert_int_equal(hall.cards[0].licenses, 3);
        assert_int_equal(hall.cards[1].licenses, 3);
        assert_int_equal(hall.cards[2].licenses, 0);
        expect_fault(&sfia, FAULT_WRONG_CARD, "no card holds TEST_1 (SFIA)");
        expect_fault(&sfia, FAULT_WRONG_CARD, "0000000000000012 ready with TEST_2 (SFIA)");
        sfi = (struct asker){ .hall = &hall, .first_chip = 1, .count = 3 };
        assert_int_equal(fiber_join(site(&sfi)), 0);
        assert_int_equal(sfi.in_hand, 3);
        hall_close(&hall);
        return 0;
}

static void a_request_goes_to_a_card_of_its_type(void **state)
{
        (void)state;
        on_fiber(by_type);
}

static int plan(struct hall *hall, const struct desk_need *needs, unsigned count,
                char sentence[static 256])
{
        memset(sentence, 'x', 256);
        return desk_plan(hall->desk, needs, count, sentence);
}

static int planned(void *subject)
{
        struct hall hall;
        struct desk_need needs[] = { { "TEST_1", "SFI", 20 },
                                     { "STACK_1", "SMU", 10 },
                                     { "TEST_1", "SFI", 0 } };
        char sentence[256];

        hall_init(&hall, subject, 3, 10);
        card_is(&hall.cards[2], "STACK_1", "SMU");
        desk_start(&hall);
        assert_fault(plan(&hall, needs, 2, sentence), NO_CARD, "there is no card for TEST_1 (SFI)");
        IGNORE(fiber_sleep_ns(NS_PER_S));
        assert_int_equal(plan(&hall, needs, 2, sentence), 0);
        assert_string_equal(sentence, "");
        needs[0].count = 21;
        needs[1].count = 11;
        assert_int_equal(plan(&hall, needs, 2, sentence), 0);
        assert_string_equal(sentence,
                            "21 licenses for TEST_1 (SFI) are wanted, 20 are left on 2 cards; "
                            "11 licenses for STACK_1 (SMU) are wanted, 10 are left on 1 card");
        needs[0].count = 15; /* asked for twice: the sum counts */
        needs[2].count = 6;
        assert_int_equal(plan(&hall, needs, 3, sentence), 0);
        assert_non_null(strstr(sentence, "21 licenses for TEST_1 (SFI) are wanted"));
        needs[1].type = "SFI";
        assert_fault(plan(&hall, needs, 2, sentence), WRONG_CARD, "no card holds STACK_1 (SFI)");
        needs[1].count = 0; /* nothing is wanted of it */
        assert_int_equal(plan(&hall, needs, 2, sentence), 0);
        hall_close(&hall);
        return 0;
}

static int planned_and_used_up(void *subject)
{
        struct hall hall;
        struct asker asker = { .hall = &hall, .first_chip = 1, .count = 10 };
        struct desk_need need = { "TEST_1", "SFI", 1 };
        char sentence[256];

        hall_init(&hall, subject, 1, 10);
        desk_start(&hall);
        assert_int_equal(fiber_join(site(&asker)), 0);
        assert_fault(plan(&hall, &need, 1, sentence), CARD_EMPTY,
                     "no licenses are left for TEST_1");
        fake_card_pull(&hall.cards[0]);
        IGNORE(fiber_sleep_ns(6 * NS_PER_S));
        assert_fault(plan(&hall, &need, 1, sentence), NO_CARD, "0000000000000010 absent");
        hall.cards[0].is_dead = true;
        fake_card_insert(&hall.cards[0]);
        IGNORE(fiber_sleep_ns(NS_PER_S));
        assert_fault(plan(&hall, &need, 1, sentence), CARD_DEAD, "0000000000000010 dead");
        hall_close(&hall);
        return 0;
}

static void a_plan_names_what_is_missing_and_what_runs_short(void **state)
{
        (void)state;
        on_fiber(planned);
        on_fiber(planned_and_used_up);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_request_goes_to_a_card_of_its_type),
                cmocka_unit_test(a_plan_names_what_is_missing_and_what_runs_short),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
