import type { ApiKeyIdentity } from '@tickmark/http';

/** The producer whose messages alone a key may see; null = every message. */
export function ownProducer(identity: ApiKeyIdentity | null): string | null {
  return identity?.scopes.includes('read') === true ? null : (identity?.name ?? '');
}
