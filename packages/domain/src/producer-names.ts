import { validate } from 'uuid';

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** Ids of messages that we did not send are derived under this name: a producer called so could have a key that leads to one of them. */
const RESERVED = 'external';

/**
 * What is wrong with the name of a producer (an API key's name, or that of a producer in our own process); null when nothing is.
 *
 * The name is the namespace of its idempotency keys, so it must not be one under which the system derives ids itself: `external`, and
 * the id of a message, under which the id of its retry is derived.
 */
export function findNameProblem(name: string): string | null {
  if (!NAME.test(name)) return 'the name must be 1 to 64 letters, digits, dots, underscores or hyphens';
  return name === RESERVED || validate(name)
    ? `the name must not be "${RESERVED}" or a UUID: ids of our own are derived under these`
    : null;
}
