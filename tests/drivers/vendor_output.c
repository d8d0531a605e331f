/*
 * Lines of STM32_Programmer_CLI, and the verdicts they come to. The lines are those of AN5054 rev 18
 * figures 59 and 65 and of the logs of spec/secure-install.md section 17.
 */
#include "tests/support/test.h"

#include "drivers/vendor_output.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static void take(struct vendor_output *output, const char *text)
{
        while (*text) {
                size_t length = strcspn(text, "\n");

                vendor_output_take(output, text, length);
                text += length + (text[length] == '\n');
        }
}

static struct vendor_output after(const char *text)
{
        struct vendor_output output = { 0 };

        take(&output, text);
        return output;
}

static const struct process_end ended_well = { .was_started = true };
static const struct process_end ended_with_1 = { .was_started = true, .code = 1 };
static const struct process_end crashed = { .was_started = true,
                                            .was_killed = true,
                                            .code = SIGSEGV };

#define SUCCESS "SFI Process Finished!\nSFI file /x/image.sfi Install Operation Success\n"
#define BEGUN                                                                                      \
        "Starting Firmware Install operation...\nStarting SFI part 1\nRSS process started...\n"

static void the_banner_says_who_is_there(void **state)
{
        struct vendor_output output =
                after("      STM32CubeProgrammer v2.10.0                  \n"
                      "ST-LINK SN  : 002F003F3137510539383538\nST-LINK FW  : V3J9M3B5S1\n"
                      "Board       : STLINK-V3SET\nVoltage     : 3.76V\nSWD freq    : 24000 KHz\n"
                      "Connect mode: Hot Plug\nReset mode  : Software reset\nDevice ID   : 0x480\n"
                      "Revision ID : --\nDevice name : STM32H7A/B\nFlash size  : 2 MBytes\n"
                      "Device type : MCU\nDevice CPU  : Cortex-M7\nBL Version  : 0x91\n");

        (void)state;
        assert_string_equal(output.version, "v2.10.0");
        assert_string_equal(output.serial, "002F003F3137510539383538");
        assert_string_equal(output.firmware, "V3J9M3B5S1");
        assert_string_equal(output.board, "STLINK-V3SET");
        assert_string_equal(output.device_name, "STM32H7A/B");
        assert_string_equal(output.revision, "--");
        assert_string_equal(output.core, "Cortex-M7");
        assert_int_equal(output.voltage_mv, 3760);
        assert_int_equal(output.device_id, 0x480);
        assert_int_equal(output.flash_kib, 2048);
        assert_false(output.is_flash_default);
        assert_int_equal(output.phase, VENDOR_CONNECTED);
        assert_int_equal(vendor_judge(VENDOR_IDENTIFY, &output, &ended_well), 0);
        assert_int_equal(output.errors, 0);
}

/* Figure 59 has them without spaces, logs of the window with time stamps and a comma. */
static void stamps_colors_and_missing_spaces_do_not_hide_anything(void **state)
{
        struct vendor_output output =
                after("15:26:05 : Voltage : 3,30V\n17:08:39:123 : Device ID : 0x450\n"
                      "Board :STM32H7S78-DK\nST-LINK SN: 003300184741500820383733\n"
                      "ST-LINK FW V3J1M1\n"
                      "\x1b[32mFlash size  : 512 KBytes (default)\x1b[0m\n"
                      "\x1b[31m\x1b[1mError: Cannot launch RSSe...\x1b[0m\n");

        (void)state;
        assert_int_equal(output.voltage_mv, 3300);
        assert_int_equal(output.device_id, 0x450);
        assert_string_equal(output.board, "STM32H7S78-DK");
        assert_string_equal(output.serial, "003300184741500820383733");
        assert_string_equal(output.firmware, "V3J1M1");
        assert_int_equal(output.flash_kib, 512);
        assert_true(output.is_flash_default);
        assert_string_equal(output.line, "Error: Cannot launch RSSe...");
}

