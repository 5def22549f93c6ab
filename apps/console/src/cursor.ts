import { z } from 'zod';

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

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not one of ours: the schema refuses it.
    return undefined;
  }
}
