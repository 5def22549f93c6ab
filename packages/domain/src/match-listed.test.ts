import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ListedMessage } from './listed-message.ts';
import { matchListed, type ListMatch, type UnknownAttempt } from './match-listed.ts';

const NOON = Date.UTC(2026, 10, 24, 12);
const at = (seconds: number) => new Date(NOON + seconds * 1_000);

/** `text` is a free text, `template` a content that only its key names. */
const attempt = (id: string, claimedSecond: number, content: { text?: string; template?: string } = { text: 'a' }): UnknownAttempt => ({
  id,
  claimedAt: at(claimedSecond),
  contentSha256: content.text ?? null,
  contentKey: content.text ?? content.template ?? 'T',
});
const listed = (messageSid: string, createdSecond: number, text = 'a'): ListedMessage => ({
  messageSid,
  rawStatus: 'sent',
  errorCode: null,
  contentSha256: text,
  from: 'whatsapp:+15550001111',
  messagingServiceSid: null,
  createdAt: at(createdSecond),
  direction: 'outbound-api',
});
const newestFirst = (messages: readonly ListedMessage[]) => messages.toSorted((a, b) => b.createdAt.getTime() - a.createdAt.getTime());

function judge(attempts: readonly UnknownAttempt[], messages: readonly ListedMessage[]): Record<string, string> {
  const tell = (match: ListMatch) => {
    if (match.kind === 'adopt') return match.message.messageSid;
    return match.kind === 'absent' ? 'absent' : `one of ${match.candidates.map(({ messageSid }) => messageSid).join(' ')}`;
  };
  return Object.fromEntries([...matchListed(attempts, newestFirst(messages))].map(([id, match]) => [id, tell(match)]));
}

const template = (name: string) => ({ template: name });
const text = (value: string) => ({ text: value });

describe('which listed message is which attempt’s', () => {
  it.each<[string, UnknownAttempt[], ListedMessage[], Record<string, string>]>([
    ['nothing listed', [attempt('r1', 0)], [], { r1: 'absent' }],
    ['one of each', [attempt('r1', 0)], [listed('s1', 1)], { r1: 's1' }],
    ['a template of any text', [attempt('r1', 0, template('T'))], [listed('s1', 1, 'whatever')], { r1: 's1' }],
    ['created within the window', [attempt('r1', 0)], [listed('s1', 70)], { r1: 's1' }],
    ['created after it', [attempt('r1', 0)], [listed('s1', 71)], { r1: 'absent' }],
    ['created a moment before by Twilio’s clock', [attempt('r1', 0)], [listed('s1', -10)], { r1: 's1' }],
    ['created before it', [attempt('r1', 0)], [listed('s1', -11)], { r1: 'absent' }],
    ['another text', [attempt('r1', 0, text('a'))], [listed('s1', 1, 'b')], { r1: 'one of s1' }],
    ['more messages than attempts', [attempt('r1', 0)], [listed('s1', 1), listed('s2', 2)], { r1: 'one of s2 s1' }],
    ['two equal texts, both created', [attempt('r1', 0), attempt('r2', 1)], [listed('s1', 0), listed('s2', 2)], { r1: 's1', r2: 's2' }],
    ['two equal texts, one created', [attempt('r1', 0), attempt('r2', 5)], [listed('s1', 6)], { r1: 's1', r2: 'absent' }],
    [
      'two equal texts, three listed',
      [attempt('r1', 0), attempt('r2', 5)],
      [listed('s1', 6), listed('s2', 7), listed('s3', 8)],
      { r1: 'one of s3 s2 s1', r2: 'one of s3 s2 s1' },
    ],
    [
      'two texts, each its own',
      [attempt('r1', 0, text('a')), attempt('r2', 1, text('b'))],
      [listed('s2', 1, 'b'), listed('s1', 2, 'a')],
      { r1: 's1', r2: 's2' },
    ],
    [
      'two templates, both created: by the order of time',
      [attempt('r2', 3, template('U')), attempt('r1', 0, template('T'))],
      [listed('s1', 1, 'x'), listed('s2', 4, 'y')],
      { r1: 's1', r2: 's2' },
    ],
    [
      'two templates, one created: no telling whose it is',
      [attempt('r1', 0, template('T')), attempt('r2', 3, template('U'))],
      [listed('s1', 4, 'x')],
      { r1: 'one of s1', r2: 'one of s1' },
    ],
    [
      'the same template twice, one created',
      [attempt('r1', 0, template('T')), attempt('r2', 3, template('T'))],
      [listed('s1', 4, 'x')],
      { r1: 's1', r2: 'absent' },
    ],
    [
      'a text and a template, only the text created',
      [attempt('r1', 0, template('T')), attempt('r2', 3, text('a'))],
      [listed('s1', 4, 'a')],
      { r1: 'absent', r2: 's1' },
    ],
    [
      'a text and a template, only the template created',
      [attempt('r1', 0, template('T')), attempt('r2', 3, text('a'))],
      [listed('s1', 4, 'x')],
      { r1: 's1', r2: 'absent' },
    ],
    [
      'attempts far apart do not lend each other room',
      [attempt('r1', 0), attempt('r2', 300)],
      [listed('s1', 1), listed('s2', 2)],
      { r1: 'one of s2 s1', r2: 'absent' },
    ],
    [
      'a message that only the later attempt can have made leaves the earlier one for its own',
      [attempt('r1', 0), attempt('r2', 50)],
      [listed('s1', 60), listed('s2', 110)],
      { r1: 's1', r2: 's2' },
    ],
    [
      'of one second, in the order of the list',
      [attempt('r1', 0), attempt('r2', 0.5)],
      [listed('newer', 1), listed('older', 1)],
      { r1: 'older', r2: 'newer' },
    ],
  ])('%s', (_name, attempts, messages, expected) => {
    expect(judge(attempts, messages)).toEqual(expected);
  });
});

