import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import underPressure from '@fastify/under-pressure';
import { AppError } from '@tickmark/domain';
import type { Logger, Metrics, Readiness } from '@tickmark/runtime';
import fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type HookHandlerDoneFunction,
  type RawReplyDefaultExpression,
  type RawRequestDefaultExpression,
  type RawServerDefault,
} from 'fastify';
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod';
import { createAdmission, type Shed } from './admission.ts';
import { MESSAGES, toConnectionRefusal, toEnvelope, toRefusal } from './error-envelope.ts';
import { addHealthRoutes } from './health-routes.ts';
import { createRequestWatch } from './watch-requests.ts';

// Here, not beside the code that reads it: the declarations of a build reach other packages only by files that the index exports from.
declare module 'fastify' {
  interface FastifyContextConfig {
    /** A 2xx of this route is logged at debug: for health checks, and for callbacks, whose batches have their own line. */
    quiet?: boolean;
    /**
     * When overloaded: `never` = answered always (health), `last` = refused at twice the number and bytes of requests in flight (webhooks,
     * which their sender hardly repeats), `bulk` = at half of them. Absent = `first`.
     */
    shed?: Shed;
    /** What each request of this route is taken to hold in memory at least, however small its body is. */
    holdsBytesMin?: number;
  }
}

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
  metrics: Pick<Metrics, 'httpRequestDuration' | 'requestsShed'>;
  /** For GET /health/ready. */
  ready: () => Promise<Readiness>;
  /** For GET /version. */
  version: string;
  /** How many proxies stand in front, or their addresses; absent or false = none. "All" is not offered: callers could claim any address. */
  trustProxy?: number | string | string[] | false;
  /** Largest request body of a route that says nothing else. */
  bodyLimitBytes?: number;
  /** Requests being answered at one time; more are refused with 503 OVERLOADED (see `shed` of a route's config). */
  inFlightMax?: number;
  /** Bytes that they may hold together; the same. */
  inFlightBytesMax?: number;
  /** Open connections; more are closed at once, without an answer. */
  connectionsMax?: number;
  timeouts?: Partial<HttpTimeouts>;
}

export interface HttpTimeouts {
  /** From the connection, or the end of the answer before, to the last byte of the request. */
  requestTimeoutMs: number;
  /** The same for the headers alone. */
  headersTimeoutMs: number;
  /** Without a byte in either direction, while a request is read, worked on or answered: longer than the slowest handler. */
  connectionTimeoutMs: number;
  /** Between two requests. Behind a proxy it must be longer than the proxy's own, which else runs into connections being closed. */
  keepAliveTimeoutMs: number;
  /** How often the first two are enforced; Node's default is 30 s. */
  checkIntervalMs: number;
}

/** Measured: with Fastify's defaults slow headers, slow bodies and silent connections all stay open; with these they end within 5 s. */
export const TIMEOUTS: HttpTimeouts = {
  requestTimeoutMs: 4_500,
  headersTimeoutMs: 3_000,
  connectionTimeoutMs: 15_000,
  keepAliveTimeoutMs: 5_000,
  checkIntervalMs: 250,
};
/** Above the idle time of the usual load balancers (60 s). */
const KEEP_ALIVE_BEHIND_PROXY_MS = 65_000;
const BODY_LIMIT_BYTES = 65_536;
const IN_FLIGHT_MAX = 2_000;
/** As bodies; what is made of them takes some times that. */
const IN_FLIGHT_BYTES_MAX = 64 * 1024 * 1024;
/** A fourth more than may be in flight, so that nearly all who are too many are told so. With its headers each holds some 30 KB. */
const CONNECTIONS_MAX = 5_000;
/** Mean lateness of the event loop over a second. A busy loop alone is no reason: under full load it still answers in milliseconds. */
const EVENT_LOOP_DELAY_MS_MAX = 500;

/**
 * A server, not yet listening, with what all of ours share: time-outs against slow callers, one error envelope, schemas by zod,
 * `/health/live`, `/health/ready`, `/version`, one log line and one observation per request, refusal under overload. `close()` answers
 * what is in flight and ends after the request time-out at the latest.
 *
 * `request.log` is silent, because a child logger per request costs more than it tells: use the process's logger with
 * `{ requestId: request.id }`. A caller's X-Request-Id is kept when it is sane.
 */
export async function createServer(options: HttpServerOptions): Promise<HttpServer> {
  const { log, metrics, inFlightMax = IN_FLIGHT_MAX, inFlightBytesMax = IN_FLIGHT_BYTES_MAX, bodyLimitBytes = BODY_LIMIT_BYTES } = options;
  const server = createFastify(options, (error, request, reply) =>
    watchUnknown(request, reply, () => answerError(log, error, request, reply)),
  );
  server.setValidatorCompiler(validatorCompiler);
  server.setSerializerCompiler(serializerCompiler);
  // Only JSON is read unless a route scope says otherwise.
  server.removeContentTypeParser('text/plain');

  await server.register(underPressure);
  const isLate = () => server.memoryUsage().eventLoopDelay > EVENT_LOOP_DELAY_MS_MAX;
  const admission = createAdmission({ inFlightMax, bytesMax: inFlightBytesMax, isLate });
  const watchRoute = createRequestWatch({ log, metrics, admission });
  const watchUnknown = watchRoute({ method: 'any', route: 'unknown', shed: 'first', bodyLimitBytes });
  server.addHook('onRoute', (route) => {
    const { quiet, shed = 'first', holdsBytesMin } = route.config ?? {};
    const { method, url, bodyLimit = bodyLimitBytes } = route;
    const watch = watchRoute({ method: String(method), route: url, quiet, shed, holdsBytesMin, bodyLimitBytes: bodyLimit });
    route.onRequest = [watch, refuseEncoded, ...[route.onRequest ?? []].flat()];
  });
  server.setErrorHandler((error, request, reply) => answerError(log, error, request, reply));
  server.setNotFoundHandler((request, reply) => {
    watchUnknown(request, reply, (refusal) => {
      answerError(log, refusal ?? new AppError('NOT_FOUND', MESSAGES.NOT_FOUND), request, reply);
    });
  });
  boundConnections(server, options.connectionsMax ?? CONNECTIONS_MAX, metrics);
  endClosing(server, options.timeouts?.requestTimeoutMs ?? TIMEOUTS.requestTimeoutMs);
  addHealthRoutes(server, options);
  return server;
}

