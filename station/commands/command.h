/*
 * command.h - one command of `gangway`, and what all of them share.
 */
#pragma once

#include "scheduler/base.h"
#include "scheduler/fault.h"

#include <stdbool.h>

/* Told in `gangway --help`; scripts depend on them. */
enum exit_code {
        EXIT_OK = 0,
        EXIT_NO = 1,          /* the answer is no: not proven, order rejected, lot stopped */
        EXIT_INPUT = 2,       /* usage or bad input */
        EXIT_UNREACHABLE = 3, /* no station answers */
};

/* Runs on a fiber. `argv[0]` is the last word of the command. Returns an exit code, or a negative
 * fault which the main prints (waits). */
typedef int command_function(int argc, char **argv);

struct command {
        const char *words;   /* "sfi create" */
        const char *summary; /* half a line */
        const char *help;    /* a screen, with one real example */
        command_function *run;
};

extern const struct command sfi_create_command, sfi_show_command, sfi_verify_command;
extern const struct command order_check_command, status_command, watch_command;
extern const struct command capture_show_command;
extern const struct command key_new_command, key_show_command, nonce_new_command;
extern const struct command nonces_list_command, nonces_merge_command;
extern const struct command nonces_export_command, nonces_verify_command;
extern const struct command obk_create_command, obk_show_command;
extern const struct command obk_chain_create_command, obk_chain_show_command;
extern const struct command ssp_create_command, ssp_show_command, ssp_verify_command;
extern const struct command smi_show_command, cert_show_command, cert_check_command;
extern const struct command license_global_command;
extern const struct command secrets_create_command, secrets_show_command;
extern const struct command backup_create_command, backup_show_command;
extern const struct command sfi_open_command, sfi_diff_command, sfi_lint_command;
extern const struct command ob_create_command, ob_show_command;
extern const struct command hsm_info_command, hsm_counter_command, hsm_state_command;
extern const struct command hsm_fwid_command, hsm_program_command, hsm_blank_command;
extern const struct command hsm_license_command, hsm_license_from_cert_command;
extern const struct command licenses_list_command, licenses_report_command;
extern const struct command licenses_verify_command, licenses_key_command;
extern const struct command licenses_import_command, licenses_ahead_command;
extern const struct command target_list_command, target_info_command;
extern const struct command target_certificate_command, target_disable_command;
extern const struct command target_default_command;
extern const struct command target_ob_read_command, target_ob_write_command;
extern const struct command target_read_command, target_write_command;
extern const struct command target_discover_command;
extern const struct command target_erase_command, target_reset_command, target_regress_command;
