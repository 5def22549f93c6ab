import type { ErrorEntry } from './error-classes.ts';

/** Every known error code of Twilio that a WhatsApp message, its callbacks or our webhooks can show. */
export const ERROR_TABLE: ReadonlyMap<number, ErrorEntry> = new Map<number, ErrorEntry>();
