#include "station/commands/opening.h"

int opening_open(const struct opening *opening, struct opened_image *ret_image)
{
        return image_open(opening->path, opening->key_file, opening->nonce_file, opening->policy,
                          ret_image);
}
