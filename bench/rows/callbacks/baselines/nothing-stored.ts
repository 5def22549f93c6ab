// Fastify that answers 204 and keeps nothing: with the signature check, and (VERIFY=off) without it.
import { serveCallbacks } from './serve-callbacks.ts';

await serveCallbacks({ store: null, isVerified: process.env['VERIFY'] !== 'off' });
