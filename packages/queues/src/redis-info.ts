/** The fields of a server's INFO text. */
export function parseInfo(text: string): Map<string, string> {
  const pairs = text.split(/\r?\n/).map((line): [string, string] => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon), line.slice(colon + 1)];
  });
  return new Map(pairs);
}

/**
 * How much of the memory that Redis may use it uses, from its INFO text.
 *
 * @returns 0 to 1, little above while it evicts or refuses; null when it has no limit, or tells none
 */
export function memoryShareOf(infoText: string): number | null {
  const info = parseInfo(infoText);
  const [used, max] = [Number(info.get('used_memory')), Number(info.get('maxmemory'))];
  return max > 0 && Number.isFinite(used) ? used / max : null;
}
