import type { Readiness } from '@tickmark/runtime';
import type { HttpServer } from './create-server.ts';

/** GET /health/live, /health/ready and /version, on the process's own port. They need no key and are answered under any load. */
export function addHealthRoutes(server: HttpServer, options: { ready: () => Promise<Readiness>; version: string }): void {
  const config = { quiet: true, shed: 'never' } as const;
  server.get('/health/live', { config }, async () => ({ live: true }));
  server.get('/health/ready', { config }, async (_request, reply) => {
    const readiness = await options.ready();
    return reply.code(readiness.ready ? 200 : 503).send(readiness);
  });
  server.get('/version', { config }, async () => ({ version: options.version }));
}
