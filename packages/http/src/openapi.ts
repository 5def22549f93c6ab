import type { HttpServer } from './create-server.ts';

export interface OpenApiOptions {
  title: string;
  version: string;
  description?: string;
}

/** Call before the routes are added: GET /docs and /docs/openapi.json tell all that come after. */
export async function registerOpenApi(_server: HttpServer, _options: OpenApiOptions): Promise<void> {
  throw new Error('not built yet');
}
