/**
 * What happens "by chance", decided by nothing but the seed and names of the thing decided: no call changes a later one, so the same
 * messages have the same fate whatever order they arrive in and however many arrive at once.
 */

/** A number that stands for an identity such as `<message id>/<attempt>`: FNV-1a over its UTF-16 units, mixed so that near texts lie far apart. */
export function fateOf(identity: string): number {
  let hash = 0x811c_9dc5;
  for (let index = 0; index < identity.length; index++) {
    hash = Math.imul(hash ^ identity.charCodeAt(index), 0x0100_0193);
  }
  return mix(hash);
}

/** A share from 0 up to but not including 1, evenly spread, for one decision about one fate. */
export function chanceOf(seed: number, fate: number, decision: string): number {
  return mix(fate ^ mix(seed ^ fateOf(decision))) / 0x1_0000_0000;
}

/** The 32-bit finalizer of MurmurHash3. */
function mix(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