describe('whatever is listed', () => {
  const content = fc.constantFrom(text('a'), text('b'), template('T'), template('U'));
  const attempts = fc
    .array(fc.tuple(fc.integer({ min: 0, max: 200 }), content), { maxLength: 6 })
    .map((rows) => rows.map(([second, what], index) => attempt(`r${index}`, second, what)));
  const messages = fc
    .array(fc.tuple(fc.integer({ min: -20, max: 300 }), fc.constantFrom('a', 'b', 'x')), { maxLength: 6 })
    .map((rows) => newestFirst(rows.map(([second, body], index) => listed(`s${index}`, second, body))));
  const isNear = (one: UnknownAttempt, message: ListedMessage) => {
    const seconds = (message.createdAt.getTime() - one.claimedAt.getTime()) / 1_000;
    return seconds >= -10 && seconds <= 70;
  };

  it('no message is taken twice, none against its text or time, and none for absent that may be there', () => {
    fc.assert(
      fc.property(attempts, messages, (unknowns, list) => {
        const matches = matchListed(unknowns, list);
        const taken = [...matches.values()].flatMap((match) => (match.kind === 'adopt' ? [match.message] : []));
        expect(new Set(taken).size).toBe(taken.length);
        for (const one of unknowns) {
          const match = matches.get(one.id);
          if (match?.kind === 'adopt') {
            expect(isNear(one, match.message)).toBe(true);
            if (one.contentSha256 !== null) expect(match.message.contentSha256).toBe(one.contentSha256);
          }
          const open = list.filter((message) => isNear(one, message) && !taken.includes(message));
          if (open.length > 0) expect(match?.kind).not.toBe('absent');
        }
      }),
      { numRuns: 500 },
    );
  });

  it('messages of attempts that all were created, and no others, all find their attempt', () => {
    fc.assert(
      fc.property(attempts, fc.array(fc.integer({ min: 0, max: 14 }), { minLength: 6, maxLength: 6 }), (unknowns, delays) => {
        const list = unknowns.map((one, index) =>
          listed(`s${index}`, (one.claimedAt.getTime() - NOON) / 1_000 + (delays[index] ?? 0), one.contentSha256 ?? 'x'),
        );
        const kinds = [...matchListed(unknowns, newestFirst(list)).values()].map(({ kind }) => kind);
        expect(kinds.every((kind) => kind === 'adopt')).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});
