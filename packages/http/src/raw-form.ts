import type { HttpServer } from './create-server.ts';

/** Twilio's webhooks have some 500 bytes; the longest message with its parameters stays below 20 KB. */
export const RAW_FORM_BYTES_MAX = 65_536;

/**
 * Gives the routes of this plugin scope their `application/x-www-form-urlencoded` body as a raw Buffer, because a signature covers
 * the bytes as sent; any other content type is answered 415, a longer body 413. Call it inside `server.register`.
 */
export function acceptRawForms(server: HttpServer): void {
  server.removeAllContentTypeParsers();
  server.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'buffer', bodyLimit: RAW_FORM_BYTES_MAX },
    (_request, body, done) => done(null, body),
  );
}