static void bars_are_percentages_and_nothing_else(void **state)
{
        struct vendor_output output =
                after("\xe2\x96\x92\xe2\x96\x92\xe2\x96\x92 50%\n[==========          ]  40% \n"
                      "\x1b[01;32m\xe2\x96\x88\xe2\x96\x88\x1b[0m 100%\x1b[1;32m\xe2\x96\x88 100%\n"
                      "-------------------------------------------------------------------\n");

        (void)state;
        assert_int_equal(output.percent, 100);
        assert_int_equal(output.phase, VENDOR_STARTING);
        take(&output, "[====]  99999999999999999999%");
        assert_int_equal(output.percent, 100);
        take(&output, "=== 7%");
        assert_int_equal(output.percent, 7);
        assert_int_equal(output.errors, 0);
}

static void figure_65_goes_through_its_phases(void **state)
{
        static const struct {
                const char *line;
                enum vendor_phase phase;
        } steps[] = {
                { "  SFI File Information         : ", VENDOR_PARSING },
                { "         SFI total number of areas   : 9", VENDOR_PARSING },
                { "     Parsing Area 3/9    : ", VENDOR_PARSING },
                { "Requesting Chip Certificate from device ...", VENDOR_CERTIFICATE },
                { "Starting Firmware Install operation...", VENDOR_PREPARING },
                { "Activating security...", VENDOR_PREPARING },
                { "Setting write mode to SFI", VENDOR_PREPARING },
                { "Starting SFI part 1", VENDOR_WRITING },
                { "Writing license to address 0x24030800", VENDOR_WRITING },
                { "RSS process started...", VENDOR_AT_WORK },
                { "RSS command execution OK", VENDOR_CHECKING },
                { "RSS complete Value = 0x0", VENDOR_CHECKING },
                { "Device ID   : 0x480", VENDOR_CHECKING },
                { "Starting SFI part 2", VENDOR_WRITING },
                { "RSS process started...", VENDOR_AT_WORK },
                { "RSS command execution OK", VENDOR_CHECKING },
                { "SFI Process Finished!", VENDOR_FINISHED },
        };
        struct vendor_output output = { .parts = 2 };
        unsigned before = 0;

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(steps); i++) {
                take(&output, steps[i].line);
                assert_int_equal(output.phase, steps[i].phase);
                assert_true(output.progress >= before);
                before = output.progress;
        }
        assert_int_equal(output.areas, 9);
        assert_int_equal(output.areas_parsed, 3);
        assert_int_equal(output.part, 2);
        assert_int_equal(output.progress, 1000);
        assert_string_equal(vendor_phase_name(VENDOR_AT_WORK), "install");
}

/* Figure 65, from its second part to its end. */
static void external_areas_are_progress_and_must_be_complete(void **state)
{
        struct vendor_output output = { .parts = 2 };
        unsigned before;

        (void)state;
        take(&output, BEGUN "RSS command execution OK\nRSS complete Value = 0x0\n"
                            "Requesting security state...\n");
        before = output.progress;
        take(&output, "Downloading area [3] data for external flash memory at address "
                      "0x9000000..\n");
        assert_int_equal(output.phase, VENDOR_EXTERNAL);
        assert_true(output.progress > before);
        assert_string_equal(vendor_phase_name(output.phase), "install");
        take(&output, SUCCESS);
        assert_fault(vendor_judge(VENDOR_INSTALL, &output, &ended_well), NOT_PROVABLE,
                     "began to program 1 areas of external flash and reported 0 as complete");
        take(&output, "Data download complete\n");
        assert_int_equal(output.externals, 1);
        assert_int_equal(vendor_judge(VENDOR_INSTALL, &output, &ended_well), 0);
}

/* td-p/667456, v2.16, an H503. */
static void the_security_package_is_told(void **state)
{
        struct vendor_output output =
                after("14:11:41 : Warning: Connection to AP 0 requested and failed, Connection "
                      "established with AP 1\n14:11:41 : Device ID : 0x474\n"
                      "14:11:41 : SFSP Version: v1.4.0\n");

        (void)state;
        assert_string_equal(output.sfsp, "v1.4.0");
        assert_int_equal(output.errors, 0);
        assert_false(output.lost_debug);
        assert_int_equal(vendor_judge(VENDOR_IDENTIFY, &output, &ended_well), 0);
}

static void success_is_words_and_exit_code_together(void **state)
{
        struct vendor_output good = after(BEGUN SUCCESS), silent = after(BEGUN);

        (void)state;
        assert_int_equal(vendor_judge(VENDOR_INSTALL, &good, &ended_well), 0);
        assert_fault(vendor_judge(VENDOR_INSTALL, &good, &ended_with_1), NOT_PROVABLE,
                     "exit code is 1");
        assert_fault(vendor_judge(VENDOR_INSTALL, &silent, &ended_well), NOT_PROVABLE,
                     "did not report success of the install (exit code 0)");
        assert_fault(vendor_judge(VENDOR_INSTALL, &good, &crashed), NOT_PROVABLE,
                     "ended by signal 11");
}

