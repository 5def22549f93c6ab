import { fileURLToPath } from 'node:url';

/** `drizzle/` at the root: as far up from the sources as from what is built of them. */
export const MIGRATIONS_FOLDER = fileURLToPath(new URL('../../../drizzle', import.meta.url));
