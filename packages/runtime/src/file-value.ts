import { readFileSync, statSync } from 'node:fs';

/** How often the file is looked at, at most; a change is seen within 5 s with room to spare. */
const RECHECK_MS = 1_000;

/**
 * A value that is read from a file again after the file has changed, when it is asked for: no timer, no watcher.
 *
 * The last good value stays while the file is away, empty or not acceptable, as it is for a moment when it is being replaced; a
 * content that stays unacceptable is said once as a process warning.
 *
 * @param parse makes the value of the trimmed text; throws when it is not acceptable, without repeating the text
 * @returns the function that gives the value
 * @throws what reading or parsing throws the first time
 */
export function createFileValue<T>(path: string, parse: (text: string) => T): () => T {
  let seen = fingerprint(path);
  let value = parse(readFileSync(path, 'utf8').trim());
  let checkedAtMs = performance.now();
  let warned = '';
  return () => {
    const nowMs = performance.now();
    if (nowMs - checkedAtMs < RECHECK_MS) return value;
    checkedAtMs = nowMs;
    let found = '';
    try {
      // The fingerprint is taken before the content: a write in between shows as another change next time.
      found = fingerprint(path);
      if (found === seen) return value;
      value = parse(readFileSync(path, 'utf8').trim());
      seen = found;
    } catch (error) {
      // Not remembered as seen, so that it is tried again until it is good.
      if (found !== '' && warned !== found)
        process.emitWarning(`${path} changed but is not used: ${(error as Error).message}`, 'ConfigWarning');
      warned = found;
    }
    return value;
  };
}

/** The inode differs when the file was replaced, as secrets mounted by an orchestrator are; the rest when it was written in place. */
function fingerprint(path: string): string {
  const { ino, size, mtimeMs, ctimeMs } = statSync(path);
  return `${ino}:${size}:${mtimeMs}:${ctimeMs}`;
}
