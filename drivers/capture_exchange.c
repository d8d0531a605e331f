/*
 * capture_exchange.c - which URBs belong to one exchange.
 *
 * One command is under way at a probe at a time (stlink.md 3.3), so the packets are read in a row: a
 * submission of 16 bytes begins an exchange, unless the one before still waits for its data out; a
 * submission of the other kind is its data phase; completions are told by the URB's id.
 */
#include "drivers/capture_exchange.h"

#include "drivers/stlink_words.h"

#include <stdlib.h>

struct assembly {
        struct capture_exchanges *exchanges;
        struct capture_exchange *current;
        uint64_t command_id, data_id;
        bool has_data_id; /* the data phase was submitted */
};

static bool opens_command(const struct capture_packet *packet)
{
        return packet->type == CAPTURE_SUBMIT && packet->transfer == CAPTURE_BULK &&
               !(packet->endpoint & CAPTURE_IN) && packet->length == WIRE_COMMAND_LENGTH &&
               packet->has_data && packet->data_length == WIRE_COMMAND_LENGTH;
}

static const struct capture_packet *find_probe(const struct capture *capture)
{
        for (size_t i = 0; i < capture->count; i++)
                if (opens_command(&capture->packets[i]))
                        return &capture->packets[i];
        return NULL;
}

static bool wants_data_out(const struct assembly *assembly)
{
        return assembly->current && !assembly->has_data_id &&
               stlink_words(assembly->current->command).class == STLINK_WRITE;
}

static struct piece comment_of(const struct capture_packet *packet)
{
        return (struct piece){ packet->comment, packet->comment_length };
}

static void begin(struct assembly *assembly, const struct capture_packet *packet)
{
        struct capture_exchange *exchange =
                &assembly->exchanges->items[assembly->exchanges->count++];

        *exchange = (struct capture_exchange){ .submitted_ns = packet->time_ns,
                                               .before = comment_of(packet) };
        memcpy(exchange->command, packet->data, WIRE_COMMAND_LENGTH);
        assembly->current = exchange;
        assembly->command_id = packet->id;
        assembly->has_data_id = false;
}

static void begin_data(struct assembly *assembly, const struct capture_packet *packet)
{
        struct capture_exchange *exchange = assembly->current;

        assembly->data_id = packet->id;
        assembly->has_data_id = true;
        exchange->is_in = packet->endpoint & CAPTURE_IN;
        exchange->length = packet->length;
        exchange->completed_ns = 0;
        if (!exchange->is_in && packet->has_data) {
                exchange->data = packet->data;
                exchange->data_length = packet->data_length;
        }
}

static bool submit(struct assembly *assembly, const struct capture_packet *packet)
{
        bool is_in = packet->endpoint & CAPTURE_IN;

        if (packet->type == 'E')
                return false;
        if (opens_command(packet) && !wants_data_out(assembly)) {
                begin(assembly, packet);
                return true;
        }
        if (!assembly->current || assembly->has_data_id || (!is_in && !wants_data_out(assembly)))
                return false;
        begin_data(assembly, packet);
        return true;
}

static bool complete(struct assembly *assembly, const struct capture_packet *packet)
{
        struct capture_exchange *exchange = assembly->current;
        bool is_data;

        if (!exchange)
                return false;
        is_data = assembly->has_data_id && packet->id == assembly->data_id;
        if (!is_data && packet->id != assembly->command_id)
                return false;
        if (packet->status)
                exchange->status = packet->status;
        if (is_data && exchange->is_in && packet->has_data) {
                exchange->data = packet->data;
                exchange->data_length = packet->data_length;
        }
        if (is_data || !assembly->has_data_id)
                exchange->completed_ns = packet->time_ns;
        if (packet->comment_length)
                exchange->after = comment_of(packet);
        return true;
}

void capture_exchanges(const struct capture *capture, struct capture_exchanges *ret_exchanges)
{
        const struct capture_packet *probe = find_probe(capture);
        struct assembly assembly = { .exchanges = ret_exchanges };

        *ret_exchanges = (struct capture_exchanges){ 0 };
        ret_exchanges->items = calloc(capture->count + 1, sizeof(*ret_exchanges->items));
        INSIST(ret_exchanges->items);
        for (size_t i = 0; i < capture->count; i++) {
                const struct capture_packet *packet = &capture->packets[i];
                bool is_part = probe && packet->transfer == CAPTURE_BULK &&
                               packet->bus == probe->bus && packet->device == probe->device;

                if (is_part)
                        is_part = packet->type == CAPTURE_COMPLETE ? complete(&assembly, packet)
                                                                   : submit(&assembly, packet);
                ret_exchanges->others += !is_part;
        }
}

void capture_exchanges_free(struct capture_exchanges *exchanges)
{
        free(exchanges->items);
        *exchanges = (struct capture_exchanges){ 0 };
}
