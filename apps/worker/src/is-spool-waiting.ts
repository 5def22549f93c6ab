/**
 * Whether callbacks wait on the disk of an ingress, where nobody sees yet what they prove.
 *
 * The ingress has no spool: what it cannot give to Redis it refuses, and Twilio repeats it.
 */
export function isSpoolWaiting(): Promise<boolean> {
  return Promise.resolve(false);
}
