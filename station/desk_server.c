/*
 * desk_server.c - one question to the license server: a fiber that asks and does not give up what is paid.
 *
 * Write-ahead as with cards: the intent is on disk before the question leaves, the license before
 * the answer is given. A refusal cancels the intent. When nothing comes, or something that is no
 * license, nobody knows whether one was issued: the intent stays open, and the next question for
 * this chip takes it up again (ledger_intend). The fiber cannot be cancelled, for its callers only
 * wait for the request; whoever asks for the same chip meanwhile waits for the same answer.
 */
#include "station/desk_parts.h"
#include "station/license_server.h"

#include <stdio.h>

/* Intent, question, license on disk. The license is left in the request. */
static int question_ask(struct desk *desk, struct request *request)
{
        struct ledger_license *license = &request->license;
        char sentence[512];
        int r = ledger_intend(desk->ledger, &request->ledger, NULL, 0, &license->id);

        if (r < 0)
                return r;
        license->source = LICENSE_FROM_SERVER;
        r = license_server_ask(desk->server, &request->certificate, request->firmware_id,
                               request->type, license->bytes);
        if (r >= 0)
                r = desk_check_license(request, license->bytes, FAULT_SERVER, "the license server");
        if (r >= 0)
                return desk_keep(desk, license);
        snprintf(sentence, sizeof(sentence), "%s", fault_sentence(r));
        if (r == -FAULT_SERVER_REFUSED) {
                int cancelled = ledger_cancel(desk->ledger, license->id, sentence);

                if (cancelled < 0)
                        return cancelled;
        }
        return fault((enum fault)(-r), "%s", sentence);
}

static int question_procedure(void *subject)
{
        struct request *request = subject;
        struct desk *desk = request->desk;
        int r = question_ask(desk, request);

        if (r == -FAULT_DUPLICATE)
                desk_answer_from_ledger(desk, request);
        else
                desk_answer(desk, request, r);
        desk_leave(desk);
        return 0;
}

void desk_question(struct desk *desk, struct request *request)
{
        request->is_at_work = true;
        desk->callers++;
        fiber_detach(fiber_spawn("license server", question_procedure, request));
}
