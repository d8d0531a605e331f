/*
 * The certificate is read first and says which product; then the one package for it is found or the
 * named one held against it.
 */
#include "station/commands/hsm_package.h"

#include "crypto/digest.h"
#include "scheduler/file.h"
#include "station/commands/image_view.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define PACKAGE_MAX  (1u << 20)
#define ENTRIES_MAX  4096u /* names looked at, subfolders included */
#define FOLDER_DEPTH 1     /* PersoPackages has SFIA packages in a subfolder (AN5054 8.3.2) */

static void close_folder(DIR **folder)
{
        if (*folder)
                closedir(*folder);
}

static int read_product_id(const char *path, char *ret_product_id)
{
        struct bytes file CLEANUP(bytes_free) = { 0 };
        struct certificate certificate;
        int r = file_read(path, 4096, &file);

        if (r < 0)
                return fault_prefix(r, "the certificate");
        r = certificate_parse(file.data, file.length, NULL, &certificate);
        if (r < 0)
                return fault_prefix(r, "%s", path);
        memcpy(ret_product_id, certificate.product_id, PRODUCT_ID_LENGTH + 1);
        return 0;
}

static int hold_against(const struct hsm_package *package,
                        const struct hsm_package_request *request)
{
        const struct hsm_personalization *is = &package->name.personalization;

        if (package->product_id[0] && strcmp(package->product_id, is->product_id) != 0)
                return fault(FAULT_BAD_VALUE,
                             "%.120s is for product %s, the chip of %.120s is product %s",
                             package->path, is->product_id, request->cert_file,
                             package->product_id);
        if (request->flow && strcmp(request->flow, is->flow) != 0)
                return fault(FAULT_BAD_VALUE, "%.200s is for flow %s, wanted %.8s", package->path,
                             is->flow, request->flow);
        if (is->license_version != 1)
                return fault(FAULT_BAD_VALUE,
                             "%.200s is for license version %u; licenses of version 1 are known",
                             package->path, is->license_version);
        return 0;
}

/* --- the folder ---------------------------------------------------------------------------- */

struct search {
        const char *product_id, *flow;
        unsigned entries, found;
        char path[PACKAGE_PATH_MAX];
};

/* A name that is no package's is somebody else's file. */
static int look_at(struct search *search, const char *path)
{
        struct perso_name name;

        if (perso_name_parse(path, &name) < 0 ||
            strcmp(name.personalization.product_id, search->product_id) != 0 ||
            strcmp(name.personalization.flow, search->flow) != 0)
                return 0;
        if (search->found++)
                return fault(FAULT_DUPLICATE,
                             "both %.150s and %.150s are for product %s and flow %s: name one "
                             "with -pd",
                             search->path, path, search->product_id, search->flow);
        snprintf(search->path, sizeof(search->path), "%s", path);
        return 0;
}

static bool is_folder(const struct dirent *entry, const char *path)
{
        struct stat found;

        if (entry->d_type != DT_UNKNOWN && entry->d_type != DT_LNK)
                return entry->d_type == DT_DIR;
        return stat(path, &found) == 0 && S_ISDIR(found.st_mode);
}

static int look_in(struct search *search, const char *path, int depth)
{
        DIR *folder CLEANUP(close_folder) = opendir(path);
        const struct dirent *entry;
        int r = 0;

        if (!folder)
                return fault_errno(errno, "the folder %.200s", path);
        while (r >= 0 && (entry = readdir(folder))) {
                char inside[PACKAGE_PATH_MAX];

                if (entry->d_name[0] == '.')
                        continue;
                if (++search->entries > ENTRIES_MAX)
                        return fault(FAULT_TOO_LARGE,
                                     "more than %u files below %.200s: name the package with -pd",
                                     ENTRIES_MAX, path);
                if (snprintf(inside, sizeof(inside), "%s/%s", path, entry->d_name) >=
                    (int)sizeof(inside))
                        continue; /* no package has such a name */
                if (!is_folder(entry, inside))
                        r = look_at(search, inside);
                else if (depth > 0)
                        r = look_in(search, inside, depth - 1);
        }
        return r;
}

static int find(const struct hsm_package_request *request, struct hsm_package *package)
{
        struct search search = { .product_id = package->product_id,
                                 .flow = request->flow ? request->flow : "SFI" };
        int r;

        if (!package->product_id[0])
                return fault(FAULT_BAD_VALUE,
                             "a package is chosen by a chip's product id: give --cert FILE, or "
                             "name the package with -pd");
        r = look_in(&search, request->folder, FOLDER_DEPTH);
        if (r >= 0 && !search.found)
                return fault(FAULT_NOT_FOUND,
                             "no package for product %s and flow %s among the %u files in %.200s",
                             search.product_id, search.flow, search.entries, request->folder);
        memcpy(package->path, search.path, sizeof(search.path));
        return r;
}

/* --- choosing ------------------------------------------------------------------------------ */

static int read_content(struct hsm_package *package)
{
        struct bytes file CLEANUP(bytes_free) = { 0 };
        uint8_t digest[DIGEST_LENGTH];
        int r = file_read(package->path, PACKAGE_MAX, &file);

        if (r < 0)
                return fault_prefix(r, "the personalization package");
        if (file.length == 0)
                return fault(FAULT_BAD_FILE, "the personalization package %.200s is empty",
                             package->path);
        digest_sha256(file.data, file.length, digest);
        digest_text(digest, package->digest);
        package->is_there = true;
        return 0;
}

int hsm_package_choose(const struct hsm_package_request *request, struct hsm_package *ret_package)
{
        struct hsm_package package = { 0 };
        int r = 0;

        if (request->cert_file)
                r = read_product_id(request->cert_file, package.product_id);
        if (r >= 0 && request->file)
                snprintf(package.path, sizeof(package.path), "%s", request->file);
        else if (r >= 0 && request->folder)
                r = find(request, &package);
        if (r >= 0 && package.path[0]) {
                r = perso_name_parse(package.path, &package.name);
                if (r >= 0)
                        r = hold_against(&package, request);
                if (r >= 0)
                        r = read_content(&package);
        }
        if (r < 0)
                return r;
        *ret_package = package;
        return 0;
}
