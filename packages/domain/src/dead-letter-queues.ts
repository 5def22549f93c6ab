/** Queues that keep what they cannot carry out as dead letters. */
export const DEAD_LETTER_QUEUES = ['intake', 'status-callback', 'inbound', 'send-outcome'] as const;

export type DeadLetterQueue = (typeof DEAD_LETTER_QUEUES)[number];
