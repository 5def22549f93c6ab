import type { ErrorEntry, ErrorTable } from './error-classes.ts';
import { ERRORS_20 } from './error-table-20.ts';
import { ERRORS_21 } from './error-table-21.ts';
import { ERRORS_30 } from './error-table-30.ts';
import { ERRORS_63 } from './error-table-63.ts';
import { ERRORS_90 } from './error-table-90.ts';
import { ERRORS_WEBHOOKS } from './error-table-webhooks.ts';

/** The ranges, apart: a test checks that no code stands in two of them. */
export const ERROR_RANGES: readonly ErrorTable[] = [ERRORS_WEBHOOKS, ERRORS_20, ERRORS_21, ERRORS_30, ERRORS_63, ERRORS_90];

/** Every known error code of Twilio that a WhatsApp message, its callbacks or our webhooks can show. */
export const ERROR_TABLE: ReadonlyMap<number, ErrorEntry> = new Map(
  ERROR_RANGES.flatMap((range) => Object.entries(range).map(([code, entry]) => [Number(code), entry] as const)),
);
