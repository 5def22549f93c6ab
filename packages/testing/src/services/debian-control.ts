export interface DebianPackage {
  /** One list of alternatives for each dependency. */
  dependencies: string[][];
  provides: string[];
  isInstalled: boolean;
}

/** Reads the paragraphs of dpkg's status file and of apt-cache's answers. */
export function parsePackages(text: string): Map<string, DebianPackage> {
  const packages = new Map<string, DebianPackage>();
  for (const paragraph of text.split(/\n\n+/)) {
    const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(paragraph)?.[1] ?? '';
    const relations = (value: string) => value.split(',').map((part) => part.split('|').map(nameOf).filter(Boolean));
    const name = field('Package');
    if (!name) continue;
    packages.set(name, {
      dependencies: [...relations(field('Pre-Depends')), ...relations(field('Depends'))].filter((names) => names.length > 0),
      provides: relations(field('Provides')).flat(),
      isInstalled: field('Status').endsWith(' installed'),
    });
  }
  return packages;
}

/** `libc6 (>= 2.34)` and `python3:any` name libc6 and python3. */
function nameOf(relation: string): string {
  return /^\s*([a-z0-9.+-]+)/.exec(relation)?.[1] ?? '';
}