/* A file may be called anything; the tool names it inside the line. */
static void a_file_name_cannot_claim_success(void **state)
{
        struct vendor_output output =
                after(BEGUN "SFI file /x/Install Operation Success.sfi is read\n"
                            "Error: /x/Install Operation Success SFI file Install Operation "
                            "Failure! Please, try again.\n");

        (void)state;
        assert_false(output.says_success);
        assert_true(output.says_failure);
        assert_fault(vendor_judge(VENDOR_INSTALL, &output, &ended_well), RSS, "Failure! Please");
}

/* Figure 59: titled a success, and the link is gone since the part is closed. */
static void losing_debug_access_is_no_failure_when_success_is_said(void **state)
{
        struct vendor_output good =
                after(BEGUN "Error: failed to reconnect after reset !\n" SUCCESS);
        struct vendor_output silent = after(BEGUN "Error: failed to reconnect after reset !\n");
        struct vendor_output before = after("Error: failed to reconnect after reset !\n");

        (void)state;
        assert_true(good.lost_debug);
        assert_int_equal(vendor_judge(VENDOR_INSTALL, &good, &ended_well), 0);
        assert_fault(vendor_judge(VENDOR_INSTALL, &silent, &ended_with_1), NOT_PROVABLE,
                     "failed to reconnect after reset");
        assert_fault(vendor_judge(VENDOR_IDENTIFY, &before, &ended_with_1), TARGET_LOST,
                     "failed to reconnect");
}

