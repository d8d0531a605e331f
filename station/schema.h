/*
 * schema.h - every table of the station's database, in one place.
 *
 * Times are calendar microseconds, UTC. Columns that do not know yet are NULL; texts are never.
 * A change of the schema raises SCHEMA_VERSION and brings a step in schema_steps.
 */
#pragma once

/* "GWAY": tells our file from any other SQLite database. */
#define SCHEMA_APPLICATION 0x47574159
#define SCHEMA_VERSION     2

static const char schema_sql[] =
        /* Small facts about the database itself: a check value of the station key. */
        "CREATE TABLE meta ("
        "  key TEXT PRIMARY KEY,"
        "  value TEXT NOT NULL) WITHOUT ROWID;"

        /* One lot an order; `digest` is the SHA-256 of the order's text, `image_digest` the image's. */
        "CREATE TABLE lots ("
        "  order_id TEXT PRIMARY KEY,"
        "  digest BLOB NOT NULL,"
        "  part TEXT NOT NULL, family TEXT NOT NULL, firmware_id TEXT NOT NULL,"
        "  quantity INTEGER NOT NULL, due TEXT NOT NULL, operator TEXT NOT NULL,"
        "  opened_us INTEGER NOT NULL, closed_us INTEGER,"
        "  image_digest BLOB) WITHOUT ROWID;"

        /* One row an attempt; open while `result` is ''. `attempt` 0: the unit was never read. */
        "CREATE TABLE attempts ("
        "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
        "  order_id TEXT NOT NULL REFERENCES lots,"
        "  site TEXT NOT NULL, probe TEXT NOT NULL,"
        "  unit TEXT NOT NULL, certificate TEXT NOT NULL, attempt INTEGER NOT NULL,"
        "  started_us INTEGER NOT NULL, ended_us INTEGER,"
        "  result TEXT NOT NULL DEFAULT '' CHECK (result IN"
        "    ('', 'pass', 'fail', 'error', 'aborted', 'not provable')),"
        "  fault TEXT NOT NULL DEFAULT '', step TEXT NOT NULL DEFAULT '',"
        "  sentence TEXT NOT NULL DEFAULT '',"
        "  license_was_in_hand INTEGER NOT NULL DEFAULT 0,"
        "  license_source TEXT NOT NULL DEFAULT '');"
        "CREATE INDEX attempts_unit ON attempts (order_id, unit, id);"
        "CREATE INDEX attempts_open ON attempts (id) WHERE result = '';"

        /* The hash chain over closed attempts, in the order they were closed. */
        "CREATE TABLE chain ("
        "  sequence INTEGER PRIMARY KEY,"
        "  attempt INTEGER NOT NULL UNIQUE REFERENCES attempts,"
        "  station TEXT NOT NULL,"
        "  previous TEXT NOT NULL, hash TEXT NOT NULL);"

        /* What a card showed at first sight, and what it must show now by what we know. */
        "CREATE TABLE cards ("
        "  serial TEXT PRIMARY KEY,"
        "  firmware_id TEXT NOT NULL, maximum INTEGER NOT NULL,"
        "  first_counter INTEGER NOT NULL, last_counter INTEGER NOT NULL,"
        "  first_seen_us INTEGER NOT NULL, last_seen_us INTEGER NOT NULL,"
        "  type TEXT NOT NULL DEFAULT 'SFI') WITHOUT ROWID;"

        /* One row a license, `count` above 1 only for licenses spent outside the station. `digest`
         * is the SHA-256 of the certificate; iv, sealed and tag are the license under the station
         * key. `source` is card, server or file; `card` is NULL unless it is card. */
        "CREATE TABLE licenses ("
        "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
        "  state TEXT NOT NULL CHECK (state IN ('intended', 'stored', 'offered', 'installed',"
        "    'refused', 'cancelled', 'lost')),"
        "  count INTEGER NOT NULL DEFAULT 1 CHECK (count > 0),"
        "  certificate TEXT NOT NULL, digest BLOB,"
        "  firmware_id TEXT NOT NULL, order_id TEXT NOT NULL, site TEXT NOT NULL,"
        "  card TEXT REFERENCES cards, counter INTEGER NOT NULL,"
        "  iv BLOB, sealed BLOB, tag BLOB,"
        "  reason TEXT NOT NULL DEFAULT '',"
        "  intended_us INTEGER NOT NULL, stored_us INTEGER, offered_us INTEGER,"
        "  settled_us INTEGER,"
        "  type TEXT NOT NULL DEFAULT 'SFI',"
        "  source TEXT NOT NULL DEFAULT 'card',"
        "  CHECK ((state IN ('stored', 'offered', 'installed', 'refused')) ="
        "         (sealed IS NOT NULL)));"
        "CREATE INDEX licenses_chip ON licenses (digest, firmware_id);"
        "CREATE INDEX licenses_certificate ON licenses (certificate);"
        "CREATE INDEX licenses_order ON licenses (order_id, state, count);"
        "CREATE INDEX licenses_card ON licenses (card, state, count);";

/* From version i + 1 to i + 2. */
static const char *const schema_steps[] = {
        "ALTER TABLE lots ADD COLUMN image_digest BLOB;"
        "ALTER TABLE attempts ADD COLUMN license_source TEXT NOT NULL DEFAULT '';"
        "ALTER TABLE cards ADD COLUMN type TEXT NOT NULL DEFAULT 'SFI';"
        "ALTER TABLE licenses ADD COLUMN type TEXT NOT NULL DEFAULT 'SFI';"
        "ALTER TABLE licenses ADD COLUMN source TEXT NOT NULL DEFAULT 'card';",
};
_Static_assert(sizeof(schema_steps) / sizeof(schema_steps[0]) == SCHEMA_VERSION - 1,
               "a step a version");
