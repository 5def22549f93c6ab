import { open, rename } from 'node:fs/promises';
import { join } from 'node:path';

/** Writes a file so that either the old or the new one is there, whole, whenever the machine stops. */
export async function writeDurably(dir: string, name: string, text: string): Promise<void> {
  const part = join(dir, `${name}.part`);
  const file = await open(part, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(part, join(dir, name));
  await syncFolder(dir);
}

/** Names in a folder survive a power cut only when the folder itself is written. */
export async function syncFolder(dir: string): Promise<void> {
  const folder = await open(dir, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
