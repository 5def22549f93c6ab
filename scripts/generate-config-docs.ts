// Writes .env.example, .env.production.example and docs/configuration.md from the table of configuration keys; with --check only
// says which of them are not current, and fails.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CONFIG_KEYS, type KeyDefinition } from '@tickmark/runtime';

const REPOSITORY = fileURLToPath(new URL('..', import.meta.url));
const COMMAND = 'node --conditions=@tickmark/source --import tsx scripts/generate-config-docs.ts';
const LINE_LENGTH = 110;

type Entry = [key: string, definition: KeyDefinition];

const FILES: Record<string, () => string> = {
  '.env.example': renderExample,
  '.env.production.example': renderProductionExample,
  'docs/configuration.md': renderDocument,
};

const check = process.argv.includes('--check');
for (const [name, render] of Object.entries(FILES)) {
  const path = join(REPOSITORY, name);
  const text = render();
  if (!check) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  } else if (text !== readIfThere(path)) {
    console.error(`${name} is not current: run ${COMMAND}`);
    process.exitCode = 1;
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function sections(): [name: string, entries: Entry[]][] {
  const bySection = new Map<string, Entry[]>();
  for (const entry of Object.entries(CONFIG_KEYS) as Entry[]) {
    const { section } = entry[1];
    bySection.set(section, [...(bySection.get(section) ?? []), entry]);
  }
  return [...bySection];
}

function renderExample(): string {
  const lines = comment(
    'Development: copy this file to .env and the commands of package.json work as they are, against the simulator, with the PostgreSQL and ' +
      'Redis of docker-compose.yml. Without the file, npm start brings up both by itself. Variables that are already set win. ' +
      'All keys, also those that are not here: docs/configuration.md.',
  );
  for (const [name, entries] of sections()) {
    const shown = entries.filter(([, { example }]) => example !== undefined);
    if (shown.length === 0) continue;
    lines.push('', `# --- ${name}`);
    for (const [key, { help, example }] of shown) lines.push(...comment(help), `${key}=${example}`);
  }
  return `${lines.join('\n')}\n`;
}

function renderProductionExample(): string {
  const lines = comment(
    'Production. Replace every FILL_IN; a process that meets one refuses to start and says which. Lines that are commented out show the ' +
      'default. Any KEY may be given as KEY_FILE instead, the path of a file that holds its value; such a file is read again within ' +
      '5 seconds of a change, so a secret is replaced without a restart. Give each process only what it uses.',
  );
  lines.push('#', '# WARNING: filled in, this file holds secrets. Never commit it, never put it into an image, never send it to anybody.');
  for (const [name, entries] of sections()) {
    lines.push('', `# ${'='.repeat(20)} ${name}`);
    for (const entry of entries) lines.push('', ...renderProductionKey(entry));
  }
  return `${lines.join('\n')}\n`;
}

function renderProductionKey([key, definition]: Entry): string[] {
  const { help, notes = [], production, secret } = definition;
  const lines = [...comment(help), ...notes.flatMap(comment), ...comment(usage(definition))];
  if (secret === true) {
    lines.push(`# WARNING: a secret. Keep it in your secret store and prefer ${key}_FILE: every child process can read an environment.`);
  }
  for (const rule of rulesIn(definition, 'live')) lines.push(...comment(`It must ${rule}.`));
  lines.push(production === undefined ? `# ${key}=${definition.default ?? ''}` : `${key}=${production}`);
  return lines;
}

function renderDocument(): string {
  const lines = [
    '# Configuration',
    '',
    `<!-- Made by ${COMMAND}: change packages/runtime/src/config-keys.ts instead. -->`,
    '',
    ...wrap(
      'Everything is configured by environment variables. Each process checks only the keys that it uses, all of them at once, before it ' +
        'does anything else; what is wrong is listed with what to do. An empty value counts as absent.',
    ),
    '',
    ...wrap(
      '**Files.** Any `KEY` may be given as `KEY_FILE`, the path of a file that holds its value. Such a file is read again within ' +
        '5 seconds of a change; the last good value stays while it is being replaced. Giving both is an error. Connection strings are read at ' +
        'the start only.',
    ),
    '',
    ...wrap(
      '**Modes.** `TWILIO_MODE` alone decides which values are acceptable, never `NODE_ENV`. In simulator mode any non-empty text is a ' +
        'secret, any pace above 0 is one, and no host of Twilio can be configured. In sandbox and live mode the rules below hold, and the ' +
        'keys and credentials of `.env.example` are refused, because everybody knows them.',
    ),
    '',
    ...wrap('**Secrets** (marked so) print as `[redacted]` in logs, JSON and inspections, and no problem repeats a value.'),
  ];
  for (const [name, entries] of sections()) {
    lines.push('', `## ${name}`);
    for (const entry of entries) lines.push('', ...renderDocumentKey(entry));
  }
  return `${lines.join('\n')}\n`;
}

function renderDocumentKey([key, definition]: Entry): string[] {
  const { help, notes = [], secret, required } = definition;
  const marks = [required === true ? 'required' : describeDefault(definition), ...(secret === true ? ['secret'] : [])];
  const lines = [
    `### ${key}`,
    '',
    ...wrap(`${escapeMarkdown(help)} _(${marks.join('; ')})_`),
    '',
    ...item(escapeMarkdown(usage(definition))),
  ];
  for (const note of notes) lines.push(...item(escapeMarkdown(note)));
  for (const mode of ['simulator', 'sandbox', 'live'] as const) {
    for (const rule of rulesIn(definition, mode)) lines.push(...item(`In ${mode} mode it must ${escapeMarkdown(rule)}.`));
  }
  return lines;
}

function rulesIn({ rules = [] }: KeyDefinition, mode: 'simulator' | 'sandbox' | 'live'): string[] {
  return rules.filter((rule) => rule.in.includes(mode)).map(({ must }) => must);
}

function describeDefault({ default: text, defaultIn = {} }: KeyDefinition): string {
  if (text !== undefined) return `default \`${text}\``;
  const inModes = Object.entries(defaultIn).map(([mode, { says }]) => `default in ${mode} mode ${says}`);
  return inModes.length > 0 ? inModes.join('; ') : 'optional';
}

function usage({ usedBy }: KeyDefinition): string {
  return usedBy.length === 0 ? 'Agreed, but nothing reads it yet.' : `Used by ${usedBy.join(', ')}.`;
}

function comment(text: string): string[] {
  return wrap(text).map((line) => `# ${line}`);
}

function item(text: string): string[] {
  return wrap(text).map((line, index) => (index === 0 ? `- ${line}` : `  ${line}`));
}

function wrap(text: string): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > LINE_LENGTH) {
      lines.push(line);
      line = '';
    }
    line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

/** What Markdown would take for emphasis, a tag or a link. */
function escapeMarkdown(text: string): string {
  return text.replace(/[<>[\]*_]/g, (character) => `\\${character}`);
}
