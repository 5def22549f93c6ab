import { findNameProblem } from '@tickmark/domain';

export const SCOPES = ['send', 'read', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];

/** One key that may call us; the key itself is never stored, only its SHA-256. */
export interface ApiKey {
  /** The producer: namespace of idempotency keys. Two keys may share one name (rotation). */
  name: string;
  sha256: Buffer;
  /** None implies another: a key that shall do everything lists all three. */
  scopes: readonly Scope[];
  /** Sender aliases that the key may use; null = all. */
  aliases: readonly string[] | null;
  /** Last day on which the key works, `YYYY-MM-DD`, UTC; null = no end. */
  expiresOn: string | null;
}

const SHA256 = /^[0-9a-fA-F]{64}$/;
const ALIAS = /^[a-z0-9][a-z0-9-]{0,31}$/;
const FORM = 'name:sha256hex[:scopes[:aliases[:expiry]]], joined by commas; scopes and aliases joined by +';

/**
 * Reads `API_KEYS` (`name:sha256hex[:scopes[:aliases[:expiry]]],…`). No scopes means `send`, no aliases means every sender.
 *
 * @throws Error that lists every problem by the entry's position and says the form; it repeats no part of the text, because a key in
 *   clear may stand where its hash belongs.
 */
export function parseApiKeys(text: string): ApiKey[] {
  const problems: string[] = [];
  const keys: ApiKey[] = [];
  for (const [index, entry] of text.split(',').entries()) {
    if (entry.trim() === '') continue;
    const complain = (problem: string) => problems.push(`entry ${index + 1}: ${problem}`);
    const key = parseApiKey(entry.trim(), complain);
    if (keys.some((other) => other.sha256.equals(key.sha256))) complain('has the same hash as another entry: one key has one name');
    keys.push(key);
  }
  if (problems.length > 0) throw new Error(`${problems.join('; ')}. Write ${FORM}.`);
  return keys;
}

/** Problems go to `complain`; what is returned then is never used. */
function parseApiKey(entry: string, complain: (problem: string) => void): ApiKey {
  const [name = '', hash = '', scopes = '', aliases = '', expiry = '', ...rest] = entry.split(':').map((part) => part.trim());
  const nameProblem = findNameProblem(name);
  if (nameProblem !== null) complain(nameProblem);
  if (!SHA256.test(hash)) complain('the hash must be the SHA-256 of the key as 64 hexadecimal digits');
  const scopeList = splitList(scopes);
  if (!scopeList.every(isScope)) complain(`the scopes must be of ${SCOPES.join(', ')}`);
  const aliasList = splitList(aliases);
  if (!aliasList.every((alias) => ALIAS.test(alias))) complain('the aliases must be those of TWILIO_SENDERS');
  if (expiry !== '' && !isDay(expiry)) complain('the expiry must be a day, YYYY-MM-DD');
  if (rest.length > 0) complain('there is more behind the expiry');
  return {
    name,
    sha256: Buffer.from(hash, 'hex'),
    scopes: scopeList.length === 0 ? ['send'] : scopeList.filter(isScope),
    aliases: aliasList.length === 0 ? null : aliasList,
    expiresOn: expiry === '' ? null : expiry,
  };
}

function splitList(text: string): string[] {
  return text === '' ? [] : text.split('+').map((part) => part.trim());
}

function isScope(text: string): text is Scope {
  return (SCOPES as readonly string[]).includes(text);
}

/** Also refuses days that no calendar has, such as 2026-02-30. */
function isDay(text: string): boolean {
  const date = new Date(`${text}T00:00:00Z`);
  return /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text);
}
