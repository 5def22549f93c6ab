import { storableText } from '@tickmark/domain';
import { z } from 'zod';
import { digits } from './query-params.ts';

const REASON_CHARACTERS_MAX = 500;

/** Why an operator does something: kept in the audit log, beside the name of the key. */
export const reasonField = z.string().trim().pipe(storableText(REASON_CHARACTERS_MAX)).describe('why, for the audit log');

/** Where the reason may be left out. */
export const optionalReasonField = reasonField.optional();

export const dryRunField = z.boolean().default(false).describe('only say what would be done');

/** What the audit log says where nobody gave a reason. */
export const NO_REASON = 'no reason given';

/** An error code of Twilio in a path. */
export const codeParam = digits(z.number('the code is a number, such as 63016').min(1).max(999_999)).describe('error code of Twilio');
