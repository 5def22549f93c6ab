import { describe, expect, it } from 'vitest';
import { DEFAULT_OPT_OUT_WORDS, normalizeKeyword, readOptOut } from './opt-out.ts';

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

it('no word asks for both', () => {
  expect([...DEFAULT_OPT_OUT_WORDS.stop].filter((word) => DEFAULT_OPT_OUT_WORDS.start.has(word))).toEqual([]);
});
