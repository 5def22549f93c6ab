import { findMessageId, getUnknown, refuseDecision, type Database } from '@tickmark/delivery';
import { AppError, reasonSchema, REFUSED_DECISIONS, type ResolveTask } from '@tickmark/domain';
import type { Authenticator, HttpServer } from '@tickmark/http';
import { z } from 'zod';
import { askForTask, taskAskedSchema, type AskForTaskDeps } from '../ask-for-task.ts';
import { withStore } from '../with-store.ts';

const paramsSchema = z.object({ id: z.string().max(256).describe('id of the message') });

const bodySchema = z
  .strictObject({
    action: z
      .enum(['adopt', 'resend', 'close'])
      .describe('adopt: it is the message of messageSid; resend: it was never created; close: give it up'),
    messageSid: z
      .string()
      .regex(/^(SM|MM)[0-9a-f]{32}$/, 'a SID of a message is SM or MM and 32 hex digits')
      .optional()
      .describe('with adopt: the SID that Twilio gave the message'),
    reason: reasonSchema,
  })
  .superRefine(({ action, messageSid }, context) => {
    if ((action === 'adopt') === (messageSid !== undefined)) return;
    const message = action === 'adopt' ? 'name the SID that is to be adopted' : `belongs to adopt, not to ${action}: leave it out`;
    context.addIssue({ code: 'custom', path: ['messageSid'], message });
  });

/** A person decides about a message of which nobody knows whether Twilio has it. */
export function addResolveMessageRoute(
  server: HttpServer,
  { authenticator, ...deps }: AskForTaskDeps & { authenticator: Authenticator },
): void {
  server.post(
    '/v1/messages/:id/resolve',
    {
      onRequest: authenticator.require('admin'),
      schema: {
        tags: ['messages'],
        summary: 'Decide about a message whose outcome is unknown',
        params: paramsSchema,
        body: bodySchema,
        response: { 202: taskAskedSchema },
      },
    },
    async (request, reply) => {
      const { action, messageSid = null, reason } = request.body;
      const { id, attempt } = await withStore(deps.db, () => chooseUnknown(deps.db, request.params.id, action));
      const input: ResolveTask = { id, attempt, action, messageSid, reason };
      return reply.code(202).send(await askForTask(deps, { kind: 'resolve', input, requestedBy: request.producer }));
    },
  );
}

/** @throws AppError when the decision cannot be carried out, as far as a look tells: its task will look anew */
async function chooseUnknown(db: Database, idOrSid: string, action: ResolveTask['action']): Promise<{ id: string; attempt: number }> {
  const id = await findMessageId(db, idOrSid);
  const message = id === null ? null : await getUnknown(db, id);
  if (message === null) throw new AppError('MESSAGE_NOT_FOUND', REFUSED_DECISIONS.not_found);
  const why = await refuseDecision(db, { id: message.id, action });
  if (why !== null) throw new AppError('MESSAGE_NOT_RESOLVABLE', REFUSED_DECISIONS[why], { details: { why } });
  return { id: message.id, attempt: message.attempt };
}
