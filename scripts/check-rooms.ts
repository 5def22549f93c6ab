// Keeps the rooms apart: who may import whom, where each library lives, and that only a package's index is imported.
// Workspaces and tsc do not enforce any of it. `findBreaches` is pure, so that a test can feed it planted breaches.
import { readFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { builtinModules } from 'node:module';
import { pathToFileURL, fileURLToPath } from 'node:url';

const FLOOR_0 = ['domain', 'runtime'];
const FLOOR_1 = ['delivery', 'queues', 'twilio', 'http'];

/** Libraries with one home. A library that is not listed may be imported by any room that declares it. */
const HOMES: Record<string, string[]> = {
  'drizzle-orm': ['delivery'],
  postgres: ['delivery'],
  bullmq: ['queues'],
  ioredis: ['queues'],
  twilio: ['twilio'],
  'prom-client': ['runtime'],
  pino: ['runtime'],
  fastify: ['http'],
};

export interface SourceFile {
  /** Relative to the root, with forward slashes. */
  path: string;
  text: string;
}

/**
 * One sentence per import that breaks the rules.
 *
 * @param declared dependency names per room folder (`packages/queues`), as its package.json has them
 */
export function findBreaches(files: readonly SourceFile[], declared: Readonly<Record<string, string[]>>): string[] {
  return files.flatMap(({ path, text }) => {
    const room = /^(packages|apps)\/([^/]+)\/src\//.exec(path);
    if (!room) return [];
    const folder = `${room[1]}/${room[2]}`;
    return importsOf(text).flatMap((specifier) => breachesOf(path, folder, specifier, declared[folder] ?? []));
  });
}

function breachesOf(path: string, folder: string, specifier: string, dependencies: string[]): string[] {
  const name = folder.split('/')[1] ?? '';
  const isTest = /\.test\.tsx?$|\/src\/fixtures\//.test(path);
  if (specifier.startsWith('.')) {
    const depth = path.split('/').length - 3;
    const ups = specifier.split('/').filter((part) => part === '..').length;
    return ups > depth ? [`${path}: "${specifier}" leaves ${folder}; import the other package by its name`] : [];
  }
  if (specifier.startsWith('node:') || builtinModules.includes(specifier)) return [];
  const own = /^@tickmark\/([^/]+)(\/.*)?$/.exec(specifier);
  if (own) return ownBreaches(path, folder, own[1] ?? '', own[2], isTest, dependencies);
  const library = specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
  const breaches: string[] = [];
  const homes = HOMES[library];
  if (homes && !homes.includes(name) && name !== 'testing') {
    breaches.push(`${path}: ${library} lives in packages/${homes.join(', ')} alone`);
  }
  if (!dependencies.includes(library) && !(isTest || name === 'testing'))
    breaches.push(`${path}: ${library} is not declared in ${folder}/package.json`);
  return breaches;
}

function ownBreaches(
  path: string,
  folder: string,
  target: string,
  inner: string | undefined,
  isTest: boolean,
  dependencies: string[],
): string[] {
  const name = folder.split('/')[1] ?? '';
  const breaches: string[] = [];
  if (inner) breaches.push(`${path}: import @tickmark/${target}, not the file ${inner} inside it`);
  if (isTest && target === 'testing') return breaches;
  const isPackage = FLOOR_0.includes(target) || FLOOR_1.includes(target);
  if (!isPackage && name !== 'testing') breaches.push(`${path}: @tickmark/${target} is no package of floor 0 or 1`);
  if (FLOOR_0.includes(name)) breaches.push(`${path}: floor 0 imports nothing of ours, not @tickmark/${target}`);
  if (FLOOR_1.includes(name) && !FLOOR_0.includes(target) && target !== name) {
    breaches.push(`${path}: ${folder} may import floor 0 only, not @tickmark/${target}`);
  }
  if (!dependencies.includes(`@tickmark/${target}`))
    breaches.push(`${path}: @tickmark/${target} is not declared in ${folder}/package.json`);
  return breaches;
}

function importsOf(text: string): string[] {
  const code = text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/^\s*\/\/.*$/gm, '');
  const pattern =
    /(?:^|[\s;}])(?:import|export)\s+(?:[\w*{}\s,$]+\s+from\s+)?['"]([^'"]+)['"]|(?<![.\w])(?:import|require)\(\s*['"]([^'"]+)['"]\s*\)/g;
  return [...code.matchAll(pattern)].map((match) => match[1] ?? match[2] ?? '');
}

function main(): void {
  const root = fileURLToPath(new URL('..', import.meta.url));
  const tracked = execFileSync('git', ['ls-files', '-co', '--exclude-standard', 'packages', 'apps'], { cwd: root, encoding: 'utf8' }).split(
    '\n',
  );
  const files = tracked.filter((path) => /\.tsx?$/.test(path)).map((path) => ({ path, text: readFileSync(root + path, 'utf8') }));
  const declared: Record<string, string[]> = {};
  for (const path of tracked.filter((file) => /^(packages|apps)\/[^/]+\/package\.json$/.test(file))) {
    declared[path.replace('/package.json', '')] = dependenciesOf(root + path);
  }
  const breaches = findBreaches(files, declared);
  for (const breach of breaches) console.error(breach);
  if (files.length === 0) throw new Error('found no source file: run this in the repository');
  process.exitCode = breaches.length > 0 ? 1 : 0;
}

function dependenciesOf(packageFile: string): string[] {
  const manifest: unknown = JSON.parse(readFileSync(packageFile, 'utf8'));
  const dependencies = manifest !== null && typeof manifest === 'object' && 'dependencies' in manifest ? manifest.dependencies : {};
  return Object.keys(dependencies ?? {});
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) main();
