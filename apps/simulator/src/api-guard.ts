import { createHash, timingSafeEqual } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { refusalAnswer, type Answer } from './answer.ts';
import type { Settings } from './settings.ts';
import { refusalOf } from './twilio-errors.ts';

export interface Credentials {
  accountSid: string;
  apiKeySid: string;
  apiKeySecret: () => string;
  authToken: () => string;
}

export interface ApiGuard {
  /**
   * Lets a request of Twilio's API in: credentials, account, concurrency, then the latency. `answer` is given the refusal, if any, because
   * also a refused create is written down. The count of requests at work is told by `concurrent`.
   */
  admit(
    request: { authorization: string | undefined; accountSid: string },
    answer: (refused?: Answer) => Promise<Answer> | Answer,
  ): Promise<Answer>;
  concurrent(): number;
}

export function createApiGuard(credentials: Credentials, settings: () => Pick<Settings, 'concurrencyMax' | 'latencyMs'>): ApiGuard {
  let atWork = 0;
  return {
    admit: async ({ authorization, accountSid }, answer) => {
      const { concurrencyMax, latencyMs } = settings();
      atWork++;
      try {
        if (!isAuthorized(authorization, credentials)) return await answer(refusalAnswer(refusalOf(20003)));
        if (accountSid !== credentials.accountSid) return await answer(notFound(accountSid));
        if (concurrencyMax !== null && atWork > concurrencyMax) return await answer(refusalAnswer(refusalOf(20429)));
        if (latencyMs > 0) await pause(latencyMs);
        return await answer();
      } finally {
        atWork--;
      }
    },
    concurrent: () => atWork,
  };
}

/** Basic, with the API key and its secret or the account and its token. */
function isAuthorized(header: string | undefined, { accountSid, apiKeySid, apiKeySecret, authToken }: Credentials): boolean {
  const encoded = /^Basic (\S+)$/i.exec(header ?? '')?.[1];
  if (encoded === undefined) return false;
  const [, user = '', password = ''] = /^([^:]*):(.*)$/s.exec(Buffer.from(encoded, 'base64').toString()) ?? [];
  if (user === apiKeySid) return isEqual(password, apiKeySecret());
  return user === accountSid && isEqual(password, authToken());
}

function isEqual(given: string, expected: string): boolean {
  return timingSafeEqual(digestOf(given), digestOf(expected));
}

/** Equal lengths, whatever was given: timingSafeEqual throws otherwise. */
function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function notFound(accountSid: string): Answer {
  return refusalAnswer(refusalOf(20404, `The requested resource /2010-04-01/Accounts/${accountSid}/Messages.json was not found`));
}
