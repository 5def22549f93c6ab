import { Readable } from 'node:stream';
import { AppError } from '@tickmark/domain';
import type { HttpRequest, HttpServer } from '@tickmark/http';
import { z } from 'zod';
import { isLoopback } from '../callback-targets.ts';
import { inboundSchema } from '../inbound.ts';
import { settingsSchema } from '../settings.ts';
import type { Simulator } from '../simulator.ts';

const ledgerQuery = z.object({
  m: z.string().optional(),
  to: z.string().transform(toAddress).optional(),
  /** ISO 8601. */
  since: z
    .string()
    .refine((text) => !Number.isNaN(Date.parse(text)), 'must be a time in ISO 8601')
    .transform((text) => Date.parse(text))
    .optional(),
});

/** Settings, ledger and inbound messages, for callers on this machine only. */
export function addControlRoutes(server: HttpServer, simulator: Simulator): void {
  const options = { config: { quiet: true, shed: 'never' }, onRequest: refuseStrangers } as const;

  server.get('/_sim/ledger', { ...options, schema: { querystring: ledgerQuery } }, (request, reply) => {
    void reply.header('Content-Type', 'application/json; charset=utf-8').header('X-Ledger-Dropped-Rows', simulator.ledger.dropped());
    return reply.send(Readable.from(inPieces(simulator.ledger.read(request.query))));
  });
  server.delete('/_sim/ledger', options, (_request, reply) => {
    simulator.ledger.clear();
    return reply.code(204).send();
  });
  server.get('/_sim/settings', options, () => simulator.settings());
  server.put('/_sim/settings', { ...options, schema: { body: settingsSchema } }, (request) => {
    simulator.replaceSettings(request.body);
    return simulator.settings();
  });
  server.post('/_sim/inbound', { ...options, schema: { body: inboundSchema } }, (request) => ({
    messageSid: simulator.receiveInbound(request.body),
  }));
}

/** The socket's own address decides; headers can be written by anybody. */
async function refuseStrangers(request: HttpRequest): Promise<void> {
  if (isLoopback(request.socket.remoteAddress ?? '')) return;
  throw new AppError('FORBIDDEN_SCOPE', 'The simulator is controlled from its own machine only. Call it over a loopback address.');
}

/** A "+" in a query means a space unless it is encoded, and no address holds a space. */
function toAddress(text: string): string {
  const address = text.replace(' ', '+');
  return address.startsWith('+') ? `whatsapp:${address}` : address;
}

/** Rows together make a piece of some 64 kB, so that a stream of a million rows is not a million writes. */
function* inPieces(rows: Iterable<string>): Generator<Buffer> {
  let piece = '';
  for (const row of rows) {
    piece += row;
    if (piece.length < 65_536) continue;
    yield Buffer.from(piece);
    piece = '';
  }
  yield Buffer.from(piece);
}
