import { isIP } from 'node:net';

/** Decides which hosts the simulator may call. */
export interface CallbackTargets {
  /** Why this StatusCallback is refused, in words for a developer; null when it may be called. */
  refusalOf(url: string): string | null;
}

/**
 * A simulator must never reach the outside: it calls loopback addresses, and the one host that the operator named as PUBLIC_BASE_URL
 * (in a compose file that is the ingress's service name).
 */
export function createCallbackTargets(publicBaseUrl: string): CallbackTargets {
  const publicHost = new URL(publicBaseUrl).hostname;
  return {
    refusalOf: (text) => {
      if (!URL.canParse(text)) return "Invalid 'StatusCallback': it is not an absolute URL";
      const { protocol, hostname } = new URL(text);
      if (protocol !== 'http:' && protocol !== 'https:') return "Invalid 'StatusCallback': it must begin with http:// or https://";
      if (hostname === '' || hostname.includes('_')) return "Invalid 'StatusCallback': underscores are not allowed in the host name";
      if (hostname === publicHost || isLoopback(hostname)) return null;
      return "Invalid 'StatusCallback': the simulator calls loopback addresses and the host of its PUBLIC_BASE_URL only";
    },
  };
}

/** Whether a host of a URL or the address of a socket is this machine: 127/8, ::1 (also as mapped IPv4) or localhost. */
export function isLoopback(host: string): boolean {
  const address = host.replace(/^\[(.*)\]$/, '$1').replace(/^::ffff:(?=\d)/i, '');
  if (address === 'localhost' || address === '::1') return true;
  return isIP(address) === 4 && address.startsWith('127.');
}
