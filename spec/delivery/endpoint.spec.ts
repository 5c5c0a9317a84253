import { type EndpointRules, endpointProblem } from '../../lib/delivery/endpoint.js';

const STRICT: EndpointRules = { allowedAddresses: [], allowedPorts: [443], allowLoopback: false };

const NOT_A_URL = 'must be an absolute https URL';
const USER = 'must not have a user name or password';
const FRAGMENT = 'must not have a fragment';
const PORT = 'must be on port 443';
const ADDRESS = 'must be on a public address';
const NAME = 'must be on a host with a full public name';

describe('a notification endpoint [REG-6] [REG-7]', () => {
  it.each([
    'https://client.example/cb',
    'https://client.example',
    'HTTPS://CLIENT.example:443/cb?tenant=7&x=%23',
    'https://client.example./cb',
    'https://a-b.c_d.client.example/@cb:8',
    'https://xn--bcher-kva.example/cb',
    'https://bücher.example/cb',
    'https://8.8.8.8/cb',
    'https://11.0.0.1/cb',
    'https://172.32.0.1/cb',
    'https://100.63.255.255/cb',
    'https://[2606:4700:4700::1111]/cb',
    'https://mylocal.example/cb',
    'https://local.client.example/cb',
    'https://notlocalhost.example/cb',
    'https://xtest.dev/cb',
    `https://client.example/${'x'.repeat(2048 - 23)}`,
  ])('may be %s', (endpoint) => {
    expect(endpointProblem(endpoint, STRICT)).toBeUndefined();
  });

  it.each([
    // What is no https URL, or is one to some readers only.
    ['', NOT_A_URL],
    ['/cb', NOT_A_URL],
    ['client.example/cb', NOT_A_URL],
    ['//client.example/cb', NOT_A_URL],
    ['http://client.example/cb', NOT_A_URL],
    ['ftp://client.example/cb', NOT_A_URL],
    ['file:///etc/passwd', NOT_A_URL],
    ['javascript:alert(1)', NOT_A_URL],
    ['gopher://client.example/', NOT_A_URL],
    ['wss://client.example/', NOT_A_URL],
    ['https:', NOT_A_URL],
    ['https://', NOT_A_URL],
    ['https:///client.example/cb', NOT_A_URL],
    ['https:client.example/cb', NOT_A_URL],
    ['https:/client.example/cb', NOT_A_URL],
    ['https:\\\\client.example\\cb', NOT_A_URL],
    ['https://client.example\\@10.0.0.1/', NOT_A_URL],
    [' https://client.example/cb', NOT_A_URL],
    ['https://client.example/cb\n', NOT_A_URL],
    ['https://cli\tent.example/cb', NOT_A_URL],
    ['https://client.example/c b', NOT_A_URL],
    ['https://client.example/\u0000', NOT_A_URL],
    ['https://:443/', NOT_A_URL],
    ['https://256.1.1.1/', NOT_A_URL],
    ['https://1.2.3.4.5/', NOT_A_URL],
    ['https://[::1/', NOT_A_URL],
    ['https://[fe80::1%25eth0]/', NOT_A_URL],
    ['https://client.example:99999/', NOT_A_URL],
    [`https://client.example/${'x'.repeat(2048 - 22)}`, 'must not be longer than 2048 characters'],
    // Parts that it must not have.
    ['https://user:secret@client.example/cb', USER],
    ['https://user@client.example/cb', USER],
    ['https://@client.example/cb', USER],
    ['https://:@client.example/cb', USER],
    ['https://client.example@10.0.0.1/cb', USER],
    ['https://client.example/cb#part', FRAGMENT],
    ['https://client.example/cb#', FRAGMENT],
    ['https://client.example:22/cb', PORT],
    ['https://client.example:25/cb', PORT],
    ['https://client.example:80/cb', PORT],
    ['https://client.example:6379/cb', PORT],
    ['https://client.example:8443/cb', PORT],
    ['https://client.example:0/cb', PORT],
    // Loopback, by every spelling.
    ['https://127.0.0.1/', ADDRESS],
    ['https://127.1/', ADDRESS],
    ['https://0/', ADDRESS],
    ['https://2130706433/', ADDRESS],
    ['https://0x7f.1/', ADDRESS],
    ['https://0x7f000001/', ADDRESS],
    ['https://0177.0.0.1/', ADDRESS],
    ['https://017700000001/', ADDRESS],
    ['https://127.0.0.1./', ADDRESS],
    ['https://127.0.0.1:8443/', ADDRESS],
    ['https://%31%32%37.0.0.1/', ADDRESS],
    ['https://１２７.０.０.１/', ADDRESS],
    ['https://①②⑦.⓪.⓪.①/', ADDRESS],
    ['https://127。0。0。1/', ADDRESS],
    ['https://[::1]/', ADDRESS],
    ['https://[::]/', ADDRESS],
    ['https://[0:0:0:0:0:0:0:1]/', ADDRESS],
    ['https://[::ffff:127.0.0.1]/', ADDRESS],
    ['https://[::ffff:7f00:1]/', ADDRESS],
    ['https://[::127.0.0.1]/', ADDRESS],
    // Cloud metadata, private networks, what leads into them, and what is no host's address.
    ['https://169.254.169.254/latest/meta-data/', ADDRESS],
    ['https://[fd00:ec2::254]/', ADDRESS],
    ['https://100.100.100.200/', ADDRESS],
    ['https://10.0.0.1/', ADDRESS],
    ['https://172.16.0.1/', ADDRESS],
    ['https://172.31.255.255/', ADDRESS],
    ['https://192.168.1.1/', ADDRESS],
    ['https://100.64.0.0/', ADDRESS],
    ['https://[fc00::1]/', ADDRESS],
    ['https://[fe80::1]/', ADDRESS],
    ['https://[64:ff9b::a9fe:a9fe]/', ADDRESS],
    ['https://[2002:7f00:1::]/', ADDRESS],
    ['https://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/', ADDRESS],
    ['https://224.0.0.1/', ADDRESS],
    ['https://[ff02::1]/', ADDRESS],
    ['https://255.255.255.255/', ADDRESS],
    ['https://240.0.0.1/', ADDRESS],
    ['https://0.0.0.0/', ADDRESS],
    // Names that mean something in this network only.
    ['https://localhost/', NAME],
    ['https://localhost./', NAME],
    ['https://LOCALHOST/', NAME],
    ['https://ⓛocalhost/', NAME],
    ['https://app.localhost/', NAME],
    ['https://localhost.localdomain/', NAME],
    ['https://printer.local/', NAME],
    ['https://printer.local./', NAME],
    ['https://printer。local/', NAME],
    ['https://metadata.google.internal/', NAME],
    ['https://metadata/', NAME],
    ['https://redis:443/', NAME],
    ['https://wiki.intranet/', NAME],
    ['https://wiki.corp/', NAME],
    ['https://nas.home/', NAME],
    ['https://nas.home.arpa/', NAME],
    ['https://nas.lan/', NAME],
    ['https://hidden.onion/', NAME],
    ['https://x.invalid/', NAME],
    ['https://x.test/', NAME],
    ['https://client.example../', NAME],
    ['https://client..example/', NAME],
    ['https://.client.example/', NAME],
    ['https://-client.example/', NAME],
    ['https://cli!ent.example/', NAME],
    [`https://${'x'.repeat(64)}.example/`, NAME],
    [`https://${'x.'.repeat(124)}example/`, NAME],
  ])('may not be %j: it %s', (endpoint, problem) => {
    expect(endpointProblem(endpoint, STRICT)).toBe(problem);
  });
});

