import { describe, expect, it } from 'vitest';
import { DEFAULT_OPT_OUT_WORDS, normalizeKeyword, parseOptOutWords, readOptOut } from './opt-out.ts';

const NOTHING = { body: null, buttonText: null, buttonPayload: null, optOutType: null };
const read = (body: string) => readOptOut({ ...NOTHING, body });

describe('a keyword alone', () => {
  it.each([
    'STOP',
    ' stop ',
    'Stop.',
    'stop!!!',
    '"STOP"',
    '🛑 Stop',
    'Opt  out',
    'unsubscribe',
    'Stopp',
    'ABMELDEN',
    'Baja',
    'arret',
    'Arrêt',
    'DÉSABONNER',
    'Sair',
    'İPTAL',
    'iptal',
    'СТОП',
    'توقف',
    'إيقاف',
    'रोकें',
    '停止',
    '退订',
    'הסר',
  ])('%s is a request to stop', (body) => expect(read(body)).toBe('stop'));

  it.each(['START', 'unstop', 'Alta', 'Старт', '开始'])('%s is a request to start again', (body) => expect(read(body)).toBe('start'));

  it('counts as the text or the payload of a button as well', () => {
    expect(readOptOut({ ...NOTHING, body: 'No more of this', buttonPayload: 'STOP' })).toBe('stop');
    expect(readOptOut({ ...NOTHING, buttonText: 'Abmelden' })).toBe('stop');
  });
});

it('a text of signs takes a time that grows with its length alone', () => {
  const timeMs = (length: number) => {
    const texts = Array.from({ length: 64_000 / length }, () => `a${'!'.repeat(length)}b`);
    const startedMs = performance.now();
    for (const body of texts) expect(read(body)).toBeNull();
    return performance.now() - startedMs;
  };
  const fastestMs = (length: number) => Math.min(...Array.from({ length: 5 }, () => timeMs(length)));
  // As many characters both times; with a time that grows with the square of the length the ratio is 16.
  expect(fastestMs(16_000) / fastestMs(1_000)).toBeLessThan(6);
});

it.each([
  "Please don't stop",
  'stop it at the door',
  'When does the bus stop?',
  'I will quit smoking',
  'bus stop',
  'nonstop',
  'yes',
  'cancel',
  '',
  '🛑',
  'end of June',
  'शेर',
])('"%s" is no request', (body) => expect(read(body)).toBeNull());

it('the word of Twilio comes first', () => {
  expect(readOptOut({ ...NOTHING, body: 'start', optOutType: 'STOP' })).toBe('stop');
  expect(readOptOut({ ...NOTHING, body: 'hello', optOutType: 'START' })).toBe('start');
  expect(readOptOut({ ...NOTHING, body: 'help', optOutType: 'HELP' })).toBeNull();
});

it('own words take the place of the default ones', () => {
  const words = { stop: new Set([normalizeKeyword('No Más')]), start: new Set<string>() };
  expect(readOptOut({ ...NOTHING, body: 'no mas!' }, words)).toBe('stop');
  expect(readOptOut({ ...NOTHING, body: 'STOP' }, words)).toBeNull();
});

describe('words from a file', () => {
  it('take the place of the built-in ones, one per line, in any form of writing', () => {
    const words = parseOptOutWords('# ours\r\nNo Más!\n\nstop: Basta\nSTART: Sí, de nuevo\n');
    expect(words).toEqual({ stop: new Set(['no mas', 'basta']), start: new Set(['si, de nuevo']) });
    expect(readOptOut({ ...NOTHING, body: 'no mas' }, words)).toBe('stop');
    expect(readOptOut({ ...NOTHING, body: 'sí, de nuevo.' }, words)).toBe('start');
    expect(readOptOut({ ...NOTHING, body: 'STOP' }, words)).toBeNull();
  });

  it('come on top of the built-in ones with the line +built-in', () => {
    const words = parseOptOutWords('basta\n+built-in');
    for (const body of ['basta', 'STOP', 'arrêt']) expect(readOptOut({ ...NOTHING, body }, words)).toBe('stop');
    expect(readOptOut({ ...NOTHING, body: 'start' }, words)).toBe('start');
  });

  it.each([
    ['nothing to stop with', 'start: again', /no word to stop with/],
    ['a line without a word', 'basta\n!!!', /line 2 holds no word/],
    ['a word for both', '+built-in\nstart: Stopp', /"stopp" asks both/],
  ])('are refused with %s', (_name, text, reason) => expect(() => parseOptOutWords(text)).toThrow(reason));
});

it('no word asks for both', () => {
  expect([...DEFAULT_OPT_OUT_WORDS.stop].filter((word) => DEFAULT_OPT_OUT_WORDS.start.has(word))).toEqual([]);
});
