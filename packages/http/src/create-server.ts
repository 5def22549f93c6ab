import type { Metrics, Readiness, Logger } from '@tickmark/runtime';
import type {
  FastifyBaseLogger,
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';

export type HttpServer = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  ZodTypeProvider
>;
export type HttpRequest = FastifyRequest;
export type HttpReply = FastifyReply;

export interface HttpServerOptions {
  log: Logger;
  metrics: Pick<Metrics, 'httpRequestDuration'>;
  /** For GET /health/ready. */
  ready: () => Promise<Readiness>;
  /** For GET /version. */
  version: string;
  /** How many proxies stand in front, or their addresses (comma-separated); absent or false = none. Never "all". */
  trustProxy?: boolean | number | string;
  /** Largest request body of a route that says nothing else. */
  bodyLimitBytes?: number;
  /** Requests being answered at one time; more are refused with 503 OVERLOADED. */
  inFlightMax?: number;
  timeouts?: Partial<HttpTimeouts>;
}

export interface HttpTimeouts {
  /** From connection to the last byte of the request. */
  requestTimeoutMs: number;
  /** Until the last byte of the headers. */
  headersTimeoutMs: number;
  /** Idle socket. */
  connectionTimeoutMs: number;
  keepAliveTimeoutMs: number;
  /** How often the two first are looked at. */
  checkIntervalMs: number;
}

export async function createServer(_options: HttpServerOptions): Promise<HttpServer> {
  throw new Error('not built yet');
}
