import { readPerson } from '@tickmark/delivery';
import { cleanupRequestSchema, eraseRequestSchema } from '@tickmark/domain';
import type { Authenticator, HttpServer } from '@tickmark/http';
import { z } from 'zod';
import { askForTask, taskAskedSchema, type AskForTaskDeps } from '../ask-for-task.ts';
import { optionalReasonField } from '../operator-fields.ts';

const eraseBodySchema = z
  .strictObject({
    ...eraseRequestSchema.shape,
    phone: eraseRequestSchema.shape.phone.refine(
      (phone) => readPerson(phone) !== null,
      'write +<country code and number>, or whatsapp:<CC>.<user id>',
    ),
    reason: optionalReasonField,
  })
  .refine(({ dryRun, reason }) => dryRun || reason !== undefined, { path: ['reason'], message: 'say why: it is kept in the audit log' });

/** What operators do about old and personal data. */
export function addMaintenanceRoutes(
  server: HttpServer,
  { authenticator, ...deps }: AskForTaskDeps & { authenticator: Authenticator },
): void {
  server.post(
    '/v1/maintenance/cleanup',
    {
      onRequest: authenticator.require('admin'),
      schema: {
        tags: ['maintenance'],
        summary: 'Removes now what is older than its period, instead of within the hour',
        body: cleanupRequestSchema.nullish(),
        response: { 202: taskAskedSchema },
      },
    },
    async (request, reply) => {
      reply.status(202);
      return askForTask(deps, { kind: 'cleanup', input: request.body ?? cleanupRequestSchema.parse({}), requestedBy: request.producer });
    },
  );

  server.post(
    '/v1/maintenance/erase',
    {
      onRequest: authenticator.require('admin'),
      schema: {
        tags: ['maintenance'],
        summary: 'Finds everything about one phone number, or erases it; the task tells what was found and that nothing is left',
        body: eraseBodySchema,
        response: { 202: taskAskedSchema },
      },
    },
    async (request, reply) => {
      reply.status(202);
      return askForTask(deps, { kind: 'erase', input: request.body, requestedBy: request.producer });
    },
  );
}
