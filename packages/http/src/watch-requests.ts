import { AppError } from '@tickmark/domain';
import type { Logger, Metrics } from '@tickmark/runtime';
import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify';
import { MESSAGES } from './error-envelope.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** A 2xx of this route is logged at debug: for health checks, and for callbacks, whose batches have their own line. */
    quiet?: boolean;
    /**
     * When overloaded: `never` = answered always (health), `last` = refused at twice the number of requests in flight (webhooks, which
     * their sender hardly repeats). Absent = refused first.
     */
    shed?: 'never' | 'last';
  }
}

export interface WatchedRoute {
  method: string;
  /** The pattern, never the path: paths hold ids. */
  route: string;
  quiet?: boolean | undefined;
  shed?: 'never' | 'last' | undefined;
}

export type RequestWatch = (request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction) => void;

const RETRY_AFTER_SECONDS = 1;

/**
 * Counts the requests being answered, refuses those above the bound, and at the end of each writes one line and one observation.
 *
 * @param deps.isLate whether the event loop answers too late to take more work.
 * @returns makes the first `onRequest` hook of one route.
 */
export function createRequestWatch(deps: {
  log: Logger;
  metrics: Pick<Metrics, 'httpRequestDuration'>;
  inFlightMax: number;
  isLate: () => boolean;
}): (route: WatchedRoute) => RequestWatch {
  const { log, metrics, inFlightMax, isLate } = deps;
  let inFlight = 0;

  return ({ method, route, quiet = false, shed }) => {
    const bound = shed === 'never' ? Infinity : shed === 'last' ? 2 * inFlightMax : inFlightMax;
    return (request, reply, done) => {
      const startedMs = performance.now();
      inFlight += 1;
      // "close" comes after the last byte and also when the caller hangs up, which Fastify's onResponse does not tell.
      reply.raw.once('close', () => {
        inFlight -= 1;
        const durationMs = performance.now() - startedMs;
        const { statusCode: httpStatus, writableFinished: answered } = reply.raw;
        const status = answered ? `${Math.floor(httpStatus / 100)}xx` : 'aborted';
        metrics.httpRequestDuration.observe({ method, route, status }, durationMs / 1_000);
        const level = quiet && status === '2xx' ? 'debug' : 'info';
        if (!log.isLevelEnabled(level)) return;
        const line = {
          requestId: request.id,
          method,
          route,
          status: answered ? httpStatus : null,
          durationMs: Math.round(durationMs * 10) / 10,
        };
        log[level](line, answered ? 'request answered' : 'caller hung up before the answer');
      });
      if (inFlight > bound || (shed === undefined && isLate())) done(overloaded());
      else done();
    };
  };
}

function overloaded(): AppError {
  return new AppError('OVERLOADED', MESSAGES.OVERLOADED, { retryAfterSeconds: RETRY_AFTER_SECONDS });
}
