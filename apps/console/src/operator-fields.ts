import { z } from 'zod';

const REASON_CHARACTERS_MAX = 500;

/** Why an operator does something: kept in the audit log, beside the name of the key. */
export const reasonField = z.string().trim().min(1, 'say why: it is kept in the audit log').max(REASON_CHARACTERS_MAX);

/** Where the reason may be left out. */
export const optionalReasonField = reasonField.optional().describe('why, for the audit log');

export const dryRunField = z.boolean().default(false).describe('only say what would be done');

/** What the audit log says where nobody gave a reason. */
export const NO_REASON = 'no reason given';

/** An error code of Twilio in a path. */
export const codeParam = z.coerce.number('the code is a number, such as 63016').int().min(1).max(999_999).describe('error code of Twilio');
