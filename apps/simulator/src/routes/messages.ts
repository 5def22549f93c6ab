import { randomBytes } from 'node:crypto';
import type { HttpReply, HttpRequest, HttpServer } from '@tickmark/http';
import type { Logger } from '@tickmark/runtime';
import { parseForm } from '@tickmark/twilio';
import { refusalAnswer, type Answer } from '../answer.ts';
import { listMessages } from '../list-messages.ts';
import { deleteMessage, fetchMessage, updateMessage } from '../message-actions.ts';
import { API_VERSION } from '../resource.ts';
import type { Simulator } from '../simulator.ts';
import { refusalOf } from '../twilio-errors.ts';

/** Twilio's own server takes more; the largest create of ours stays below 20 KB. */
const BODY_BYTES_MAX = 262_144;
/** Load is a matter of the settings here: nothing of our own limits applies, and only debug lines tell of single requests. */
const config = { quiet: true, shed: 'never' } as const;

interface Admission {
  sid: string;
  /** Milliseconds since 1970. */
  arrivedAt: number;
  /** The refusal of a request that was not let in. */
  refused: Answer | undefined;
}
type Work = (request: HttpRequest, admission: Admission) => Promise<Answer> | Answer;

/** Twilio's Messages resource, at Twilio's paths. */
export function addMessageRoutes(server: HttpServer, simulator: Simulator, log: Logger): void {
  const { actions } = simulator;
  const silent = new Set<HttpReply>();
  const collection = `/${API_VERSION}/Accounts/:account/Messages.json`;
  const instance = `/${API_VERSION}/Accounts/:account/Messages/:file`;
  const route = (work: Work) => async (request: HttpRequest, reply: HttpReply) => {
    const [arrivedMs, arrivedAt] = [performance.now(), actions.nowMs()];
    const { account, file = '' } = request.params as { account: string; file?: string };
    const concurrent = simulator.guard.concurrent() + 1;
    const answer = await simulator.guard.admit({ authorization: request.headers.authorization, accountSid: account }, (refused) =>
      work(request, { sid: file.replace(/\.json$/, ''), arrivedAt, refused }),
    );
    return give(reply, answer, { concurrent, arrivedMs, silent });
  };

  // Before the server waits for requests under way: these would never end.
  server.addHook('preClose', async () => silent.forEach((reply) => reply.raw.destroy()));
  void server.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', { parseAs: 'string', bodyLimit: BODY_BYTES_MAX }, (_request, body, done) => done(null, body));
    scope.setErrorHandler((err: { statusCode?: number }, _request, reply) => {
      const ours = (err.statusCode ?? 500) >= 500;
      if (ours) log.error({ err }, 'simulator failed at a request');
      return give(reply, refusalAnswer(refusalOf(ours ? 20500 : 20001)), { concurrent: 1, arrivedMs: performance.now(), silent });
    });

    scope.post(collection, { config }, route(createWork(simulator)));
    scope.get(collection, { config }, route(unlessRefused((request) => listMessages(queryOf(request), actions.store, actions.accountSid))));
    scope.get(instance, { config }, route(unlessRefused((_request, { sid }) => fetchMessage(sid, actions))));
    scope.post(
      instance,
      { config },
      route(unlessRefused((request, { sid }) => updateMessage(sid, parseForm(formOf(request) ?? ''), actions))),
    );
    scope.delete(instance, { config }, route(unlessRefused((_request, { sid }) => deleteMessage(sid, actions))));
    scope.all(`/${API_VERSION}/*`, { config }, async (request, reply) => {
      const missing = refusalAnswer(refusalOf(20404, `The requested resource ${request.url.split('?')[0]} was not found`));
      return give(reply, missing, { concurrent: 1, arrivedMs: performance.now(), silent });
    });
  });
}

function createWork({ create }: Simulator): Work {
  return (request, { arrivedAt, refused }) =>
    create({ rawForm: formOf(request), arrivedAt, refused, isGone: () => request.raw.socket.destroyed });
}

/** The refusal of a request that was not let in takes the place of the work. Only create wants to know of it. */
function unlessRefused(work: Work): Work {
  return async (request, admission) => admission.refused ?? (await work(request, admission));
}

/** Null unless the body is form-encoded: Twilio does not read JSON. */
function formOf(request: HttpRequest): string | null {
  const isForm = /^application\/x-www-form-urlencoded\b/i.test(request.headers['content-type'] ?? '');
  return isForm && typeof request.body === 'string' ? request.body : null;
}

function queryOf(request: HttpRequest): URLSearchParams {
  return new URLSearchParams(request.url.split('?')[1] ?? '');
}

function give(
  reply: HttpReply,
  answer: Answer,
  { concurrent, arrivedMs, silent }: { concurrent: number; arrivedMs: number; silent: Set<HttpReply> },
): HttpReply {
  if (answer === 'reset') {
    reply.hijack();
    reply.raw.socket?.resetAndDestroy();
    return reply;
  }
  if (answer === 'stall') {
    reply.hijack();
    silent.add(reply);
    reply.raw.once('close', () => silent.delete(reply));
    return reply;
  }
  void reply
    .code(answer.status)
    .header('Content-Type', answer.contentType)
    .header('Twilio-Request-Id', `RQ${randomBytes(16).toString('hex')}`)
    .header('Twilio-Concurrent-Requests', String(concurrent))
    .header('Twilio-Request-Duration', ((performance.now() - arrivedMs) / 1000).toFixed(3));
  if (answer.status === 401) void reply.header('WWW-Authenticate', 'Basic realm="Twilio API"');
  return reply.send(answer.status === 204 ? undefined : answer.body);
}
