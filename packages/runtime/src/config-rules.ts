export const TWILIO_MODES = ['simulator', 'sandbox', 'live'] as const;
export type TwilioMode = (typeof TWILIO_MODES)[number];

/** What a key's text must fulfil in some modes, besides having its type. */
export interface Rule {
  in: readonly TwilioMode[];
  /** Goes on after "must": says what to do, and holds no value. */
  must: string;
  holds: (text: string) => boolean;
}

const WITH_TWILIO = ['sandbox', 'live'] as const;

/** Stands in `.env.production.example` where a value of one's own belongs; refused in every mode. */
export const PLACEHOLDER = 'FILL_IN';

const SANDBOX_SENDER = 'whatsapp:+14155238886';
/** Twilio's sandbox takes one message every three seconds. */
const SANDBOX_MPS_MAX = 0.34;
/** The most that Twilio raises a single WhatsApp sender to; a Messaging Service may have more. */
const SENDER_MPS_MAX = 400;

/** Labels of letters, digits and inner hyphens, the last of letters: no address, no `localhost`, and no underscore, which Twilio refuses. */
const PUBLIC_HOST = /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$/;

export const accountSidRule = matches(
  /^AC[0-9a-fA-F]{32}$/,
  'be AC and 32 hexadecimal digits: copy it from the Twilio Console, Account info',
);

export const apiKeySidRule = matches(
  /^SK[0-9a-fA-F]{32}$/,
  'be SK and 32 hexadecimal digits: create a key in the Twilio Console, API keys & tokens',
);

export const apiKeySecretRule = matches(
  /^[A-Za-z0-9_-]{32,}$/,
  'be at least 32 letters and digits: Twilio shows it once, when the API key is created',
);

export const authTokenRule = matches(/^[A-Za-z0-9]{32}$/, 'be 32 characters: copy it from the Twilio Console, Account info');

export const sessionSecretRule = matches(/^\S{32,}$/, 'be at least 32 characters without spaces: make one with openssl rand -hex 32');

export const publicBaseUrlRule: Rule = {
  in: WITH_TWILIO,
  must: 'be an https URL with a public host name without an underscore: Twilio calls it',
  holds: (text) => {
    const url = new URL(text);
    return url.protocol === 'https:' && PUBLIC_HOST.test(url.hostname);
  },
};

export const apiOverTlsRule: Rule = {
  in: WITH_TWILIO,
  must: 'be an https URL: credentials and messages go there. Leave it out to call Twilio itself',
  holds: (text) => new URL(text).protocol === 'https:',
};

/** The one rule that keeps a process in simulator mode from ever reaching a real account. */
export const neverTwilioRule: Rule = {
  in: ['simulator'],
  must: 'not be a host of Twilio: a process in simulator mode never calls it. Leave it out, or set TWILIO_MODE',
  holds: (text) => !/(?:^|\.)twilio\.com$/.test(new URL(text).hostname.replace(/\.+$/, '')),
};

export const sandboxPaceRule: Rule = {
  in: ['sandbox'],
  must: `give ${SANDBOX_SENDER}, the shared sandbox, at most ${SANDBOX_MPS_MAX} messages per second`,
  holds: (text) => paces(text).every(({ address, mps }) => address !== SANDBOX_SENDER || mps <= SANDBOX_MPS_MAX),
};

export const livePaceRule: Rule = {
  in: ['live'],
  must: `not name ${SANDBOX_SENDER}, the shared sandbox, nor give a WhatsApp sender more than ${SENDER_MPS_MAX} messages per second`,
  holds: (text) =>
    paces(text).every(({ address, mps }) => address !== SANDBOX_SENDER && (!address.startsWith('whatsapp:') || mps <= SENDER_MPS_MAX)),
};

export const notInLiveRule: Rule = {
  in: ['live'],
  must: 'not be given: it limits who receives messages, which only tests want. Remove it',
  holds: () => false,
};

export const onlyInSimulatorRule: Rule = {
  in: WITH_TWILIO,
  must: 'not be given: it stops the process in the middle of its work. Remove it',
  holds: () => false,
};

function matches(pattern: RegExp, must: string): Rule {
  return { in: WITH_TWILIO, must, holds: (text) => pattern.test(text) };
}

/** Address and pace of each entry of TWILIO_SENDERS; whether the entries are well-formed is for their parser to say. */
function paces(text: string): { address: string; mps: number }[] {
  return text.split(',').map((entry) => {
    const [target = '', mps = ''] = entry.trim().split('=');
    return { address: target.slice(target.lastIndexOf('@') + 1), mps: Number(mps) };
  });
}
