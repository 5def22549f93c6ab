import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, resolve } from 'node:path';

export interface ServiceUser {
  uid: number;
  gid: number;
}

/**
 * The existing unprivileged user that PostgreSQL runs as when we are root, which it refuses to be; null when we are not root.
 *
 * No user is created.
 */
export function serviceUser(): ServiceUser | null {
  if (process.getuid?.() !== 0) return null;
  const passwd = existsSync('/etc/passwd') ? readFileSync('/etc/passwd', 'utf8') : '';
  for (const name of ['nobody', 'daemon']) {
    const [, , uid, gid] = new RegExp(`^${name}:.*$`, 'm').exec(passwd)?.[0].split(':') ?? [];
    if (Number(uid) > 0 && Number(gid) > 0) return { uid: Number(uid), gid: Number(gid) };
  }
  return { uid: 65_534, gid: 65_534 };
}

/** Whether the user may pass through the folder and everything above it. A clone below a `mktemp -d` folder of root fails this. */
export function canReach(folder: string, user: ServiceUser): boolean {
  for (let path = resolve(folder); ; path = dirname(path)) {
    const { mode, uid, gid } = statSync(path);
    const bit = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001;
    if ((mode & bit) === 0) return false;
    if (path === dirname(path)) return true;
  }
}

/** The system's temp folder, or the first common one that the service user reaches when TMPDIR points into a private folder. */
export function reachableTempFolder(): string {
  const user = serviceUser();
  const folders = [tmpdir(), '/tmp', '/var/tmp'];
  const found = folders.find((folder) => existsSync(folder) && (!user || canReach(folder, user)));
  if (!found) throw new Error(`PostgreSQL does not run as root, and user ${user?.uid} reaches none of ${folders.join(', ')}; set TMPDIR`);
  // Without symbolic links, so that it can be compared with the working directory of a process.
  return realpathSync(found);
}
