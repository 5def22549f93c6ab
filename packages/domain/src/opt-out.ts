import type { InboundMessage } from './inbound-message.ts';

/** What a person asks for with a message that is nothing but a keyword. */
export type OptOutRequest = 'stop' | 'start';

/** Of which messages a person wants no more. */
export type SuppressionCategory = 'all' | 'marketing';

/** Twilio's codes for a recipient who has opted out elsewhere: with a word that Twilio saw, or with WhatsApp's own switch for marketing. */
export const OPT_OUT_CODES: ReadonlyMap<number, SuppressionCategory> = new Map([
  [21610, 'all'],
  [63033, 'marketing'],
]);

export interface OptOutWords {
  stop: ReadonlySet<string>;
  start: ReadonlySet<string>;
}

/**
 * Keywords by language, as people write them to businesses; Twilio's own English ones are among them. `YES` and `CANCEL` are not: in a
 * conversation they are answers.
 */
const WORDS: Record<string, { stop: string[]; start: string[] }> = {
  ar: { stop: ['توقف', 'إيقاف', 'الغاء الاشتراك'], start: ['ابدأ', 'اشتراك'] },
  cs: { stop: ['stop', 'odhlasit', 'odhlásit'], start: ['start', 'přihlásit'] },
  de: { stop: ['stop', 'stopp', 'abmelden', 'abbestellen', 'keine werbung'], start: ['start', 'anmelden'] },
  en: {
    stop: ['stop', 'stopall', 'stop all', 'unsubscribe', 'end', 'quit', 'revoke', 'optout', 'opt out'],
    start: ['start', 'unstop', 'subscribe', 'opt in', 'optin'],
  },
  es: { stop: ['parar', 'baja', 'darme de baja', 'alto', 'detener', 'cancelar suscripción'], start: ['alta', 'iniciar', 'empezar'] },
  fr: { stop: ['stop', 'arrêt', 'arrêter', 'désabonner', 'désinscription', 'me désabonner'], start: ['start', 'démarrer', 'abonner'] },
  he: { stop: ['הסר', 'עצור', 'להסיר'], start: ['התחל', 'הירשם'] },
  hi: { stop: ['रोकें', 'बंद करें', 'बंद करो'], start: ['शुरू', 'शुरू करें'] },
  id: { stop: ['berhenti', 'henti'], start: ['mulai'] },
  it: { stop: ['stop', 'ferma', 'disiscrivi', 'disiscrivimi', 'annulla iscrizione'], start: ['inizia', 'iscrivi', 'iscrivimi'] },
  ja: { stop: ['停止', '配信停止', '解除'], start: ['開始', '配信開始'] },
  nl: { stop: ['stop', 'afmelden', 'uitschrijven'], start: ['start', 'aanmelden'] },
  pl: { stop: ['stop', 'wypisz', 'rezygnuję'], start: ['start', 'zapisz'] },
  pt: { stop: ['parar', 'sair', 'pare', 'descadastrar', 'cancelar inscrição'], start: ['iniciar', 'começar', 'inscrever'] },
  ru: { stop: ['стоп', 'отписаться', 'отписка'], start: ['старт', 'подписаться'] },
  tr: { stop: ['dur', 'durdur', 'iptal', 'abonelikten çık'], start: ['başla', 'başlat', 'abone ol'] },
  uk: { stop: ['стоп', 'відписатися'], start: ['старт', 'підписатися'] },
  zh: { stop: ['停止', '退订', '取消订阅', '退訂'], start: ['开始', '订阅', '開始'] },
};

/** Of Latin, Greek, Cyrillic, Hebrew and Arabic, whose readers do without; elsewhere, as in Hindi, such marks are vowels and make another word. */
const ACCENTS = /(?=[\u0300-\u036F\u0590-\u06FF])\p{Mn}/gu;

const FROM_FIRST_TO_LAST_LETTER = /[\p{L}\p{N}](?:.*[\p{L}\p{N}])?/su;

export const DEFAULT_OPT_OUT_WORDS: OptOutWords = {
  stop: new Set(Object.values(WORDS).flatMap(({ stop }) => stop.map(normalizeKeyword))),
  start: new Set(Object.values(WORDS).flatMap(({ start }) => start.map(normalizeKeyword))),
};

const BUILT_IN = '+built-in';

/**
 * Reads an operator's own words: one per line, that of a START behind `start:`. They take the place of the built-in ones, unless a line
 * says `+built-in`. Empty lines and those that begin with # are left out.
 *
 * @throws Error when a line is no word, a word asks for both, or there is none to stop with
 */
export function parseOptOutWords(text: string): OptOutWords {
  const stop = new Set<string>();
  const start = new Set<string>();
  for (const [index, line] of text
    .split(/\r?\n/)
    .map((entry) => entry.trim())
    .entries()) {
    if (line === '' || line.startsWith('#')) continue;
    if (line === BUILT_IN) {
      for (const word of DEFAULT_OPT_OUT_WORDS.stop) stop.add(word);
      for (const word of DEFAULT_OPT_OUT_WORDS.start) start.add(word);
      continue;
    }
    const [, isStart, rest = ''] = /^(start:|stop:)?(.*)$/i.exec(line) ?? [];
    const word = normalizeKeyword(rest);
    if (word === '') throw new Error(`line ${index + 1} holds no word: letters or digits are needed`);
    (isStart?.toLowerCase() === 'start:' ? start : stop).add(word);
  }
  if (stop.size === 0) throw new Error(`there is no word to stop with: add one per line, or a line ${BUILT_IN}`);
  const both = [...stop].find((word) => start.has(word));
  if (both !== undefined) throw new Error(`"${both}" asks both to stop and to start again`);
  return { stop, start };
}

/**
 * Whether a message asks to be written to no more, or again. Twilio's own word for it (`OptOutType`, where Advanced Opt-Out is on) comes
 * first; then the whole text or the payload of a button, never a word within a sentence.
 */
export function readOptOut(
  message: Pick<InboundMessage, 'body' | 'buttonPayload' | 'buttonText' | 'optOutType'>,
  words: OptOutWords = DEFAULT_OPT_OUT_WORDS,
): OptOutRequest | null {
  const type = message.optOutType?.toLowerCase();
  if (type === 'stop' || type === 'start') return type;
  for (const text of [message.body, message.buttonText, message.buttonPayload]) {
    const keyword = normalizeKeyword(text ?? '');
    if (words.stop.has(keyword)) return 'stop';
    if (words.start.has(keyword)) return 'start';
  }
  return null;
}

/**
 * One form for what people take for the same word: case, accents, signs around it and blanks do not count. Anybody may send the text, so the
 * time grows with its length and no faster.
 */
export function normalizeKeyword(text: string): string {
  const letters = text.normalize('NFKD').replaceAll(ACCENTS, '').toLowerCase().replaceAll('ı', 'i');
  return (FROM_FIRST_TO_LAST_LETTER.exec(letters)?.[0] ?? '').replaceAll(/\s+/gu, ' ');
}
