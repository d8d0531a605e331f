#include "station/commands/books.h"

#include "station/commands/places.h"

#include <stdio.h>
#include <stdlib.h>

int books_settings(const char *file, struct books **ret_books)
{
        struct books *books CLEANUP(books_release) = calloc(1, sizeof(*books));
        char path[PLACE_LENGTH_MAX];
        int r = 0;

        INSIST(books);
        if (file)
                snprintf(path, sizeof(path), "%s", file);
        else
                r = place_find("gangway.conf", path);
        if (r >= 0)
                r = settings_load(path, &books->settings);
        if (r < 0)
                return r;
        *ret_books = books;
        books = NULL;
        return 0;
}

int books_look(const char *file, struct books **ret_books)
{
        struct books *books CLEANUP(books_release) = NULL;
        int r = books_settings(file, &books);

        if (r >= 0)
                r = store_look(books->settings.data_directory, &books->store);
        if (r == -FAULT_NOT_FOUND && books)
                return fault_prefix(r, "station %s has no books yet", books->settings.station);
        if (r >= 0)
                r = records_open(books->store, books->settings.station, &books->records);
        if (r < 0)
                return r;
        books->ledger = ledger_open_look(books->store);
        *ret_books = books;
        books = NULL;
        return 0;
}

int books_open_now(struct books *books)
{
        const char *directory = books->settings.data_directory;
        int r = store_open(directory, &books->store);

        return r < 0 ? r : ledger_open(books->store, directory, &books->ledger);
}

int books_open(const char *file, struct books **ret_books)
{
        struct books *books CLEANUP(books_release) = NULL;
        int r = books_settings(file, &books);

        if (r >= 0)
                r = books_open_now(books);
        if (r < 0)
                return r;
        *ret_books = books;
        books = NULL;
        return 0;
}

void books_release(struct books **books)
{
        struct books *released = *books;

        if (!released)
                return;
        released->records = records_close(released->records);
        released->ledger = ledger_close(released->ledger);
        released->store = store_close(released->store);
        free(released);
        *books = NULL;
}
