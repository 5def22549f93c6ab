import http from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { parseForm, verifySignature, type FormParams } from '@tickmark/twilio';

export interface ReceivedWebhook {
  /** Path with query. */
  path: string;
  headers: http.IncomingHttpHeaders;
  params: FormParams;
  /** Whether the auth token signed it for this receiver's URL. */
  signed: boolean;
  at: number;
}

/** What the receiver does with one request: an HTTP status, or a way to fail. */
export type ReceiverAct = number | 'reset' | 'silence' | 'half-answer' | 'drip';

export interface CallbackReceiver {
  /** `http://127.0.0.1:port` */
  url: string;
  received: ReceivedWebhook[];
  /** Acts for the next requests; when they are used up every request is answered 204. */
  script: ReceiverAct[];
  close(): Promise<void>;
}

/** A webhook endpoint on a free port, which fails as it is told to. */
export async function startCallbackReceiver(options: { authToken: string; port?: number }): Promise<CallbackReceiver> {
  const sockets = new Set<Socket>();
  const receiver: CallbackReceiver = { url: '', received: [], script: [], close: async () => {} };
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const params = parseForm(Buffer.concat(chunks));
      const path = request.url ?? '';
      const signature = request.headers['x-twilio-signature'];
      const { valid } = verifySignature({
        tokens: [options.authToken],
        url: receiver.url + path,
        params,
        signature: typeof signature === 'string' ? signature : undefined,
      });
      receiver.received.push({ path, headers: request.headers, params, signed: valid, at: performance.now() });
      act(receiver.script.shift() ?? 204, response);
    });
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, '127.0.0.1', resolve));
  receiver.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  receiver.close = async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
    });
  };
  return receiver;
}

function act(what: ReceiverAct, response: http.ServerResponse): void {
  if (typeof what === 'number') response.writeHead(what).end();
  else if (what === 'reset') response.socket?.resetAndDestroy();
  else if (what !== 'silence') {
    response.writeHead(200, { 'Content-Length': 100 });
    response.write('x');
    if (what === 'half-answer') setImmediate(() => response.socket?.destroy());
    else {
      const drip = setInterval(() => response.write('x'), 50);
      response.once('close', () => clearInterval(drip));
    }
  }
}
