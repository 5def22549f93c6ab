import { cleanupRequestSchema, eraseRequestSchema } from '@tickmark/domain';
import type { Authenticator, HttpServer } from '@tickmark/http';
import { askForTask, taskAskedSchema, type AskForTaskDeps } from '../ask-for-task.ts';

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
        body: cleanupRequestSchema,
        response: { 202: taskAskedSchema },
      },
    },
    async (request, reply) => {
      reply.status(202);
      return askForTask(deps, { kind: 'cleanup', input: request.body, requestedBy: request.producer });
    },
  );

  server.post(
    '/v1/maintenance/erase',
    {
      onRequest: authenticator.require('admin'),
      schema: {
        tags: ['maintenance'],
        summary: 'Finds everything about one phone number, or erases it; the task tells what was found and that nothing is left',
        body: eraseRequestSchema,
        response: { 202: taskAskedSchema },
      },
    },
    async (request, reply) => {
      reply.status(202);
      return askForTask(deps, { kind: 'erase', input: request.body, requestedBy: request.producer });
    },
  );
}
