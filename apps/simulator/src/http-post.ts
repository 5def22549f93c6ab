import http from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';

/**
 * How one try ended. `answered` has the status of a whole answer; `ct` means that no connection came about in time or at all (TLS
 * included), `rt` that no byte came for the read time-out, `broken` that the connection ended without an answer, `partial` that it
 * ended or fell silent within one.
 */
export type PostResult = { kind: 'answered'; status: number } | { kind: 'ct' | 'rt' | 'broken' | 'partial' };

export interface PostRequest {
  url: URL;
  /** Names and values in turn, Host and Content-Length included. */
  headers: readonly string[];
  body: string;
  connectTimeoutMs: number;
  readTimeoutMs: number;
  /** The whole try, however steadily bytes come. */
  totalTimeoutMs: number;
}

export interface HttpPoster {
  post(request: PostRequest): Promise<PostResult>;
  close(): void;
}

/** Posts over kept connections. Follows no redirect and never rejects. */
export function createHttpPoster(options: { socketsMax: number }): HttpPoster {
  const settings = { keepAlive: true, maxSockets: options.socketsMax, maxFreeSockets: options.socketsMax };
  const agents = { 'http:': new http.Agent(settings), 'https:': new https.Agent(settings) };
  const start = (request: PostRequest) =>
    request.url.protocol === 'https:'
      ? https.request(optionsOf(request, agents['https:']))
      : http.request(optionsOf(request, agents['http:']));
  return {
    post: async (request) => {
      const first = await postOnce(start(request), request);
      // The server may close a kept connection in the very moment in which it is used again: such a try never reached anybody, and
      // every HTTP client repeats it on a new connection.
      return first === 'stale' ? await repeat(() => start(request), request) : first;
    },
    close: () => Object.values(agents).forEach((agent) => agent.destroy()),
  };
}

async function repeat(start: () => http.ClientRequest, request: PostRequest): Promise<PostResult> {
  const result = await postOnce(start(), request);
  return result === 'stale' ? { kind: 'broken' } : result;
}

function optionsOf({ url, headers }: PostRequest, agent: http.Agent | https.Agent): https.RequestOptions {
  return {
    agent,
    method: 'POST',
    protocol: url.protocol,
    hostname: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port,
    path: url.pathname + url.search,
    headers,
  };
}

function postOnce(
  request: http.ClientRequest,
  { body, connectTimeoutMs, readTimeoutMs, totalTimeoutMs }: PostRequest,
): Promise<PostResult | 'stale'> {
  return new Promise((resolve) => {
    let stage: 'connecting' | 'waiting' | 'reading' = 'waiting';
    let connectTimer: NodeJS.Timeout | undefined;
    const totalTimer = setTimeout(() => abandon(stage === 'connecting' ? 'ct' : stage === 'reading' ? 'partial' : 'rt'), totalTimeoutMs);
    const finish = (result: PostResult | 'stale') => {
      clearTimeout(connectTimer);
      clearTimeout(totalTimer);
      resolve(result);
    };
    const abandon = (kind: 'ct' | 'rt' | 'partial') => {
      finish({ kind });
      request.destroy();
    };

    request.on('socket', (socket: Socket & { encrypted?: boolean }) => {
      if (!socket.connecting) return;
      stage = 'connecting';
      connectTimer = setTimeout(() => abandon('ct'), connectTimeoutMs);
      socket.once(socket.encrypted === true ? 'secureConnect' : 'connect', () => {
        clearTimeout(connectTimer);
        stage = 'waiting';
      });
    });
    // Counts silence only once the connection stands.
    request.setTimeout(readTimeoutMs, () => abandon(stage === 'reading' ? 'partial' : 'rt'));
    request.on('response', (response) => {
      stage = 'reading';
      response.resume();
      response.on('end', () => finish({ kind: 'answered', status: response.statusCode ?? 0 }));
      response.on('error', () => finish({ kind: 'partial' }));
    });
    request.on('error', () => {
      // What the error says does not matter: the stage does.
      if (stage === 'connecting') finish({ kind: 'ct' });
      else if (stage === 'reading') finish({ kind: 'partial' });
      else finish(request.reusedSocket ? 'stale' : { kind: 'broken' });
    });
    request.end(body);
  });
}
