import type { InboundMessage } from '@tickmark/domain';
import type { FormParams } from './form.ts';

export type InboundParseResult =
  | { ok: true; message: InboundMessage; accountSid: string | null }
  | { ok: false; reason: 'missing-sid' | 'missing-address'; accountSid: string | null };

export function parseInbound(_params: FormParams, _receivedAt: Date): InboundParseResult {
  throw new Error('not built yet');
}