/** Bodies are read as they are: a signature covers them so, and what unpacks to a thousand times its size is no concern then. */
function refuseEncoded(request: FastifyRequest, _reply: FastifyReply, done: HookHandlerDoneFunction): void {
  const encoding = request.raw.headers['content-encoding'];
  if (encoding === undefined || encoding === 'identity') return done();
  done(new AppError('UNSUPPORTED_MEDIA_TYPE', 'Bodies are read as they are sent. Send this request again without Content-Encoding.'));
}

function boundConnections(server: HttpServer, connectionsMax: number, metrics: Pick<Metrics, 'requestsShed'>): void {
  server.server.maxConnections = connectionsMax;
  server.server.on('drop', () => metrics.requestsShed.inc({ shed: 'last', reason: 'connections' }));
}

/** Node enforces no time-out any more once a server closes: one silent connection would hold it open. */
function endClosing(server: HttpServer, afterMs: number): void {
  let timer: NodeJS.Timeout | undefined;
  server.addHook('preClose', async () => {
    timer = setTimeout(() => server.server.closeAllConnections(), afterMs);
  });
  server.addHook('onClose', async () => clearTimeout(timer));
}

/** @param refuseUnrouted answers what fails before a route is found, such as a path that cannot be decoded. */
function createFastify(
  { trustProxy = false, bodyLimitBytes = BODY_LIMIT_BYTES, timeouts: given }: HttpServerOptions,
  refuseUnrouted: (error: unknown, request: FastifyRequest, reply: FastifyReply) => void,
) {
  const keepAliveTimeoutMs = trustProxy === false ? TIMEOUTS.keepAliveTimeoutMs : KEEP_ALIVE_BEHIND_PROXY_MS;
  const timeouts = { ...TIMEOUTS, keepAliveTimeoutMs, ...given };
  const newRequestId = createRequestIds();
  return fastify({
    logger: false,
    // Fastify takes a plain number of hops as "trust none".
    trustProxy: typeof trustProxy === 'number' ? (_address, hop) => hop < trustProxy : trustProxy,
    bodyLimit: bodyLimitBytes,
    requestTimeout: timeouts.requestTimeoutMs,
    connectionTimeout: timeouts.connectionTimeoutMs,
    keepAliveTimeout: timeouts.keepAliveTimeoutMs,
    http: { headersTimeout: timeouts.headersTimeoutMs, connectionsCheckingInterval: timeouts.checkIntervalMs },
    // While closing, requests on open connections are still answered; each answer ends its connection.
    return503OnClosing: false,
    routerOptions: { maxParamLength: 256 },
    genReqId: (request) => chooseRequestId(request.headers['x-request-id'], newRequestId),
    clientErrorHandler: (error, socket) => refuseConnection(error, socket, newRequestId()),
    frameworkErrors: refuseUnrouted,
    exposeHeadRoutes: false,
  }).withTypeProvider<ZodTypeProvider>();
}

/** Expected refusals are only answered; what nobody foresaw is logged, because its answer says nothing. */
function answerError(log: Logger, error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const refusal = toRefusal(error);
  if (refusal.code === 'INTERNAL') {
    log.error(
      { requestId: request.id, method: request.method, route: request.routeOptions.url ?? 'unknown', err: error },
      'request failed',
    );
  }
  if (refusal.retryAfterSeconds !== undefined) reply.header('Retry-After', refusal.retryAfterSeconds);
  // Serialised here, because a route's schema for this status would drop or refuse what it does not know.
  reply.code(refusal.httpStatus).header('Content-Type', 'application/json; charset=utf-8').serializer(JSON.stringify);
  void reply.send(toEnvelope(refusal, request.id));
}

/** The caller's, so that its traces and our logs meet; anything that could not stand in a log line gets a new one. */
function chooseRequestId(given: string | string[] | undefined, newRequestId: () => string): string {
  return typeof given === 'string' && /^[\w.:-]{1,64}$/.test(given) ? given : newRequestId();
}

/** Unique over all processes and restarts, at a fifth of the cost of a UUID per request. */
function createRequestIds(): () => string {
  const prefix = randomBytes(9).toString('base64url');
  let count = 0;
  return () => `${prefix}-${(count += 1).toString(36)}`;
}

/** Node gives no response object for broken or late requests, only the socket. */
function refuseConnection(error: NodeJS.ErrnoException, socket: Socket, requestId: string): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  if (socket.writable) {
    const { httpStatus, refusal } = toConnectionRefusal(error.code);
    const body = JSON.stringify(toEnvelope(refusal, requestId));
    const head = [
      `HTTP/1.1 ${httpStatus} Refused`,
      'Content-Type: application/json; charset=utf-8',
      `Content-Length: ${Buffer.byteLength(body)}`,
    ];
    socket.write(`${head.join('\r\n')}\r\nConnection: close\r\n\r\n${body}`);
  }
  socket.destroy(error);
}
