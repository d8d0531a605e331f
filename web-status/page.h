/*
 * page.h - the page, part of the program, and what it is allowed to do in a browser.
 */
#pragma once

#include "scheduler/base.h"
#include "scheduler/fault.h"

struct page {
        const char *html; /* static */
        size_t length;
        /* Content-Security-Policy: only this script and this style sheet, by their SHA-256, and
         * connections only to where the page came from. */
        char policy[512];
};

/* -FAULT_SYSTEM when the page in the program is not whole. */
int page_open(struct page *ret_page) MUST_USE;
