import { userInfo } from 'node:os';

/** Who is named in the audit log: what the operator says, else the user of the operating system. */
export function operatorName(by: string | undefined): string {
  if (by !== undefined) return by;
  try {
    return userInfo().username;
  } catch {
    // A container may run under a number that has no name.
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}
