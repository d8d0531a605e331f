#include "tests/support/card_text.h"

#include <stdlib.h>
#include <string.h>

/* The reference commands with an application of its own. */
static const char text[] =
        "name = \"reference\"; source = \"reference\"; gap = \"a trace of a real card\";\n"
        "atr = \"3B 02 47 57\"; aid = \"F0 01 02 03 04\"; timeout_ms = 8000;\n"
        "status = ( { sw = \"9000\"; means = \"good\"; },\n"
        "  { sw = \"6700\"; means = \"refused\"; words = \"wrong length\"; },\n"
        "  { sw = \"6D00\"; means = \"refused\"; words = \"unknown instruction\"; },\n"
        "  { sw = \"6E00\"; means = \"refused\"; },\n"
        "  { sw = \"6581\"; means = \"dead\"; words = \"memory failure\"; } );\n"
        "select = { command = \"00 A4 04 00 {aid}\"; length = [ 0, 256 ]; otherwise = \"refused\"; "
        "};\n"
        "info = { command = \"80 10 00 00 le\"; length = 54; otherwise = \"refused\"; fields = (\n"
        "  { name = \"state\"; offset = 0; length = 1; as = \"values\"; values = (\n"
        "    { bytes = \"00\"; means = \"ST\"; }, { bytes = \"01\"; means = \"OEM\"; },\n"
        "    { bytes = \"02\"; means = \"OPERATIONAL\"; } ); },\n"
        "  { name = \"version\"; offset = 1; length = 1; as = \"big\"; },\n"
        "  { name = \"counter\"; offset = 2; length = 4; as = \"big\"; },\n"
        "  { name = \"maximum\"; offset = 6; length = 4; as = \"big\"; },\n"
        "  { name = \"type\"; offset = 10; length = 4; as = \"text\"; pad = 0x2E; },\n"
        "  { name = \"firmware_id\"; offset = 14; length = 32; as = \"text\"; },\n"
        "  { name = \"serial\"; offset = 46; length = 8; as = \"hex\"; } ); };\n"
        "license = { command = \"80 20 00 00 {certificate} le\"; length = 136;\n"
        "  fields = ( { name = \"license\"; offset = 0; length = 136; as = \"bytes\"; } );\n"
        "  status = ( { sw = \"6A88\"; means = \"empty\"; words = \"counter at zero\"; },\n"
        "    { sw = \"6985\"; means = \"state\"; words = \"not operational\"; },\n"
        "    { sw = \"6A80\"; means = \"refused\"; words = \"certificate refused\"; } ); };\n"
        "personalize = { command = \"80 30 00 00 {iv} {key} {maximum} {firmware_id}"
        " [ {product_id} {flow} {license_version} {security_version} ]\";\n"
        "  status = ( { sw = \"6985\"; means = \"state\"; words = \"the card is locked\"; },\n"
        "    { sw = \"6A80\"; means = \"refused\"; words = \"data refused\"; },\n"
        "    { sw = \"6A84\"; means = \"refused\"; words = \"its ceiling\"; } ); };\n"
        "ceilings = ( { type = \"SFI\"; maximum = 1000; }, { type = \"SSP\"; maximum = 10; } );\n"
        "version_1_products = [ \"45002001\", \"47201003\" ];\n";

const struct card_profile *card_text_profile(void)
{
        static struct card_profile profile;

        if (!profile.name[0] && card_profile_parse("fake", text, strlen(text), &profile) < 0)
                abort();
        return &profile;
}
