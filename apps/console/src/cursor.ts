import { z } from 'zod';
import { cursorTime } from './query-params.ts';

/** Where a list goes on, in a form that callers give back and do not read. */
export function encodeCursor(position: readonly string[]): string {
  return Buffer.from(JSON.stringify(position)).toString('base64url');
}

/** A cursor of {@link encodeCursor} whose position has this form. */
export function cursorParam<Position extends z.ZodType>(position: Position) {
  return z
    .string()
    .max(1_000)
    .transform((text, context) => {
      const read = position.safeParse(parseJson(Buffer.from(text, 'base64url').toString()));
      if (read.success) return read.data;
      context.addIssue({ code: 'custom', message: 'give nextCursor of the page before as it is, or leave cursor out to begin anew' });
      return z.NEVER;
    })
    .describe('nextCursor of the page before');
}

/** Where a list of messages goes on. */
export const messageCursorParam = cursorParam(
  z.tuple([cursorTime, z.uuid()]).transform(([createdAt, id]) => ({ createdAt: new Date(createdAt), id })),
);

/** The cursor that {@link messageCursorParam} reads; null when the list has ended. */
export function encodeMessageCursor(position: { createdAt: Date; id: string } | null): string | null {
  return position && encodeCursor([position.createdAt.toISOString(), position.id]);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not one of ours: the schema refuses it.
    return undefined;
  }
}
