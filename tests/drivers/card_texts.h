/*
 * card_texts.h - two card profiles that tests spoil and speak by.
 */
#pragma once

#include "tests/support/test.h"

#include "drivers/card_profile.h"

#include <stdio.h>
#include <string.h>

/* One of each thing that can be spoiled, as few lines as possible. */
__attribute__((unused)) static const char good[] =
        "name = \"x\";\n"
        "source = \"silicon\"; gap = \"none\"; atr = \"3B 00\";\n"
        "aid = \"F0 01 02 03 04\"; timeout_ms = 1000;\n"
        "status = ( { sw = \"9000\"; means = \"good\"; }, { sw = \"67xx\"; means = \"refused\"; } "
        ");\n"
        "select = { command = \"00A40400{aid}\"; length = [ 0, 9 ]; otherwise = \"refused\"; };\n"
        "info = { command = \"80 10 00 00 le\"; length = 40; status = ( { sw = \"6A88\";\n"
        " means = \"refused\"; } ); fields = (\n"
        " { name = \"state\"; offset = 0; length = 1; as = \"values\"; values = (\n"
        "  { bytes = \"07\"; means = \"OEM\"; }, { bytes = \"0F\"; means = \"OPERATIONAL\"; } ); "
        "},\n"
        " { name = \"version\"; offset = 1; length = 1; as = \"decimal\"; },\n"
        " { name = \"counter\"; offset = 2; length = 3; as = \"little\"; },\n"
        " { name = \"type\"; offset = 5; length = 3; as = \"text\"; pad = 0x20; },\n"
        " { name = \"firmware_id\"; offset = 8; length = 12; as = \"text\"; },\n"
        " { name = \"serial\"; offset = 20; length = 4; as = \"hex\"; },\n"
        " { name = \"constant\"; offset = 30; bytes = \"9F 7F\"; } ); };\n"
        "license = { command = \"80 20 00 00 {certificate} le 88\"; length = 136; fields = (\n"
        " { name = \"license\"; offset = 0; length = 136; as = \"bytes\"; } ); };\n"
        "personalize = { command = \"80 30 0A bc {nonce} {key} 7F {maximum little} "
        "{firmware_id}\"\n"
        " \" [ {product_id} {flow} ]\"; };\n"
        "ceilings = ( { type = \"SFI\"; maximum = 5; } );\n"
        "version_1_products = [ \"45002001\" ];\n";

/* As a traced card might: what it is, then how many are left, which a blank one refuses; the
 * license by two commands. */
__attribute__((unused)) static const char in_steps[] =
        "name = \"steps\"; source = \"silicon\"; timeout_ms = 1000;\n"
        "status = ( { sw = \"9000\"; means = \"good\"; },\n"
        "  { sw = \"6Dxx\"; means = \"refused\"; } );\n"
        "select = { command = \"00 A4 04 00 F0 01 02 03 04\"; length = [ 0, 256 ]; };\n"
        "info = ( { command = \"80 CA 9F 7F le\"; length = 8; fields = (\n"
        "  { name = \"constant\"; offset = 0; bytes = \"9F 7F\"; },\n"
        "  { name = \"serial\"; offset = 2; length = 2; as = \"hex\"; },\n"
        "  { name = \"state\"; offset = 4; length = 1; as = \"values\"; values = (\n"
        "    { bytes = \"01\"; means = \"OEM\"; }, { bytes = \"02\"; means = \"OPERATIONAL\"; } ); "
        "},\n"
        "  { name = \"version\"; offset = 5; length = 1; as = \"big\"; },\n"
        "  { name = \"type\"; offset = 6; length = 1; as = \"values\"; values = (\n"
        "    { bytes = \"01\"; means = \"SFI\"; }, { bytes = \"03\"; means = \"SSP\"; } ); } ); "
        "},\n"
        "  { command = \"80 CA 00 01 le\"; length = [ 2, 4 ];\n"
        "    fields = ( { name = \"counter\"; offset = 0; length = 2; as = \"big\"; } );\n"
        "    status = ( { sw = \"6985\"; means = \"blank\"; } ); },\n"
        "  { command = \"80 CA 00 02 le\"; length = [ 0, 32 ];\n"
        "    fields = ( { name = \"firmware_id\"; offset = 0; as = \"text\"; } ); } );\n"
        "license = ( { command = \"80 20 00 00 {certificate}\";\n"
        "    status = ( { sw = \"61xx\"; means = \"good\"; }, { sw = \"6A88\"; means = \"empty\"; "
        "} );\n"
        "    timeout_ms = 5000; },\n"
        "  { command = \"00 C0 00 00 le 8A\"; length = 138; fields = (\n"
        "    { name = \"constant\"; offset = 0; bytes = \"81 88\"; },\n"
        "    { name = \"license\"; offset = 2; length = 136; as = \"bytes\"; } ); } );\n";

/* To be put behind it: programming by three commands, one of them for version 2 only. */
__attribute__((unused)) static const char burned_in_steps[] =
        "personalize = ( { command = \"80 30 00 00 {key} {iv}\"; },\n"
        "  { command = \"80 31 00 00 [ {product_id} ]\"; },\n"
        "  { command = \"80 32 00 00 {maximum} {firmware_id}\"; } );\n";

static inline void parse_good(const char *text, struct card_profile *profile)
{
        int r = card_profile_parse("x", text, strlen(text), profile);

        if (r < 0)
                print_error("%s\n", fault_sentence(r));
        assert_int_equal(r, 0);
}

/* `good` with one passage replaced; static. */
static inline const char *with(const char *passage, const char *other)
{
        static char text[8192];
        const char *at = strstr(good, passage);

        if (!at)
                print_error("not in the text: %s\n", passage);
        assert_non_null(at);
        snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - good), good, other,
                 at + strlen(passage));
        return text;
}
