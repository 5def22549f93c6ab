import { reasonSchema } from '@tickmark/domain';
import { z } from 'zod';

/** Where the reason may be left out. */
export const optionalReasonField = reasonSchema.optional();

export const dryRunField = z.boolean().default(false).describe('only say what would be done');

/** What the audit log says where nobody gave a reason. */
export const NO_REASON = 'no reason given';
