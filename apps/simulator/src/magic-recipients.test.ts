import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { normalizeRecipient } from '@tickmark/domain';
import { describe, expect, test } from 'vitest';
import { behaviourOf, MAGIC_RECIPIENTS } from './magic-recipients.ts';

describe('MAGIC_RECIPIENTS', () => {
  test.each(MAGIC_RECIPIENTS.map(({ code, behaviour }) => [code, behaviour] as const))(
    '%s stands for itself in a number that passes validation',
    (code, behaviour) => {
      for (const variant of ['00', '55', '99']) {
        const recipient = `whatsapp:+1500${variant}${code}`;
        expect(normalizeRecipient(recipient)).toBe(recipient);
        expect(behaviourOf(recipient)).toBe(behaviour);
      }
    },
  );

  test('no code stands for two outcomes', () => {
    expect(new Set(MAGIC_RECIPIENTS.map(({ code }) => code)).size).toBe(MAGIC_RECIPIENTS.length);
  });

  test('the table of the documentation has exactly these rows', () => {
    const page = readFileSync(fileURLToPath(new URL('../../../docs/simulator.md', import.meta.url)), 'utf8');
    const rows = [...page.matchAll(/^\| `(\d{5})`\s*\| (.*?)\s*\|$/gm)].map(([, code, outcome]) => `${code} ${outcome}`);
    expect(rows).toEqual(MAGIC_RECIPIENTS.map(({ code, outcome }) => `${code} ${outcome}`));
  });

  test('a number outside the range is an ordinary recipient', () => {
    for (const recipient of ['whatsapp:+14155563016', 'whatsapp:+15005599999', 'whatsapp:US.63016', 'whatsapp:+445005563016']) {
      expect(behaviourOf(recipient)).toEqual({});
    }
  });
});
