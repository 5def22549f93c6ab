import { describe, expect, it } from 'vitest';
import { defaultAlias, parseSenders, resolveSender } from './senders.ts';

const SERVICE = 'MG0123456789abcdef0123456789ABCDEF';
const NUMBER = 'whatsapp:+15550100200';

/** What parseSenders throws for a text, as lines. */
function problemsOf(text: string): string[] {
  try {
    parseSenders(text);
  } catch (error) {
    return (error as Error).message.split('; ');
  }
  return [];
}

describe('TWILIO_SENDERS', () => {
  it('names WhatsApp senders and Messaging Services with their pace, in order', () => {
    expect(parseSenders(`support@${NUMBER}=80,${SERVICE}=400`)).toEqual([
      { alias: 'support', address: NUMBER, mps: 80 },
      { alias: defaultAlias(SERVICE), address: SERVICE, mps: 400 },
    ]);
  });

  it('may have spaces around its parts', () => {
    expect(parseSenders(` support @ ${NUMBER} = 80 , ${SERVICE} = 1 `).map(({ alias, mps }) => [alias, mps])).toEqual([
      ['support', 80],
      [defaultAlias(SERVICE), 1],
    ]);
  });

  it.each([
    ['0.5', 0.5],
    ['1', 1],
    ['80', 80],
    ['999999999', 999_999_999],
  ])('takes a pace of %s', (text, mps) => {
    expect(parseSenders(`a@${NUMBER}=${text}`)[0]?.mps).toBe(mps);
  });

  it.each(['', '0', '0.0', '-1', 'x', '1e3', '0x10', 'Infinity', 'NaN', '1 0', '.', '9'.repeat(400)])('refuses a pace of "%s"', (mps) => {
    expect(problemsOf(`a@${NUMBER}=${mps}`)).toEqual([
      'entry 1: mps must be a number above 0. Write [alias@]address=mps, joined by commas.',
    ]);
  });

  it.each(['a', '0', 'a-b', 'a-', '9lives', 'x'.repeat(32)])('takes the alias "%s"', (alias) => {
    expect(parseSenders(`${alias}@${NUMBER}=1`)[0]?.alias).toBe(alias);
  });

  it.each(['', '-a', 'A', 'a_b', 'a:b', 'a.b', 'a b', 'é', 'x'.repeat(33)])(
    'refuses the alias "%s", which names a queue and a label',
    (alias) => {
      expect(problemsOf(`${alias}@${NUMBER}=1`)[0]).toMatch(/^entry 1: the alias must match/);
    },
  );

  it.each(['15550100200', 'wa-15550100200', '1234567'])('refuses the alias "%s", which may be a phone number', (alias) => {
    expect(problemsOf(`${alias}@${NUMBER}=1`)[0]).toMatch(/^entry 1: the alias must not have seven digits in a row/);
  });

  it('refuses the alias whose queue would be that of outcomes', () => {
    expect(problemsOf(`outcome@${NUMBER}=1`)[0]).toMatch(/^entry 1: the alias "outcome" is taken/);
  });

  it.each([
    '',
    '+15550100200',
    'whatsapp:15550100200',
    'whatsapp:+05550100',
    'whatsapp:+1',
    'MG123',
    `${SERVICE}0`,
    'sms:+15550100200',
    'whatsapp:US.123',
  ])('refuses the address "%s"', (address) => {
    expect(problemsOf(`a@${address}=1`)).toEqual([
      'entry 1: the address must be whatsapp:+<E.164> or MG<32 hex>. Write [alias@]address=mps, joined by commas.',
    ]);
  });

  it('reports every problem of every entry at once', () => {
    const problems = problemsOf(`A@+15550100200=0,ok@${NUMBER}=80,ok@${NUMBER}=x,`);
    expect(problems.map((problem) => problem.replace(/must.*/s, 'must'))).toEqual([
      'entry 1: the alias must',
      'entry 1: the address must',
      'entry 1: mps must',
      'entry 3: mps must',
      'entry 4: the address must',
      'entry 4: mps must',
      'entries 2 and 3 share one alias',
      expect.stringMatching(/^entries 2 and 3 share one address/),
    ]);
  });

  it('reports one problem for an empty text: it names no sender', () => {
    expect(problemsOf('')[0]).toMatch(/^entry 1: the address must/);
  });

  it.each([
    ['an alias', `a@${NUMBER}=1,a@${SERVICE}=1`, 'alias'],
    ['an address', `a@${NUMBER}=1,b@${NUMBER}=1`, 'address'],
    ['a given and a derived alias', `${defaultAlias(SERVICE)}@${NUMBER}=1,${SERVICE}=1`, 'alias'],
  ])('refuses %s given twice', (_label, text, field) => {
    expect(problemsOf(text)).toEqual([`entries 1 and 2 share one ${field}. Write [alias@]address=mps, joined by commas.`]);
  });

  it('never shows an address in a problem: it is a phone number', () => {
    const texts = [
      `${NUMBER}=0`,
      `A@${NUMBER}=1`,
      `${NUMBER}9999999999=1`,
      `${NUMBER}=1,${NUMBER}=1`,
      `@${NUMBER}`,
      `${NUMBER}@${NUMBER}=${NUMBER}`,
    ];
    for (const text of texts) {
      expect(problemsOf(text).join()).not.toBe('');
      expect(problemsOf(text).join()).not.toContain('555');
    }
  });
});

describe('the default alias', () => {
  it('never changes: it names queues and metric series', () => {
    expect(defaultAlias('whatsapp:+15550100200')).toBe('wa-503f06');
    expect(defaultAlias('MG00000000000000000000000000000000')).toBe('mg-22b4f2');
  });
});

describe('resolveSender', () => {
  const senders = parseSenders(`first@${NUMBER}=80,${SERVICE}=400`);

  it.each([
    ['nothing', undefined, 0],
    ['its alias', 'first', 0],
    ['its address', NUMBER, 0],
    ['its number without the prefix', '+15550100200', 0],
    ['a Messaging Service', SERVICE, 1],
    ['a derived alias', defaultAlias(SERVICE), 1],
  ])('finds a sender by %s', (_label, from, index) => {
    expect(resolveSender(senders, from)).toBe(senders[index]);
  });

  it.each(['second', '', 'First', '15550100200', 'whatsapp:+15550100201', SERVICE.toLowerCase(), 'constructor'])(
    'finds none for "%s"',
    (from) => {
      expect(resolveSender(senders, from)).toBeUndefined();
    },
  );

  it('finds none where none is configured', () => {
    expect(resolveSender([], undefined)).toBeUndefined();
  });
});
