export const SCOPES = ['send', 'read', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];

/** One key that may call us; the key itself is never stored, only its SHA-256. */
export interface ApiKey {
  /** The producer: namespace of idempotency keys. Two keys may share one name (rotation). */
  name: string;
  sha256: Buffer;
  scopes: readonly Scope[];
  /** Sender aliases that the key may use; null = all. */
  aliases: readonly string[] | null;
  /** Last day on which the key works, `YYYY-MM-DD`, UTC; null = no end. */
  expiresOn: string | null;
}

export function parseApiKeys(_text: string): ApiKey[] {
  throw new Error('not built yet');
}
