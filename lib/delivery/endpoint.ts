import { isIP } from 'node:net';
import type { DeliverySettings } from '../settings/delivery.js';
import { type AddressRules, isAllowedAddress, isLoopback } from './addresses.js';

/** What decides whether an endpoint may be sent to. */
export type EndpointRules = AddressRules & Pick<DeliverySettings, 'allowedPorts'>;

const LONGEST = 2048;

/** What an endpoint is told whose host is, or leads to, an address that is not allowed. */
export const NOT_PUBLIC = 'must be on a public address';

/** Names that no public DNS gives out: what they lead to is inside of some network. */
const PRIVATE_SUFFIXES: readonly string[] = [
  'localhost',
  'localdomain',
  'local',
  'internal',
  'intranet',
  'corp',
  'home',
  'home.arpa',
  'lan',
  'onion',
  'invalid',
  'test',
];

/** At least two labels: a single one is looked up in the network's own domain. */
const FULL_NAME = /^(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * Says what is wrong with a notification endpoint, in words that go after its name, or nothing. What its host name leads to is
 * not known here: addresses are judged again when it is sent to.
 */
export function endpointProblem(endpoint: string, rules: EndpointRules): string | undefined {
  if (endpoint.length > LONGEST) return `must not be longer than ${LONGEST} characters`;
  const url = absoluteUrl(endpoint);
  if (!url) return 'must be an absolute https URL';
  const host = hostOf(url);
  const mayLoop = rules.allowLoopback && isLoopbackHost(host);
  if (url.protocol !== 'https:' && !mayLoop) return 'must be an absolute https URL';
  if (/^[^/?#]*@/.test(endpoint.slice(url.protocol.length + 2)))
    return 'must not have a user name or password';
  if (endpoint.includes('#')) return 'must not have a fragment';
  if (mayLoop) return undefined;
  return hostProblem(host, rules) ?? portProblem(portOf(url), rules.allowedPorts);
}

/** The host of a URL as it is looked up and connected to: without brackets, and without the dot that ends a full name. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
}

/** The port of a URL, which it may leave out. */
export function portOf(url: URL): number {
  return Number(url.port || (url.protocol === 'https:' ? 443 : 80));
}

/** Whether a host is this machine by its name or by its address. */
export function isLoopbackHost(host: string): boolean {
  return isIP(host) ? isLoopback(host) : isWithin(host, 'localhost');
}

/** URL itself forgives blanks, backslashes and missing slashes, which others who read the same text may not. */
function absoluteUrl(endpoint: string): URL | undefined {
  if (!/^https?:\/\/[^\s\\\p{Cc}/?#][^\s\\\p{Cc}]*$/iu.test(endpoint)) return undefined;
  return URL.canParse(endpoint) ? new URL(endpoint) : undefined;
}

function hostProblem(host: string, rules: EndpointRules): string | undefined {
  if (isIP(host)) return isAllowedAddress(host, rules) ? undefined : NOT_PUBLIC;
  // Where a network of the server's own may be sent to, its names may, too: what they lead to is judged before each message.
  const isPrivate =
    rules.allowedAddresses.length === 0 && PRIVATE_SUFFIXES.some((suffix) => isWithin(host, suffix));
  return FULL_NAME.test(host) && host.length <= 253 && !isPrivate
    ? undefined
    : 'must be on a host with a full public name';
}

function portProblem(port: number, allowed: EndpointRules['allowedPorts']): string | undefined {
  if (allowed === 'any') return port === 0 ? 'must not be on port 0' : undefined;
  return allowed.includes(port) ? undefined : `must be on port ${allowed.join(' or ')}`;
}

function isWithin(name: string, suffix: string): boolean {
  return name === suffix || name.endsWith(`.${suffix}`);
}
