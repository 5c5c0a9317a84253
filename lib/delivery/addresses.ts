import { BlockList, isIP, SocketAddress } from 'node:net';
import type { DeliverySettings } from '../settings/delivery.js';

/** What decides whether an address may be sent to. */
export type AddressRules = Pick<DeliverySettings, 'allowedAddresses' | 'allowLoopback'>;

const LOOPBACK = blockList(['127.0.0.0/8', '::1']);

/** The ranges of the IANA special-purpose registry that lead to no host on the public Internet, or to somebody else's. */
const SPECIAL_V4 = blockList([
  '0.0.0.0/8', // this network
  '10.0.0.0/8', // private
  '100.64.0.0/10', // shared by a carrier's customers
  '127.0.0.0/8', // loopback
  '168.63.129.16', // the host of a virtual machine at Azure
  '169.254.0.0/16', // link-local, cloud metadata
  '172.16.0.0/12', // private
  '192.0.0.0/24', // protocol assignments
  '192.0.2.0/24', // documentation
  '192.88.99.0/24', // 6to4 relays
  '192.168.0.0/16', // private
  '198.18.0.0/15', // benchmarks
  '198.51.100.0/24', // documentation
  '203.0.113.0/24', // documentation
  '224.0.0.0/4', // multicast
  '240.0.0.0/4', // reserved, broadcast
]);

/** Outside of it is loopback, link-local, unique local, multicast, and IPv4 in IPv6 (compatible, NAT64). */
const GLOBAL_V6 = blockList(['2000::/3']);

/** The special ranges within it. Some carry an IPv4 address that a gateway on the way would send to. */
const SPECIAL_V6 = blockList([
  '2001::/23', // protocol assignments: Teredo, ORCHID
  '2001:db8::/32', // documentation
  '2002::/16', // 6to4
  '3fff::/20', // documentation
]);

/** Whether a notification may go to this IP address. What is no plain address, such as one with a zone, is refused. */
export function isAllowedAddress(address: string, rules: AddressRules): boolean {
  const plain = withoutMapping(address);
  if (plain === undefined) return false;
  if (rules.allowLoopback && includes(LOOPBACK, plain)) return true;
  return includes(blockList(rules.allowedAddresses), plain) || isPublic(plain);
}

/** Whether an IP address is this machine's own loopback interface. */
export function isLoopback(address: string): boolean {
  const plain = withoutMapping(address);
  return plain !== undefined && includes(LOOPBACK, plain);
}

function isPublic(address: string): boolean {
  if (isIP(address) === 4) return !includes(SPECIAL_V4, address);
  return includes(GLOBAL_V6, address) && !includes(SPECIAL_V6, address);
}

/** The IPv4 address in an IPv4-mapped one, which is where such a connection goes; any other address as it is. */
function withoutMapping(address: string): string | undefined {
  const version = isIP(address);
  if (version === 0 || address.includes('%')) return undefined;
  if (version === 4) return address;
  const canonical = new SocketAddress({ address, family: 'ipv6' }).address;
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(canonical)?.[1] ?? canonical;
}

interface Ranges {
  readonly v4: BlockList;
  readonly v6: BlockList;
}

/** One list a family: in a common one `::/0` would hold every IPv4 address as well. */
function blockList(ranges: readonly string[]): Ranges {
  const lists = { v4: new BlockList(), v6: new BlockList() };
  for (const range of ranges) {
    const [address = '', bits] = range.split('/');
    const [list, family, width] =
      isIP(address) === 4 ? ([lists.v4, 'ipv4', 32] as const) : ([lists.v6, 'ipv6', 128] as const);
    list.addSubnet(address, Number(bits ?? width), family);
  }
  return lists;
}

function includes({ v4, v6 }: Ranges, address: string): boolean {
  return isIP(address) === 4 ? v4.check(address, 'ipv4') : v6.check(address, 'ipv6');
}
