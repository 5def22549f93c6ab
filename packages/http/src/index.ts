export { parseApiKeys, SCOPES, type ApiKey, type Scope } from './api-keys.ts';
export { createAuthenticator, type ApiKeyIdentity, type Authenticator } from './authenticate.ts';
export { createServer, type HttpReply, type HttpRequest, type HttpServer, type HttpServerOptions } from './create-server.ts';
export { listen } from './listen.ts';
export { registerOpenApi, type OpenApiOptions } from './openapi.ts';
export { acceptRawForms, RAW_FORM_BYTES_MAX } from './raw-form.ts';
