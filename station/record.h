/*
 * record.h - one record per attempt, hash-chained, and the lots they belong to.
 *
 * An attempt is opened before anything is done to a unit and closed with its result; one that is
 * open when the station starts was interrupted and is closed as an error of the station. Closing
 * appends a line to the chain: SHA-256 over the previous hash and the record's canonical text.
 */
#pragma once

#include "station/order.h"
#include "station/store.h"

enum result {
        RESULT_NONE,
        RESULT_PASS,
        RESULT_FAIL,    /* the unit's fault */
        RESULT_ERROR,   /* the station's fault */
        RESULT_ABORTED, /* a person stopped it */
        RESULT_NOT_PROVABLE,
};

/* "pass", "fail", "error", "aborted", "not provable", "" */
const char *result_name(enum result result);

/* From the fault table: 0 is pass; the fault's blame decides otherwise. */
enum result result_of(int outcome);

struct record {
        int64_t id;
        char order[ORDER_ID_MAX + 1];
        char site[16];
        char unit[25];        /* unique id, "" when never read */
        char certificate[17]; /* fingerprint */
        unsigned attempt;     /* of this unit in this order, from 1; 0 while unknown */
        uint64_t started_us, ended_us;
        enum result result;
        char fault[24], step[48], sentence[256];
        char probe[64]; /* serial */
        bool license_was_in_hand;
        char license_source[8]; /* "card", "server", "file", "global"; "" it got none */
};

struct records;
int records_open(struct store *store, const char *station, struct records **ret_records) MUST_USE;
struct records *records_close(struct records *records);

/* Close attempts an earlier run left open; returns how many. */
int records_recover(struct records *records) MUST_USE;

/* Lots. An order id seen before with the same digest resumes (or is already done: *ret_done); with
 * another digest -FAULT_DUPLICATE. */
int records_open_lot(struct records *records, const struct order *order, bool *ret_done) MUST_USE;
int records_close_lot(struct records *records, const char *order) MUST_USE;

/* Open an attempt; sets id and started_us. */
int records_open_attempt(struct records *records, struct record *record) MUST_USE;

/* The unit is known now, before its attempt is opened (id 0) or while it is open: fills `attempt` and
 * the unit's history in this order. */
struct unit_history {
        unsigned attempts; /* closed before this one */
        enum result last_result;
        bool was_interrupted; /* since its last pass one was, or failed after the license was offered */
};
int records_identify(struct records *records, struct record *record,
                     struct unit_history *ret_history) MUST_USE;

/* Close it with result, fault, step, sentence; sets ended_us, chains it. */
int records_close_attempt(struct records *records, struct record *record) MUST_USE;

/* Counts of one order, by factory.md's definitions: error, aborted and not provable attempts enter
 * no yield. */
struct lot_counts {
        uint32_t entered;    /* units with at least one pass or fail */
        uint32_t good, bad;  /* units whose last such result is pass, fail */
        uint32_t first_pass; /* good at the first attempt of all */
        uint32_t retried;    /* units with two or more attempts */
        uint32_t attempts, errors, aborted, not_provable; /* attempts */
        uint64_t busy_us;                                 /* sum of attempt times */
        uint64_t started_us, ended_us;
};
int records_count(struct records *records, const char *order,
                  struct lot_counts *ret_counts) MUST_USE;

/* One row per attempt with a header line (factory.md drop folder point 8). Given (free). */
int records_csv(struct records *records, const char *order, char **ret_csv) MUST_USE;

/* Walk the chain. -FAULT_BAD_TAG names the first record that does not fit. Returns how many fit. */
int records_verify(struct records *records) MUST_USE;
