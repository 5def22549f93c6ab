import { describe, expect, test } from 'vitest';
import * as rules from './config-rules.ts';

const HEX = '0123456789abcdef0123456789ABCDEF';

const TABLE: Record<string, { rule: rules.Rule; modes: rules.TwilioMode[]; good: string[]; bad: string[] }> = {
  'an account sid': {
    rule: rules.accountSidRule,
    modes: ['sandbox', 'live'],
    good: [`AC${HEX}`],
    bad: [`SK${HEX}`, `AC${HEX}0`, 'AC', `ac${HEX}`],
  },
  'an API key sid': { rule: rules.apiKeySidRule, modes: ['sandbox', 'live'], good: [`SK${HEX}`], bad: [`AC${HEX}`, `SK${HEX.slice(1)}`] },
  'an API key secret': { rule: rules.apiKeySecretRule, modes: ['sandbox', 'live'], good: [HEX], bad: ['short', `${HEX} `, 'x'.repeat(31)] },
  'an auth token': {
    rule: rules.authTokenRule,
    modes: ['sandbox', 'live'],
    good: [HEX],
    bad: [HEX.slice(1), `${HEX}0`, ` ${HEX.slice(1)}`],
  },
  'a session secret': { rule: rules.sessionSecretRule, modes: ['sandbox', 'live'], good: [HEX], bad: ['short'] },
  'the public address': {
    rule: rules.publicBaseUrlRule,
    modes: ['sandbox', 'live'],
    good: ['https://messages.example.com', 'https://a-b.example:8443/path', 'https://xn--bcher-kva.example'],
    bad: [
      'http://messages.example.com',
      'https://my_host.example.com',
      'https://localhost',
      'https://127.0.0.1',
      'https://[::1]',
      'https://ingress',
    ],
  },
  'the address of the API': {
    rule: rules.apiOverTlsRule,
    modes: ['sandbox', 'live'],
    good: ['https://api.twilio.com', 'https://egress.example'],
    bad: ['http://127.0.0.1:4010', 'http://api.twilio.com'],
  },
  'the address of the API in simulator mode': {
    rule: rules.neverTwilioRule,
    modes: ['simulator'],
    good: ['http://127.0.0.1:4010', 'https://twilio.com.example', 'http://nottwilio.com', 'http://simulator:4010/x.twilio.com'],
    bad: [
      'https://api.twilio.com',
      'https://twilio.com',
      'https://API.TWILIO.COM',
      'https://api.twilio.com.',
      'https://api.dublin.ie1.twilio.com:443/2010-04-01',
      'https://user@api.twilio.com',
      'https://api.%74wilio.com',
    ],
  },
  'the pace of the sandbox': {
    rule: rules.sandboxPaceRule,
    modes: ['sandbox'],
    good: ['whatsapp:+14155238886=0.33', 'x@whatsapp:+14155238886=0.3,whatsapp:+15550001111=80'],
    bad: ['whatsapp:+14155238886=1', 'a@whatsapp:+15550001111=80, b@whatsapp:+14155238886=80'],
  },
  'the pace of live senders': {
    rule: rules.livePaceRule,
    modes: ['live'],
    good: ['whatsapp:+15550001111=400', `MG${HEX}=2000`, `a@whatsapp:+15550001111=80,b@MG${HEX}=800`],
    bad: ['whatsapp:+15550001111=401', 'whatsapp:+14155238886=0.3', `MG${HEX}=10,a@whatsapp:+15550001111=8000`],
  },
  'a limit of recipients': { rule: rules.notInLiveRule, modes: ['live'], good: [], bad: ['whatsapp:+15550001111'] },
  failpoints: { rule: rules.onlyInSimulatorRule, modes: ['sandbox', 'live'], good: [], bad: ['after-post'] },
};

describe.each(Object.entries(TABLE))('%s', (_what, { rule, modes, good, bad }) => {
  test('is ruled in its modes alone, in words that say what to do', () => {
    expect(rule.in).toEqual(modes);
    expect(rule.must).toMatch(/^(be|not|give) /);
  });

  test('passes or fails as it should', () => {
    expect(good.filter((text) => !rule.holds(text))).toEqual([]);
    expect(bad.filter((text) => rule.holds(text))).toEqual([]);
  });
});

test('every rule is in the table above', () => {
  const all = Object.values(rules).filter((value) => typeof value === 'object' && 'holds' in value);
  expect(new Set(Object.values(TABLE).map(({ rule }) => rule))).toEqual(new Set(all));
});
