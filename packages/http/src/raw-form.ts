import type { HttpServer } from './create-server.ts';

export const RAW_FORM_BYTES_MAX = 65_536;

/** Routes of this plugin scope get their `application/x-www-form-urlencoded` body as a raw Buffer; any other content type is 415. */
export function acceptRawForms(_server: HttpServer): void {
  throw new Error('not built yet');
}