static void each_known_error_has_its_fault_and_is_quoted(void **state)
{
        static const struct {
                const char *lines;
                enum fault fault;
                const char *quoted;
        } cases[] = {
                { "Error: SECURITY State Fail\nError: Invalid state after SFI install !\n"
                  "Error: RSS internal system error or License is invalid !\n",
                  FAULT_BAD_LICENSE,
                  "\"Error: RSS internal system error or License is invalid !\"" },
                { "Error: SECURITY State Fail\n", FAULT_RSS, "SECURITY State Fail" },
                { "Error: Execution of RSS CMD failed, returned value = 0xF5F5F5F5\n"
                  "Error: x.sfi SFI file Install Operation Failure! Please, try again.\n",
                  FAULT_RSS, "returned value = 0xF5F5F5F5" },
                { "Error: Failed to get RSSe Status!\nError: Cannot launch RSSe...\n",
                  FAULT_RSS_SILENT, "Failed to get RSSe Status!" },
                { "Error: SFI command is not supported for the current device configuration using "
                  "STLINK interfaces !\nError: Cannot launch RSSe...\n",
                  FAULT_WRONG_PART, "using STLINK interfaces !" },
                { "Error: Database: There's no active configuration for this device. All the 8 "
                  "configurations are disabled!\n",
                  FAULT_OPTION_BYTES, "There's no active configuration" },
                { "RSS complete Value = 0x3\n", FAULT_RSS, "RSS complete Value = 0x3" },
                { "Error: No STM32 target found! If your product embeds Debug Authentication\n",
                  FAULT_NO_TARGET, "No STM32 target found!" },
                { "Error: ST-LINK error (DEV_TARGET_CMD_ERR)\n", FAULT_NO_TARGET, "CMD_ERR" },
                /* community.st.com td-p/741489, v2.17 or so */
                { "11:03:34 : Time elapsed during option Bytes configuration: 00:00:00.145\n"
                  "11:03:34 : Error: Activating security Failure\n"
                  "11:03:34 : OPTION BYTES BANK: 0\n",
                  FAULT_OPTION_BYTES, "\"Error: Activating security Failure\"" },
                /* qa-community.st.com 53653, an H7B3 */
                { "13:59:39 : OPTION BYTE PROGRAMMING VERIFICATION:\n"
                  "13:59:39 : Error: Expected value for Option Byte \"DMEP1\": 0x0, found: 0x1\n"
                  "13:59:39 : Error: Option Byte Programming failed\n"
                  "14:02:54 : Warning: Connection to device 0x480 is lost\n",
                  FAULT_OPTION_BYTES, "\"DMEP1\": 0x0, found: 0x1" },
                /* community.st.com, thread 33955: without "Error:" */
                { "08:35:51:414 : Expected value for Option Byte \"nSWboot0\": 0x0, found: 0x1\n"
                  "08:35:51:414 : Option Byte Programming failed\n",
                  FAULT_OPTION_BYTES, "\"nSWboot0\": 0x0" },
                /* qa-community.st.com 125609 */
                { "Error: Initializing the option bytes failed\n", FAULT_TARGET_ACCESS, "failed" },
                /* td-p/865533, v2.20 */
                { "Error: failed to erase memory\nError: failed to erase memory\n", FAULT_FLASH,
                  "erase memory" },
                { "Error: Unable to get core ID\nError: No STM32 target found! If your product "
                  "embeds Debug Authentication, please perform a discovery using Debug "
                  "Authentication\n",
                  FAULT_NO_TARGET, "Unable to get core ID" },
                /* td-p/605983, v2.10 */
                { "09:13:33 : Error: Write failed at address: 0x8000000\n"
                  "09:13:33 : Error: failed to download Segment[0]\n"
                  "09:13:33 : Error: failed to download the File\n",
                  FAULT_FLASH, "Write failed at address: 0x8000000" },
                { "09:13:34 : Disconnected from device.\n"
                  "09:13:34 : ST-LINK error (DEV_CONNECT_ERR)\n",
                  FAULT_NOT_PROVABLE, "\"ST-LINK error (DEV_CONNECT_ERR)\"" },
                /* td-p/137642, v2.13: success is said behind it */
                { "Error: Failed to download data! If it's a Flash memory, it may be not erased or "
                  "protected\nDownloading 8-bit data done successfully\n",
                  FAULT_FLASH, "may be not erased" },
                /* qa-community.st.com 49640, v2.2 */
                { "Error: Data mismatch found at address 0x08000004 (byte = 0x31 instead of 0x5D)\n"
                  "Error: Download verification failed\n",
                  FAULT_FLASH, "0x31 instead of 0x5D" },
                { "Cannot identify the device\n"
                  "Error: unknown or unsupported device (DevID = 0x0000)\n",
                  FAULT_WRONG_PART, "DevID = 0x0000" },
                /* qa-community.st.com 112345, 132429, 60011, td-p/829103 */
                { "Error: failed to erase sectors\n", FAULT_FLASH, "sectors" },
                { "04:50:11 : Error: Mass erase operation failed.Please verify flash protection\n",
                  FAULT_FLASH, "Mass erase" },
                { "Error: ST-LINK error (DEV_TARGET_HELD_UNDER_RESET)\n", FAULT_NO_TARGET,
                  "HELD_UNDER_RESET" },
                { "ST-LINK error (DEV_USB_COMM_ERR)\n"
                  "Error: Problem occ" /* as it is spelled */ "ured while trying to connect\n",
                  FAULT_NOT_PROVABLE, "DEV_USB_COMM_ERR" },
                { "ST-LINK error (DEV_TARGET_NOT_HALTED)\n", FAULT_TARGET_ACCESS, "NOT_HALTED" },
                /* question 0D50X0000C9h1fV, v2.3 */
                { "16:07:44:341 failed to read the requested memory content\n", FAULT_TARGET_ACCESS,
                  "memory content" },
        };

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(cases); i++) {
                struct vendor_output output = after(BEGUN);

                take(&output, cases[i].lines);
                test_assert_fault(vendor_judge(VENDOR_INSTALL, &output, &ended_with_1),
                                  cases[i].fault, cases[i].quoted, __FILE__, __LINE__);
                /* whatever it says besides, and however it ends */
                take(&output, SUCCESS);
                test_assert_fault(vendor_judge(VENDOR_INSTALL, &output, &ended_well),
                                  cases[i].fault, cases[i].quoted, __FILE__, __LINE__);
        }
}

