import swagger from '@fastify/swagger';
import { jsonSchemaTransform } from 'fastify-type-provider-zod';
import type { KeyHook } from './authenticate.ts';
import type { HttpServer } from './create-server.ts';
import { contentSecurityPolicy, renderDocsPage, type OpenApiDocument } from './docs-page.ts';
import { errorEnvelopeSchema } from './error-envelope.ts';

export interface OpenApiOptions {
  title: string;
  version: string;
  description?: string;
}

/**
 * Serves GET /docs/openapi.json (OpenAPI 3.1, from the zod schemas of the routes) and GET /docs (the same as a page without scripts
 * and foreign origins). Await it before the routes are added: it tells only those that come after, except those with `hide`.
 */
export async function registerOpenApi(server: HttpServer, options: OpenApiOptions): Promise<void> {
  const { title, version, description } = options;
  await server.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title, version, ...(description !== undefined && { description }) },
      components: { securitySchemes: { apiKey: { type: 'http', scheme: 'bearer', description: 'An API key of API_KEYS.' } } },
    },
    transform: (route) => {
      const scopes = scopesOf(route.route.onRequest);
      const schema = {
        ...route.schema,
        ...(scopes.length > 0 && { security: scopes.map((scope) => ({ apiKey: [scope] })) }),
        // Only told here: no route's answers are made to fit it, because errors are answered in one place.
        response: { ...(route.schema?.response as object | undefined), default: errorEnvelopeSchema },
      };
      return jsonSchemaTransform({ ...route, schema });
    },
  });
  // Nothing changes once the server listens, so each is made once.
  let json: string | undefined;
  let page: string | undefined;
  const config = { quiet: true };
  server.get('/docs/openapi.json', { config, schema: { hide: true } }, async (_request, reply) => {
    json ??= JSON.stringify(server.swagger());
    return reply.type('application/json; charset=utf-8').send(json);
  });
  server.get('/docs', { config, schema: { hide: true } }, async (_request, reply) => {
    page ??= renderDocsPage(server.swagger() as OpenApiDocument);
    reply.header('Content-Security-Policy', contentSecurityPolicy()).header('X-Content-Type-Options', 'nosniff');
    return reply.type('text/html; charset=utf-8').send(page);
  });
}

/** What `authenticator.require` asked for on this route; any one of them is enough. */
function scopesOf(onRequest: unknown): readonly string[] {
  return [onRequest].flat().flatMap((hook) => (hook as KeyHook | undefined)?.scopes ?? []);
}
