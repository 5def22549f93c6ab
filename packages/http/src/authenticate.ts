import { createHash, timingSafeEqual } from 'node:crypto';
import rateLimit from '@fastify/rate-limit';
import { AppError } from '@tickmark/domain';
import type { FastifyReply, FastifyRequest, onRequestAsyncHookHandler } from 'fastify';
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
  /** Hooks for a route's `onRequest`: a valid key with at least one of these scopes, and its rate. The OpenAPI document names them. */
  require: (...scopes: Scope[]) => onRequestAsyncHookHandler[];
}

/** The hook of a route that asks for a key, with what it asks for. */
export interface KeyHook extends onRequestAsyncHookHandler {
  scopes?: readonly Scope[];
}

/**
 * Checks `Authorization: Bearer <key>` against the SHA-256 of every key, in the same time whichever matches and whether any does.
 *
 * A request without a valid key gets 401 UNAUTHENTICATED, one whose key lacks the scope 403 FORBIDDEN_SCOPE, and one above its rate
 * 429 RATE_LIMITED with Retry-After; the handler finds `request.apiKey` and `request.producer`. No scope implies another.
 *
 * @param options.keys asked at each request, so that keys may change while the process runs.
 * @param options.rateLimitPerKey requests per second and key name in this process; 0 or absent = no limit.
 */
export async function createAuthenticator(
  server: HttpServer,
  options: { keys: () => readonly ApiKey[]; rateLimitPerKey?: number; now?: () => Date },
): Promise<Authenticator> {
  const { keys, rateLimitPerKey = 0, now = () => new Date() } = options;
  server.decorateRequest('apiKey', null);
  server.decorateRequest('producer', '');
  const limit = rateLimitPerKey > 0 ? [await createRateLimit(server, rateLimitPerKey)] : [];

  return {
    require: (...scopes) => {
      const checkKey: KeyHook = async (request, reply) => {
        const key = findKey(keys(), request, reply, now());
        if (!scopes.some((scope) => key.scopes.includes(scope))) throw forbiddenScope(scopes);
        request.apiKey = key;
        request.producer = key.name;
      };
      checkKey.scopes = scopes;
      return [checkKey, ...limit];
    },
  };
}

function findKey(keys: readonly ApiKey[], request: FastifyRequest, reply: FastifyReply, now: Date): ApiKey {
  const presented = /^Bearer +([!-~]{1,512})$/i.exec(request.headers.authorization ?? '')?.[1];
  if (presented === undefined) throw unauthenticated(reply, 'Send an API key in the header: Authorization: Bearer <key>.');
  const sha256 = createHash('sha256').update(presented).digest();
  // Every key is compared, so that the time tells nothing about which one matched.
  let found: ApiKey | undefined;
  for (const key of keys) {
    if (key.sha256.length === sha256.length && timingSafeEqual(key.sha256, sha256)) found = key;
  }
  if (found === undefined) throw unauthenticated(reply, 'This API key is not known here. Check it, or ask an operator for a new one.');
  if (found.expiresOn !== null && now.toISOString().slice(0, 10) > found.expiresOn) {
    throw unauthenticated(reply, 'This API key has expired. Ask an operator for a new one.');
  }
  return found;
}

function unauthenticated(reply: FastifyReply, message: string): AppError {
  reply.header('WWW-Authenticate', 'Bearer');
  return new AppError('UNAUTHENTICATED', message);
}

function forbiddenScope(scopes: readonly Scope[]): AppError {
  return new AppError(
    'FORBIDDEN_SCOPE',
    `This API key lacks the scope ${scopes.join(' or ')}. Use a key that has it, or ask an operator to add it (scopes are joined by +).`,
  );
}

/** One window of a second per key name, in this process's memory: with N replicas a key gets N times as much. */
async function createRateLimit(server: HttpServer, perSecond: number): Promise<onRequestAsyncHookHandler> {
  const off = { 'x-ratelimit-limit': false, 'x-ratelimit-remaining': false, 'x-ratelimit-reset': false };
  await server.register(rateLimit, { global: false, addHeaders: { ...off, 'retry-after': false }, addHeadersOnExceeding: off });
  return server.rateLimit({
    max: Math.ceil(perSecond),
    timeWindow: 1_000,
    keyGenerator: (request) => request.producer,
    errorResponseBuilder: (_request, { ttl }) =>
      new AppError('RATE_LIMITED', `This API key may make ${Math.ceil(perSecond)} requests per second. Wait as long as Retry-After says.`, {
        retryAfterSeconds: Math.max(1, Math.ceil(ttl / 1_000)),
      }),
  }) as onRequestAsyncHookHandler;
}