static void an_unknown_error_is_kept_and_proves_nothing(void **state)
{
        struct vendor_output early = after("Error: Something new\n");
        struct vendor_output late = after(BEGUN "Error: Something new\n");

        (void)state;
        assert_fault(vendor_judge(VENDOR_INSTALL, &early, &ended_with_1), PROBE,
                     "said \"Error: Something new\" in the install");
        assert_fault(vendor_judge(VENDOR_INSTALL, &late, &ended_with_1), NOT_PROVABLE,
                     "Something new");
        take(&late, SUCCESS);
        assert_fault(vendor_judge(VENDOR_INSTALL, &late, &ended_well), NOT_PROVABLE,
                     "Something new");
        assert_fault(vendor_judge(VENDOR_GET_CERTIFICATE, &early, &ended_with_1), PROBE,
                     "in reading the certificate");
}

/* The unknown comes first, the cause later, and the general last. */
static void of_several_errors_the_one_that_says_most_is_kept(void **state)
{
        struct vendor_output output =
                after(BEGUN "Error: Something new\nError: Execution of RSS CMD failed, returned "
                            "value = 0x1\nError: x SFI file Install Operation Failure!\n");

        (void)state;
        assert_int_equal(output.errors, 3);
        assert_fault(vendor_judge(VENDOR_INSTALL, &output, &ended_with_1), RSS, "value = 0x1");
}

/* "Could not verify security state" after the last part stands in figure 65, a success. */
static void warnings_are_no_errors(void **state)
{
        struct vendor_output output = after(
                BEGUN "Warning: Could not verify security state after last chunk programming\n"
                      "Warning: Option Bytes are unchanged, Data won't be downloaded\n" SUCCESS);

        (void)state;
        assert_int_equal(output.warnings, 2);
        assert_true(output.could_not_verify);
        assert_int_equal(vendor_judge(VENDOR_INSTALL, &output, &ended_well), 0);
}

static void a_certificate_needs_its_own_words(void **state)
{
        struct vendor_output output = after("Device ID   : 0x450\n");

        (void)state;
        assert_fault(vendor_judge(VENDOR_GET_CERTIFICATE, &output, &ended_well), PROBE,
                     "did not report success of reading the certificate");
        take(&output, "Get Certificate done successfully :Writing data to file C:\\x.bin\n");
        assert_int_equal(vendor_judge(VENDOR_GET_CERTIFICATE, &output, &ended_well), 0);
        assert_fault(vendor_judge(VENDOR_GET_CERTIFICATE, &output, &ended_with_1), PROBE,
                     "exit code is 1");
}

static void values_out_of_range_are_not_taken(void **state)
{
        struct vendor_output output = { 0 };
        char line[PROCESS_LINE_MAX + 64];

        (void)state;
        take(&output, "Device ID : 0xFFFFFFFFFF\nFlash size : 99999999999 MBytes\nVoltage : .\n"
                      "Starting SFI part 99999999999\nVoltage :\nBoard:\n");
        assert_int_equal(output.device_id, 0);
        assert_int_equal(output.flash_kib, 0);
        assert_int_equal(output.voltage_mv, 0);
        assert_int_equal(output.part, 0);
        memset(line, 'x', sizeof(line));
        memcpy(line, "Error: ", 7);
        vendor_output_take(&output, line, sizeof(line));
        assert_int_equal(strlen(output.line), VENDOR_LINE_MAX);
        vendor_output_take(&output, "\x1b[", 2);
        vendor_output_take(&output, "\x1b", 1);
        vendor_output_take(&output, "\xe2\x96", 2);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_banner_says_who_is_there),
                cmocka_unit_test(stamps_colors_and_missing_spaces_do_not_hide_anything),
                cmocka_unit_test(bars_are_percentages_and_nothing_else),
                cmocka_unit_test(figure_65_goes_through_its_phases),
                cmocka_unit_test(external_areas_are_progress_and_must_be_complete),
                cmocka_unit_test(the_security_package_is_told),
                cmocka_unit_test(success_is_words_and_exit_code_together),
                cmocka_unit_test(a_file_name_cannot_claim_success),
                cmocka_unit_test(losing_debug_access_is_no_failure_when_success_is_said),
                cmocka_unit_test(each_known_error_has_its_fault_and_is_quoted),
                cmocka_unit_test(an_unknown_error_is_kept_and_proves_nothing),
                cmocka_unit_test(of_several_errors_the_one_that_says_most_is_kept),
                cmocka_unit_test(warnings_are_no_errors),
                cmocka_unit_test(a_certificate_needs_its_own_words),
                cmocka_unit_test(values_out_of_range_are_not_taken),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
