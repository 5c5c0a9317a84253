import { type AddressRules, isAllowedAddress, isLoopback } from '../../lib/delivery/addresses.js';

const STRICT: AddressRules = { allowedAddresses: [], allowLoopback: false };

/** What lies just outside of each special range, and some of what lies far from them. */
const PUBLIC = [
  '1.0.0.0',
  '9.255.255.255',
  '11.0.0.0',
  '11.0.0.1',
  '100.63.255.255',
  '100.128.0.0',
  '126.255.255.255',
  '128.0.0.0',
  '169.253.255.255',
  '169.255.0.0',
  '172.15.255.255',
  '172.32.0.0',
  '172.32.0.1',
  '191.255.255.255',
  '192.0.1.0',
  '192.0.1.255',
  '192.0.3.0',
  '192.88.98.255',
  '192.88.100.0',
  '192.167.255.255',
  '192.169.0.0',
  '198.17.255.255',
  '198.20.0.0',
  '198.51.99.255',
  '198.51.101.0',
  '203.0.112.255',
  '203.0.114.0',
  '223.255.255.255',
  '8.8.8.8',
  '::ffff:8.8.8.8',
  '::ffff:808:808',
  '2000::',
  '2001:200::',
  '2001:db7:ffff:ffff:ffff:ffff:ffff:ffff',
  '2001:db9::',
  '2001:4860:4860::8888',
  '2003::',
  '2606:4700:4700::1111',
  '3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
  '3fff:1000::',
];

/** The first and the last of each special range, and what is known to be asked for by attackers. */
const SPECIAL = [
  '0.0.0.0',
  '0.255.255.255',
  '10.0.0.0',
  '10.255.255.255',
  '100.64.0.0',
  '100.100.100.200',
  '100.127.255.255',
  '127.0.0.0',
  '127.0.0.1',
  '127.255.255.255',
  '169.254.0.0',
  '169.254.169.254',
  '169.254.255.255',
  '172.16.0.0',
  '172.31.255.255',
  '192.0.0.0',
  '192.0.0.255',
  '192.0.2.0',
  '192.0.2.255',
  '192.88.99.0',
  '192.88.99.255',
  '192.168.0.0',
  '192.168.255.255',
  '198.18.0.0',
  '198.19.255.255',
  '198.51.100.0',
  '198.51.100.255',
  '203.0.113.0',
  '203.0.113.255',
  '224.0.0.0',
  '224.0.0.1',
  '239.255.255.255',
  '240.0.0.0',
  '255.255.255.255',
  '::',
  '::1',
  '::127.0.0.1',
  '::8.8.8.8',
  '::ffff:127.0.0.1',
  '::ffff:7f00:1',
  '0:0:0:0:0:ffff:a9fe:a9fe',
  '::ffff:10.0.0.1',
  '::ffff:0:8.8.8.8',
  '64:ff9b::8.8.8.8',
  '64:ff9b::a9fe:a9fe',
  '64:ff9b:1::1',
  '100::',
  '100:0:0:1::',
  '1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
  '2001::',
  '2001:0:4136:e378:8000:63bf:3fff:fdd2',
  '2001:10::1',
  '2001:20::1',
  '2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff',
  '2001:db8::',
  '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff',
  '2002::',
  '2002:7f00:1::',
  '2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
  '3fff::',
  '3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff',
  '4000::',
  '5f00::1',
  'fc00::',
  'fd00:ec2::254',
  'fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
  'fe80::',
  'fe80::1',
  'febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
  'fec0::1',
  'ff02::1',
  'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
];

const NO_ADDRESS = [
  '',
  'localhost',
  '127.1',
  '2130706433',
  '0x7f.0.0.1',
  '8.8.8.8/32',
  ' 8.8.8.8',
  '[2606:4700:4700::1111]',
  '2606:4700:4700::1111%eth0',
  'fe80::1%lo',
];

describe('an address that notifications are sent to [SEC-9]', () => {
  it.each(PUBLIC)('may be %s', (address) => {
    expect(isAllowedAddress(address, STRICT)).toBe(true);
  });

  it.each([...SPECIAL, ...NO_ADDRESS])('may not be %p', (address) => {
    expect(isAllowedAddress(address, STRICT)).toBe(false);
  });
});

describe('the addresses that the server allows', () => {
  it.each([
    ['10.1.0.0/16', ['10.1.0.0', '10.1.255.255', '::ffff:10.1.2.3'], ['10.0.255.255', '10.2.0.0', 'fd00::1']],
    ['10.1.2.3/16', ['10.1.0.0', '10.1.255.255'], ['10.0.255.255', '10.2.0.0']],
    ['10.1.2.3', ['10.1.2.3'], ['10.1.2.2', '10.1.2.4']],
    ['127.0.0.2', ['127.0.0.2'], ['127.0.0.1', '::1']],
    ['0.0.0.0/0', ['127.0.0.1', '255.255.255.255'], ['::1', 'fd00::1']],
    ['fd00::/8', ['fd00::', 'fdff::1'], ['fc00::1', 'fe80::1', '10.0.0.1']],
    ['FD00:0::5', ['fd00::5', 'FD00:0:0::5'], ['fd00::4']],
    ['::/0', ['::1', 'fd00::1'], ['127.0.0.1', '10.0.0.1', '::ffff:10.0.0.1', 'fe80::1%lo']],
  ])('%s: go before the special ranges, and no further', (range, allowed, denied) => {
    const rules = { ...STRICT, allowedAddresses: ['192.168.7.7', range] };
    expect(allowed.filter((address) => !isAllowedAddress(address, rules))).toEqual([]);
    expect(denied.filter((address) => isAllowedAddress(address, rules))).toEqual([]);
    expect(isAllowedAddress('8.8.8.8', rules)).toBe(true);
    expect(isAllowedAddress('192.168.7.7', rules)).toBe(true);
  });

  it('are the loopback interface’s with allowLoopback, and nothing else then', () => {
    const rules = { ...STRICT, allowLoopback: true };
    const allowed = [...SPECIAL, ...NO_ADDRESS].filter((address) => isAllowedAddress(address, rules));
    expect(allowed).toEqual([
      '127.0.0.0',
      '127.0.0.1',
      '127.255.255.255',
      '::1',
      '::ffff:127.0.0.1',
      '::ffff:7f00:1',
    ]);
    expect(allowed.every(isLoopback)).toBe(true);
    expect([...PUBLIC, 'localhost', '0.0.0.0', '::'].some(isLoopback)).toBe(false);
  });
});
