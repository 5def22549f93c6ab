import type { onRequestAsyncHookHandler } from 'fastify';
import type { ApiKey, Scope } from './api-keys.ts';
import type { HttpServer } from './create-server.ts';

/** Who calls: what a handler may know about the key. */
export type ApiKeyIdentity = Pick<ApiKey, 'name' | 'scopes' | 'aliases'>;

declare module 'fastify' {
  interface FastifyRequest {
    /** null on routes without `authenticator.require`. */
    apiKey: ApiKeyIdentity | null;
    /** Name of the API key; empty on routes without `authenticator.require`. */
    producer: string;
  }
}

export interface Authenticator {
  /** Hooks for a route's `onRequest`: a valid key with at least one of these scopes, and its rate. */
  require(...scopes: Scope[]): onRequestAsyncHookHandler[];
}

export async function createAuthenticator(
  _server: HttpServer,
  _options: { keys: () => readonly ApiKey[]; rateLimitPerKey?: number; now?: () => Date },
): Promise<Authenticator> {
  throw new Error('not built yet');
}

/** @throws AppError FORBIDDEN_SENDER when the key is bound to other aliases. */
export function requireAlias(_identity: ApiKeyIdentity | null, _alias: string): void {
  throw new Error('not built yet');
}
