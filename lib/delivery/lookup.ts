import type { LookupAddress } from 'node:dns';
import { Resolver } from 'node:dns/promises';
import { isLoopbackHost } from './endpoint.js';

/** Finds every address of a host name, until the signal says that nobody waits for it any more. */
export type Lookup = (hostname: string, signal: AbortSignal) => Promise<readonly LookupAddress[]>;

/** This machine, which no name server is asked for (RFC 6761 6.3). */
const LOOPBACK: readonly LookupAddress[] = [
  { address: '127.0.0.1', family: 4 },
  { address: '::1', family: 6 },
];

/**
 * Asks the name servers itself, those of the system where none are given. `dns.lookup` would take one of the process's few
 * threads, and keep it for as long as a client's name server is silent: a few such clients, and nothing in the process could look
 * up a name.
 */
export function lookupOver(servers?: readonly string[]): Lookup {
  return async (hostname, signal) => {
    if (isLoopbackHost(hostname)) return LOOPBACK;
    const resolver = new Resolver();
    if (servers) resolver.setServers(servers);
    const cancel = (): void => resolver.cancel();
    signal.addEventListener('abort', cancel, { once: true });
    try {
      return await addressesOf(hostname, resolver);
    } finally {
      signal.removeEventListener('abort', cancel);
    }
  };
}

/** A name may have addresses of one family only. */
async function addressesOf(hostname: string, resolver: Resolver): Promise<LookupAddress[]> {
  const [v4, v6] = await Promise.allSettled([resolver.resolve4(hostname), resolver.resolve6(hostname)]);
  if (v4.status === 'rejected' && v6.status === 'rejected') throw v4.reason;
  const found = (result: PromiseSettledResult<string[]>, family: 4 | 6): LookupAddress[] =>
    result.status === 'fulfilled' ? result.value.map((address) => ({ address, family })) : [];
  return [...found(v4, 4), ...found(v6, 6)];
}