describe('what the server allows', () => {
  it.each([
    [{ allowedPorts: [443, 8443] }, 'https://client.example:8443/cb', undefined],
    [{ allowedPorts: [443, 8443] }, 'https://client.example/cb', undefined],
    [{ allowedPorts: [443, 8443] }, 'https://client.example:80/cb', 'must be on port 443 or 8443'],
    [{ allowedPorts: [8443] }, 'https://client.example/cb', 'must be on port 8443'],
    [{ allowedPorts: 'any' }, 'https://client.example:6379/cb', undefined],
    [{ allowedPorts: 'any' }, 'https://client.example:0/cb', 'must not be on port 0'],
    [{ allowedPorts: 'any' }, 'https://127.0.0.1:6379/cb', ADDRESS],
    [{ allowedAddresses: ['10.1.0.0/16'] }, 'https://10.1.2.3/cb', undefined],
    [{ allowedAddresses: ['10.1.0.0/16'] }, 'https://[::ffff:10.1.2.3]/cb', undefined],
    [{ allowedAddresses: ['10.1.0.0/16'] }, 'https://10.2.0.1/cb', ADDRESS],
    [{ allowedAddresses: ['10.1.0.0/16'] }, 'https://10.1.2.3:8443/cb', PORT],
    [{ allowedAddresses: ['10.1.0.0/16'] }, 'http://10.1.2.3:443/cb', NOT_A_URL],
    [{ allowedAddresses: ['fd00::/8'] }, 'https://[fd12::1]/cb', undefined],
    [{ allowedAddresses: ['127.0.0.1'] }, 'http://127.0.0.1:443/cb', NOT_A_URL],
    [{ allowedAddresses: ['127.0.0.1'] }, 'https://localhost/cb', NAME],
  ] as const)('by %j: %s is answered %p', (allowed, endpoint, problem) => {
    expect(endpointProblem(endpoint, { ...STRICT, ...allowed })).toBe(problem);
  });

  it.each([
    ['https://127.0.0.1/cb', undefined],
    ['https://127.1:8443/cb', undefined],
    ['http://127.0.0.1/cb', undefined],
    ['http://127.0.0.2:3000/cb', undefined],
    ['http://localhost:3000/cb', undefined],
    ['http://LOCALHOST.:3000/cb', undefined],
    ['https://app.localhost:3000/cb', undefined],
    ['http://[::1]:3000/cb', undefined],
    ['http://[::ffff:127.0.0.1]:3000/cb', undefined],
    ['http://user@localhost:3000/cb', USER],
    ['http://localhost:3000/cb#part', FRAGMENT],
    ['http://client.example/cb', NOT_A_URL],
    ['http://localhost.example/cb', NOT_A_URL],
    ['http://10.0.0.1/cb', NOT_A_URL],
    ['http://0.0.0.0:3000/cb', NOT_A_URL],
    ['https://0.0.0.0:3000/cb', ADDRESS],
    ['https://[::]:3000/cb', ADDRESS],
    ['https://10.0.0.1/cb', ADDRESS],
    ['https://client.example:3000/cb', PORT],
    ['https://redis/cb', NAME],
  ])('by allowLoopback: %s is answered %p', (endpoint, problem) => {
    expect(endpointProblem(endpoint, { ...STRICT, allowLoopback: true })).toBe(problem);
  });
});
