import { countHeld, deleteErrorPolicy, findHeld, listErrorPolicies, setErrorPolicy, type ErrorPolicy } from '@tickmark/delivery';
import type { ReleaseTask } from '@tickmark/domain';
import type { Authenticator, HttpServer } from '@tickmark/http';
import { z } from 'zod';
import { askForTask, taskAskedSchema, type AskForTaskDeps } from '../ask-for-task.ts';
import { dryRunField, NO_REASON, optionalReasonField } from '../operator-fields.ts';
import { codeParam } from '../query-params.ts';
import { withStore } from '../with-store.ts';

const paramsSchema = z.object({ code: codeParam });
const actionSchema = z.enum(['retry', 'stop', 'hold']);

const policySchema = z.object({
  code: z.int(),
  action: actionSchema.describe('retry: a few tries; stop: it fails; hold: it waits until somebody releases it'),
  reason: z.string().nullable(),
  updatedBy: z.string().nullable().describe('name of the API key'),
  updatedAt: z.iso.datetime(),
});

const matchedSchema = z.object({ matched: z.int().describe('messages that are held for the code') });

/** What becomes of messages by their error code, above the built-in table; and the release of what is held. */
export function addPolicyRoutes(server: HttpServer, { authenticator, ...deps }: AskForTaskDeps & { authenticator: Authenticator }): void {
  const { db } = deps;
  const documented = { tags: ['policies'] };
  const admin = { onRequest: authenticator.require('admin') };

  server.get(
    '/v1/policies',
    {
      onRequest: authenticator.require('read', 'admin'),
      schema: {
        ...documented,
        summary: 'The policies, and how many messages are held',
        response: {
          200: z.object({
            items: z.array(policySchema),
            held: z.array(z.object({ code: z.int().nullable(), count: z.int() })).describe('by the code that they are held for'),
          }),
        },
      },
    },
    async () => {
      const [policies, held] = await withStore(db, () => Promise.all([listErrorPolicies(db), countHeld(db)]));
      return { items: policies.map(describePolicy), held };
    },
  );

  server.put(
    '/v1/policies/:code',
    {
      ...admin,
      schema: {
        ...documented,
        summary: 'Say what becomes of messages that end with a code; workers know within 10 s',
        params: paramsSchema,
        body: z.strictObject({ action: actionSchema, reason: optionalReasonField }),
        response: { 200: policySchema },
      },
    },
    async (request) => {
      const { action, reason = null } = request.body;
      const change = { code: request.params.code, action, actor: request.producer, reason };
      return describePolicy(await withStore(db, () => setErrorPolicy(db, change)));
    },
  );

  server.delete(
    '/v1/policies/:code',
    {
      ...admin,
      schema: {
        ...documented,
        summary: 'Return a code to the built-in table',
        params: paramsSchema,
        querystring: z.strictObject({ reason: optionalReasonField }),
        response: { 200: z.object({ code: z.int(), deleted: z.boolean().describe('false: it had no policy') }) },
      },
    },
    async (request) => {
      const { code } = request.params;
      const { reason = null } = request.query;
      const deleted = await withStore(db, () => deleteErrorPolicy(db, { code, actor: request.producer, reason }));
      return { code, deleted };
    },
  );

  server.post(
    '/v1/policies/:code/release',
    {
      ...admin,
      schema: {
        ...documented,
        summary: 'Let the messages go on that are held for a code at this moment',
        params: paramsSchema,
        body: z.strictObject({ dryRun: dryRunField, reason: optionalReasonField }).nullish(),
        response: { 200: matchedSchema, 202: taskAskedSchema.extend(matchedSchema.shape) },
      },
    },
    async (request, reply) => {
      const { code } = request.params;
      const { dryRun, reason = NO_REASON } = request.body ?? { dryRun: false };
      const ids = await withStore(db, () => findHeld(db, { code }));
      if (dryRun) return reply.code(200).send({ matched: ids.length });
      const input: ReleaseTask = { ids, code, reason };
      const asked = await askForTask(deps, { kind: 'release', input, requestedBy: request.producer });
      return reply.code(202).send({ ...asked, matched: ids.length });
    },
  );
}

function describePolicy({ updatedAt, ...policy }: ErrorPolicy): z.infer<typeof policySchema> {
  return { ...policy, updatedAt: updatedAt.toISOString() };
}
