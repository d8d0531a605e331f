#include "station/commands/opening.h"

int opening_take(struct opening *opening, int key, const char *value)
{
        switch (key) {
        case OPENING_KEY:
                opening->key_file = value;
                return 0;
        case OPENING_NONCE:
                opening->nonce_file = value;
                return 0;
        case OPENING_IV_POLICY:
                return image_policy_parse(value, &opening->policy);
        case OPENING_FAMILY:
                opening->choice.family = value;
                return 0;
        case OPENING_DEVICE:
                opening->choice.has_device = true;
                return options_number("--deviceid", value, 0xFFF, &opening->choice.device);
        case OPENING_JSON:
                opening->is_json = true;
                return 0;
        default:
                if (opening->path)
                        return fault(FAULT_BAD_VALUE, "one image at a time, not %.80s too", value);
                opening->path = value;
                return 0;
        }
}

int opening_check(const struct opening *opening)
{
        if (opening->path && opening->key_file && opening->nonce_file)
                return 0;
        return fault(FAULT_BAD_VALUE,
                     "give the image, its key and its nonce: FILE -k FILE -n FILE");
}

int opening_open(const struct opening *opening, struct opened_image *ret_image)
{
        return image_open(opening->path, opening->key_file, opening->nonce_file, opening->policy,
                          ret_image);
}
