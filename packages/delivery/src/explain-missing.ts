import type { MissingReceipt } from './get-receipt-completeness.ts';
import type { MissingRow } from './read-receipts.ts';

/** A message without a final receipt, with what the looks for it brought. */
export function explainMissing(row: MissingRow): MissingReceipt {
  const nextAt = row.over === true ? null : row.dueAt;
  return {
    id: row.id,
    messageSid: row.messageSid,
    sender: row.sender,
    template: row.template,
    status: row.status,
    createdAt: row.createdAt.toISOString(),
    acceptedAt: row.takenAt.toISOString(),
    sentAt: row.sentAt?.toISOString() ?? null,
    reconciler: { askedAt: row.askedAt?.toISOString() ?? null, answer: row.answer, nextAt: nextAt?.toISOString() ?? null },
    why: `${tellAnswer(row)} ${tellNext(row, nextAt)}`,
  };
}

function tellAnswer({ askedAt, answer, status }: MissingRow): string {
  if (askedAt === null) return 'Twilio was not asked about it yet.';
  const at = askedAt.toISOString();
  if (answer === 'failed') return `Twilio gave no answer when it was asked at ${at}.`;
  if (answer === 'gone') return `Asked at ${at}, Twilio does not know this SID: look for it in its console.`;
  if (answer === status) return `Asked at ${at}, Twilio said ${answer} as well: no receipt was lost, the phone may be off.`;
  return `Asked at ${at}, Twilio said ${answer}: that is on its way to the row, or was said before the row was told more.`;
}

function tellNext({ over, dueAt }: MissingRow, nextAt: Date | null): string {
  if (nextAt !== null) return `It is asked ${nextAt > new Date() ? `at ${nextAt.toISOString()}` : 'within minutes'}.`;
  if (over === true) return 'It is not asked again; the daily list of what was sent still tells of it.';
  return dueAt === null ? 'It is noted for that a quarter of an hour after it came, if the worker runs.' : '';
}
