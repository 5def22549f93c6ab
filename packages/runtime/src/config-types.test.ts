import { describe, expect, test } from 'vitest';
import type { z } from 'zod';
import {
  connectionValue,
  failpointsValue,
  integerValue,
  listValue,
  nameValue,
  numberValue,
  oneOf,
  portValue,
  switchValue,
  trustedProxiesValue,
  urlValue,
} from './config-types.ts';

const types: [string, z.ZodType<unknown, string>, Record<string, unknown>, string[]][] = [
  [
    'a whole number',
    integerValue(1, 100),
    { '1': 1, '100': 100, '007': 7 },
    ['0', '101', '1.5', '-1', '1e1', 'ten', '0x10', '99999999999999999999'],
  ],
  ['a port', portValue(), { '0': 0, '65535': 65_535 }, ['65536', '-1', 'http']],
  ['a number', numberValue(0), { '0': 0, '0.5': 0.5, '1000': 1000 }, ['-1', '.5', '1e3', 'NaN', 'Infinity']],
  ['a switch', switchValue(), { on: true, true: true, '1': true, off: false, false: false, '0': false }, ['yes', 'ON ', 'toString', '2']],
  ['one of a few words', oneOf(['auto', 'off']), { auto: 'auto', off: 'off' }, ['on', 'Auto']],
  ['a name', nameValue(), { tickmark: 'tickmark', 'a_b-1': 'a_b-1' }, ['a:b', '{a}', '-a', 'ä', 'a'.repeat(33)]],
  ['a list', listValue(), { 'a, b ,,c': ['a', 'b', 'c'], ',': [] }, []],
  [
    'a URL',
    urlValue(),
    {
      'https://a.example/': 'https://a.example',
      'http://127.0.0.1:3000': 'http://127.0.0.1:3000',
      'https://a.example/x/': 'https://a.example/x',
    },
    [
      'a.example',
      'ftp://a.example',
      'https://',
      'https://u:p@a.example',
      'https://a.example/?x=1',
      'https://a.example/#x',
      'https://a.example/a b',
    ],
  ],
  [
    'a connection string',
    connectionValue(['postgres', 'postgresql']),
    { 'postgres://u:p@h:5432/d': 'postgres://u:p@h:5432/d', 'postgresql://h/d': 'postgresql://h/d' },
    ['redis://h', 'h:5432/d', 'postgres://', 'postgres'],
  ],
  [
    'trusted proxies',
    trustedProxiesValue(),
    { off: false, '0': false, '1': 1, '10.0.0.0/8, fd00::1': ['10.0.0.0/8', 'fd00::1'], loopback: ['loopback'] },
    ['on', 'true', 'all', '*', 'proxy.example'],
  ],
  ['failpoints', failpointsValue(), { 'after-post:2,after-claim': 'after-post:2,after-claim' }, ['nowhere', 'after-post:0']],
];

describe.each(types)('%s', (_what, type, good, bad) => {
  test('is read', () => {
    for (const [text, value] of Object.entries(good)) expect(type.parse(text)).toEqual(value);
  });

  test('is refused with words that say what to write', () => {
    const messageOf = (text: string) =>
      type
        .safeParse(text)
        .error?.issues.map(({ message }) => message)
        .join() ?? 'no problem';
    expect(bad.filter((text) => !/must|write/.test(messageOf(text)))).toEqual([]);
  });
});
