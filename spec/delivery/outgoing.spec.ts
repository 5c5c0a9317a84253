import { execFile } from 'node:child_process';
import { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { jest } from '@jest/globals';
import {
  type Authority,
  type Certificate,
  makeAuthority,
  makeSelfSigned,
} from '../../example-app/fapi/certificates.js';
import type { Lookup } from '../../lib/delivery/lookup.js';
import {
  type Answer,
  Outgoing,
  type OutgoingParts,
  type OutgoingRules,
} from '../../lib/delivery/outgoing.js';
import {
  countConnects,
  drip,
  flood,
  hang,
  largeBody,
  type Receiver,
  type ReceiverOptions,
  raw,
  reset,
  type Script,
  startReceiver,
  status,
} from '../support/receiver.js';
import { until } from '../support/until.js';

const BEARER = '8d67dc78-7faa-4d41-aabd-67707b374255';
const BODY = '{"auth_req_id":"1c266114-a1be-4252-8ad1-04986c5b9ac1"}';
const REFUSED = { kind: 'refused', reason: 'must be on a public address' };
const STRICT: OutgoingRules = {
  allowedAddresses: [],
  allowedPorts: [443],
  allowLoopback: false,
  ca: undefined,
};
/** Long enough for a busy machine: where a time matters, the spec says it. */
const AMPLE = 60_000;

const outgoings: Outgoing[] = [];
const receivers: Receiver[] = [];
let authority: Authority;
let certificate: Certificate;

beforeAll(async () => {
  authority = await makeAuthority();
  certificate = await authority.issue(['client.example', 'localhost', '127.0.0.1', '::1']);
});

afterEach(async () => {
  jest.restoreAllMocks();
  for (const outgoing of outgoings.splice(0)) outgoing.close();
  await Promise.all(receivers.splice(0).map((receiver) => receiver.close()));
});

function outgoing(rules: Partial<OutgoingRules> = {}, parts: OutgoingParts = {}): Outgoing {
  const made = new Outgoing({ ...STRICT, ca: authority.ca, ...rules }, { connectWithin: AMPLE, ...parts });
  outgoings.push(made);
  return made;
}

/** One that may send to this machine. */
const near = (parts: OutgoingParts = {}): Outgoing => outgoing({ allowLoopback: true }, parts);

async function receiver(options: ReceiverOptions = {}): Promise<Receiver> {
  const started = await startReceiver({ certificate, ...options });
  receivers.push(started);
  return started;
}

/** Posts, and sees to it that no secret is in what comes of it. */
async function post(from: Outgoing, endpoint: string, within = AMPLE): Promise<Answer> {
  const answer = await from.post(endpoint, { bearer: BEARER, body: BODY, within });
  expect(JSON.stringify(answer)).not.toMatch(/8d67dc78|1c266114/);
  return answer;
}

const answered = (code: number, retryAfter?: number): Answer => ({
  kind: 'answered',
  status: code,
  retryAfter,
});
const failed = (reason: string, detail: unknown = expect.any(String)) => ({ kind: 'failed', reason, detail });
const found = (...addresses: readonly string[]): Lookup => {
  return async () => addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
};

describe('what is sent', () => {
  it('is one POST with the token and the body, and no header that is not needed [PING-1] [PING-2] [PING-3]', async () => {
    const to = await receiver();
    const body = '{"auth_req_id":"ü"}';
    const answer = await near().post(`${to.url}?tenant=7`, { bearer: BEARER, body, within: AMPLE });
    expect(answer).toEqual(answered(204));
    expect(to.received).toEqual([
      expect.objectContaining({ method: 'POST', path: '/notify?tenant=7', body }),
    ]);
    expect(to.received[0]?.rawHeaders).toEqual([
      ...['host', `127.0.0.1:${to.port}`],
      ...['content-type', 'application/json'],
      ...['content-length', '20'],
      ...['authorization', `Bearer ${BEARER}`],
      ...['connection', 'close'],
    ]);
  });

  it('goes over a connection of its own each time, and takes no cookie along [PING-11]', async () => {
    const to = await receiver();
    to.answer(status(200, { 'set-cookie': 'session=1', connection: 'keep-alive' }, 'noted'));
    const from = near();
    for (const _ of [1, 2, 3]) expect(await post(from, to.url)).toEqual(answered(200));
    expect(to.connections).toBe(3);
    expect(to.received.map(({ headers }) => headers.cookie)).toEqual([undefined, undefined, undefined]);
    await until('every connection is closed', () => to.open === 0);
  });

  it('keeps the tokens of messages under way apart [PING-2]', async () => {
    const to = await receiver();
    const from = near();
    const sent = Array.from({ length: 10 }, (_, at) => ({ bearer: `token-${at}`, body: `{"at":${at}}` }));
    await Promise.all(sent.map((message) => from.post(to.url, { ...message, within: AMPLE })));
    const got = to.received.map(({ headers, body }) => `${headers.authorization} ${body}`).sort();
    expect(got).toEqual(sent.map(({ bearer, body }) => `Bearer ${bearer} ${body}`));
  });

  it('may have a body of 256 KiB, and none that is larger', async () => {
    const to = await receiver();
    const message = { bearer: BEARER, body: 'x'.repeat(256 * 1024), within: AMPLE };
    expect(await near().post(to.url, message)).toEqual(answered(204));
    expect(to.received[0]?.body).toHaveLength(256 * 1024);
    await expect(near().post(to.url, { ...message, body: `${message.body}x` })).rejects.toThrow(RangeError);
    expect(to.connections).toBe(1);
  });

  it('carries the host without the dot that ends a full name', async () => {
    const to = await receiver();
    const from = outgoing(
      { allowedAddresses: ['127.0.0.1'], allowedPorts: [to.port] },
      { lookup: found('127.0.0.1') },
    );
    expect(await post(from, `https://client.example.:${to.port}/`)).toEqual(answered(204));
    expect(to.received[0]?.headers.host).toBe(`client.example:${to.port}`);
  });

  it('goes to a development server on this machine, with http and by name', async () => {
    const to = await receiver({ certificate: undefined });
    const from = near({ lookup: found('127.0.0.1') });
    expect(await post(from, to.url)).toEqual(answered(204));
    expect(await post(from, `http://localhost:${to.port}/`)).toEqual(answered(204));
    expect(to.received).toHaveLength(2);
  });
});

describe('an answer', () => {
  it.each([200, 201, 202, 204, 299, 304, 400, 401, 403, 404, 405, 408, 410, 425, 429, 500, 502, 503])(
    'with %i is told as it is, and asked for once [PING-4] [PING-6]',
    async (code) => {
      const to = await receiver();
      to.answer(status(code));
      expect(await post(near(), to.url)).toEqual(answered(code));
      expect(to.received).toHaveLength(1);
      expect(to.connections).toBe(1);
    },
  );

  it.each([301, 302, 303, 307, 308])(
    'that redirects (%i) is not followed [PING-5] [PUSH-5]',
    async (code) => {
      const [to, target] = [await receiver(), await receiver()];
      to.answer(status(code, { location: target.url }));
      const begun = await countConnects(async () => {
        expect(await post(near(), to.url)).toEqual(answered(code));
      });
      expect({ begun, received: to.received.length, followed: target.connections }).toEqual({
        begun: 1,
        received: 1,
        followed: 0,
      });
    },
  );

  it.each([
    ['0', 0],
    ['7', 7],
    ['00120', 120],
    ['86400', 86_400],
    ['86401', 86_400],
    ['9'.repeat(400), 86_400],
    ['-1', undefined],
    ['1.5', undefined],
    ['1e3', undefined],
    ['soon', undefined],
    ['', undefined],
    ['2030-01-01T00:00:00Z', undefined],
    ['Thu, 01 Jan 1970 00:00:00 GMT', 0],
    ['Fri, 31 Dec 9999 23:59:59 GMT', 86_400],
    ['Fri, 99 Foo 9999 23:59:59 GMT', undefined],
  ])('with Retry-After %j asks to wait %p seconds', async (value, retryAfter) => {
    const to = await receiver();
    to.answer(status(503, { 'retry-after': value }));
    expect(await post(near(), to.url)).toEqual(answered(503, retryAfter));
  });

  it('with a Retry-After date asks to wait until then', async () => {
    const to = await receiver();
    to.answer(status(429, { 'retry-after': new Date(Date.now() + 3_600_000).toUTCString() }));
    const answer = await post(near(), to.url);
    expect(answer).toEqual(answered(429, expect.any(Number) as never));
    const { retryAfter } = answer as { retryAfter: number };
    expect(retryAfter).toBeLessThanOrEqual(3_600);
    expect(retryAfter).toBeGreaterThan(3_000);
  });

  it('is known before its body, of which no more than a part is read [PING-4] [PING-11]', async () => {
    const to = await receiver();
    const script = largeBody(64 * 1024 * 1024);
    to.answer(script);
    expect(await post(near(), to.url)).toEqual(answered(200));
    await until('the connection is closed', () => to.open === 0);
    expect(script.sent).toBeLessThan(4 * 1024 * 1024);
  });

  it('whose body never ends is not waited for [PING-4] [PING-11]', async () => {
    const to = await receiver();
    to.answer(drip(`HTTP/1.1 200 OK\r\ncontent-length: 99999\r\n\r\n${'x'.repeat(99_999)}`, 1));
    expect(await post(near(), to.url, 600_000)).toEqual(answered(200));
    await until('the connection is closed', () => to.open === 0);
  });

  const ok = 'HTTP/1.1 200 OK\r\n';
  it.each<readonly [string, Script]>([
    ['a body', status(200, { 'content-type': 'text/html' }, '<script>alert(1)</script>')],
    ['a compressed body', status(200, { 'content-encoding': 'gzip' }, gzipSync(Buffer.alloc(9e6)))],
    ['a body that only says to be compressed', status(200, { 'content-encoding': 'gzip' }, 'no')],
    ['something behind it', raw(`${ok}content-length: 2\r\n\r\nokHTTP/1.1 500 Oh\r\n\r\n\u0000\u0001`)],
    ['a body cut short', raw(`${ok}content-length: 100\r\n\r\nok`)],
    ['a broken body', raw(`${ok}transfer-encoding: chunked\r\n\r\nno chunk\r\n`)],
    ['a body without an end', raw(`${ok}\r\nok`)],
    ['hints before it', raw(`HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n${ok}content-length: 0\r\n\r\n`)],
    ['a 100 before it', raw(`HTTP/1.1 100 Continue\r\n\r\n${ok}content-length: 0\r\n\r\n`)],
  ])('with %s is an answer [PING-4] [PUSH-5]', async (_what, script) => {
    const to = await receiver();
    to.answer(script);
    expect(await post(near(), to.url)).toEqual(answered(200));
    expect(to.connections).toBe(1);
    await until('the connection is closed', () => to.open === 0);
  });

  it.each<readonly [string, Script]>([
    ['endless headers', flood(ok, `x-filler: ${'x'.repeat(1_000)}\r\n`)],
    ['one endless header', flood(`${ok}x-filler: `, 'x'.repeat(1_000))],
    ['10000 headers', raw(`${ok}${'x: 1\r\n'.repeat(10_000)}\r\n`)],
    ['an endless status line', flood('HTTP/1.1 200 ', 'x'.repeat(1_000))],
    ['something else than HTTP', raw('220 mail.example ESMTP\r\n')],
    ['an older HTTP', raw('<html>it works</html>')],
    ['two lengths', raw(`${ok}content-length: 1\r\ncontent-length: 2\r\n\r\nok`)],
    [
      'a change of protocol',
      raw('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n'),
    ],
    ['hints for ever', flood('', 'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n')],
    ['nothing', raw('')],
    ['a broken connection', reset()],
  ])('that is %s is none [PING-11]', async (_what, script) => {
    const to = await receiver();
    to.answer(script);
    expect(await post(near(), to.url)).toEqual(failed('connection'));
    await until('the connection is closed', () => to.open === 0);
  });
});

describe('time', () => {
  it.each<readonly [string, Script]>([
    ['never answers', hang()],
    ['answers byte by byte', drip(`HTTP/1.1 200 OK\r\nx-filler: ${'x'.repeat(9_999)}\r\n\r\n`, 20)],
  ])('is up for an endpoint that %s [PING-11]', async (_what, script) => {
    const to = await receiver();
    to.answer(script);
    expect(await post(near(), to.url, 200)).toEqual(failed('timeout', '200 ms'));
    await until('the connection is closed', () => to.open === 0);
  });

  it('is up for an endpoint that takes connections and does not speak TLS with them [PING-11]', async () => {
    const to = await receiver({ greeting: 'silence' });
    expect(await post(near({ connectWithin: 100 }), to.url, 600_000)).toEqual(failed('timeout', '100 ms'));
    expect(await post(near(), to.url, 100)).toEqual(failed('timeout', '100 ms'));
    await until('the connection is closed', () => to.open === 0);
  });

  it('to connect is not time to answer', async () => {
    const to = await receiver();
    to.answer((response) => setTimeout(() => response.writeHead(204).end(), 1_200));
    expect(await post(near({ connectWithin: 1_000 }), to.url)).toEqual(answered(204));
  });

  it('is up for a name that is not found in time, and it is not connected to later [PING-11]', async () => {
    const to = await receiver();
    let find = (_addresses: { address: string; family: number }[]): void => {};
    const lookup: Lookup = () =>
      new Promise((resolve) => {
        find = resolve;
      });
    const begun = await countConnects(async () => {
      const endpoint = `https://localhost:${to.port}/`;
      expect(await post(near({ lookup, connectWithin: 100 }), endpoint)).toEqual(failed('timeout', '100 ms'));
      find([{ address: '127.0.0.1', family: 4 }]);
      await new Promise(setImmediate);
    });
    expect(begun).toBe(0);
  });
});

describe('a connection', () => {
  const certificates: Readonly<Record<string, () => Promise<ReceiverOptions>>> = {
    'is self-signed': async () => ({ certificate: await makeSelfSigned() }),
    'has expired': async () => ({ certificate: await authority.issue(undefined, { from: -3, to: -2 }) }),
    'is not valid yet': async () => ({ certificate: await authority.issue(undefined, { from: 2, to: 3 }) }),
    'has another name': async () => ({ certificate: await authority.issue(['other.example', '127.0.0.2']) }),
    'has the name only as the common name of its subject': async () => ({
      certificate: await authority.issue([]),
    }),
    'is from an authority that is not trusted': async () => ({
      certificate: await (await makeAuthority()).issue(),
    }),
  };
  it.each(Object.entries(certificates))(
    'to a server whose certificate %s fails, and nothing is sent [PING-1] [PING-11] [PUSH-10]',
    async (_what, options) => {
      const to = await receiver(await options());
      const from = outgoing({ allowLoopback: true }, { lookup: found('127.0.0.1') });
      for (const endpoint of [to.url, `https://localhost:${to.port}/`]) {
        expect(await post(from, endpoint)).toEqual(failed('tls'));
      }
      expect({ received: to.received, connections: to.connections }).toEqual({
        received: [],
        connections: 2,
      });
    },
  );

  it('to a server whose certificate only Node’s own authorities could vouch for fails', async () => {
    const to = await receiver();
    expect(await post(outgoing({ allowLoopback: true, ca: undefined }), to.url)).toEqual(failed('tls'));
  });

  it('trusts any of several authorities', async () => {
    const to = await receiver();
    const other = await makeAuthority();
    expect(await post(outgoing({ allowLoopback: true, ca: [other.ca, authority.ca] }), to.url)).toEqual(
      answered(204),
    );
  });

  it('over TLS 1.1 fails, over TLS 1.2 and 1.3 it does not [PING-11]', async () => {
    const reached: Record<string, unknown> = {};
    for (const version of ['TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const) {
      const tls = { minVersion: 'TLSv1', maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0' } as const;
      const to = await receiver({ tls });
      const answer = await post(near(), to.url);
      reached[version] = answer.kind === 'failed' ? answer.reason : answer.kind;
    }
    expect(reached).toEqual({ 'TLSv1.1': 'tls', 'TLSv1.2': 'answered', 'TLSv1.3': 'answered' });
  });

  it('to a server that speaks something else than TLS fails, and never goes on without', async () => {
    for (const options of [{ greeting: 'garbage' }, { certificate: undefined }] as const) {
      const to = await receiver(options);
      expect(await post(near(), `https://127.0.0.1:${to.port}/`)).toEqual(failed('tls'));
      expect(to.received).toEqual([]);
    }
  });

  it('that is broken off while it is made fails', async () => {
    const to = await receiver({ greeting: 'reset' });
    expect(await post(near(), to.url)).toEqual(failed('connection', 'ECONNRESET'));
  });

  it('to where nobody listens fails', async () => {
    const to = await receiver();
    await to.close();
    receivers.splice(0);
    expect(await post(near(), to.url)).toEqual(failed('connection', 'ECONNREFUSED'));
  });

  it('is made to the next address where nobody listens on the first', async () => {
    const to = await receiver();
    const lookup = found('127.0.0.2', '127.0.0.1');
    expect(await post(near({ lookup }), `https://localhost:${to.port}/`)).toEqual(answered(204));
  });

  it('is not made for a name that is not found', async () => {
    for (const code of ['ENOTFOUND', 'EAI_AGAIN', 'ESERVFAIL']) {
      const lookup = () => Promise.reject(Object.assign(new Error(`${code} client.example`), { code }));
      const answer = post(outgoing({}, { lookup }), 'https://client.example/cb');
      expect(await answer).toEqual(failed('dns', code));
    }
    expect(await post(outgoing({}, { lookup: found() }), 'https://client.example/')).toEqual(
      failed('dns', 'ENODATA'),
    );
    expect(await post(outgoing(), `https://${'x'.repeat(63)}.${'x'.repeat(63)}.example/`)).toEqual(
      failed('dns'),
    );
  });
});

describe('an endpoint that is not allowed', () => {
  it.each([
    'https://127.0.0.1:PORT/',
    'https://127.1:PORT/',
    'https://0:PORT/',
    'https://2130706433:PORT/',
    'https://0x7f.1:PORT/',
    'https://0177.0.0.1:PORT/',
    'https://１２７.０.０.１:PORT/',
    'https://127.0.0.1.:PORT/',
    'https://[::ffff:127.0.0.1]:PORT/',
    'https://[::ffff:7f00:1]:PORT/',
    'https://[::127.0.0.1]:PORT/',
    'https://[::1]:PORT/',
    'https://[::]:PORT/',
    'https://169.254.169.254:PORT/',
    'https://[fd00:ec2::254]:PORT/',
    'https://10.0.0.1:PORT/',
    'https://[64:ff9b::7f00:1]:PORT/',
    'https://[2002:7f00:1::]:PORT/',
    'https://localhost:PORT/',
    'https://app.localhost.:PORT/',
    'https://metadata.google.internal:PORT/',
    'https://user:secret@client.example:PORT/',
    'https://client.example:PORT/#part',
    'https://client.example:22/',
    'http://127.0.0.1:PORT/',
    'http://client.example:PORT/',
    'ftp://client.example/',
    'https://',
    '',
  ])('is judged again when it is sent to, and not connected to: %s [PING-11] [SEC-9]', async (spelling) => {
    const to = await receiver();
    const rules = { allowedPorts: [443, to.port] };
    const from = outgoing(rules, { lookup: found('127.0.0.1') });
    const begun = await countConnects(async () => {
      const answer = await post(from, spelling.replace('PORT', String(to.port)));
      expect(answer).toEqual({ kind: 'refused', reason: expect.stringMatching(/^must (be|not have) /) });
    });
    expect({ begun, accepted: to.connections }).toEqual({ begun: 0, accepted: 0 });
  });

  it.each([
    ['loopback', ['127.0.0.1']],
    ['a private network', ['10.0.0.1']],
    ['cloud metadata', ['169.254.169.254']],
    ['a private network in IPv6 only', ['fd00::1']],
    ['loopback in IPv6 only', ['::1']],
    ['loopback mapped to IPv6', ['::ffff:127.0.0.1']],
    ['loopback behind NAT64', ['64:ff9b::7f00:1']],
    ['an interface of this machine', ['fe80::1%lo']],
    ['an allowed address, and then a private one', ['127.0.0.9', '10.0.0.1']],
    ['a private address, and then an allowed one', ['10.0.0.1', '127.0.0.9']],
    ['an allowed address, and a private one in IPv6', ['127.0.0.9', '::1']],
    ['something else than an address', ['redis']],
  ])('by the name of %s is not connected to [PING-11] [SEC-9]', async (_what, addresses) => {
    const to = await receiver();
    const rules = { allowedPorts: [to.port], allowedAddresses: ['127.0.0.9'] };
    const from = outgoing(rules, { lookup: found(...addresses) });
    const begun = await countConnects(async () => {
      expect(await post(from, `https://client.example:${to.port}/`)).toEqual(REFUSED);
    });
    expect({ begun, accepted: to.connections }).toEqual({ begun: 0, accepted: 0 });
  });

  it('by the name localhost leads to this machine only, whatever else is allowed', async () => {
    const rules = { allowLoopback: true, allowedAddresses: ['10.0.0.0/8'] };
    for (const addresses of [['10.0.0.1'], ['127.0.0.1', '10.0.0.1'], ['8.8.8.8']]) {
      const from = outgoing(rules, { lookup: found(...addresses) });
      for (const host of ['localhost', 'app.localhost']) {
        const begun = await countConnects(async () => {
          expect(await post(from, `https://${host}/`)).toEqual(REFUSED);
        });
        expect(begun).toBe(0);
      }
    }
  });

  it('by a name that changes its addresses is looked up once a message, and what was checked is connected to [PING-11] [SEC-9]', async () => {
    const to = await receiver();
    const given = [['127.0.0.1'], ['10.0.0.1'], ['127.0.0.1'], ['127.0.0.1', '10.0.0.1']];
    const asked: string[] = [];
    const lookup: Lookup = (hostname, signal) =>
      found(...(given[asked.push(hostname) - 1] ?? []))(hostname, signal);
    const from = outgoing({ allowedPorts: [to.port], allowedAddresses: ['127.0.0.1'] }, { lookup });
    const answers: Answer[] = [];
    const begun = await countConnects(async () => {
      for (const _ of given) answers.push(await post(from, `https://client.example:${to.port}/`));
    });
    expect(answers).toEqual([answered(204), REFUSED, answered(204), REFUSED]);
    expect({ asked: asked.length, begun, received: to.received.length }).toEqual({
      asked: 4,
      begun: 2,
      received: 2,
    });
  });

  it('is told apart by the address that was read, not by one that is read later', async () => {
    const to = await receiver();
    let reads = 0;
    const changing = {
      family: 4,
      get address() {
        reads += 1;
        return reads === 1 ? '127.0.0.1' : '10.0.0.1';
      },
    };
    const from = outgoing(
      { allowedPorts: [to.port], allowedAddresses: ['127.0.0.1'] },
      { lookup: async () => [changing] },
    );
    expect(await post(from, `https://client.example:${to.port}/`)).toEqual(answered(204));
    expect(reads).toBe(1);
  });

  it('gets nothing where the connection has come to another address than was asked for [SEC-9]', async () => {
    const to = await receiver();
    const { connect } = Socket.prototype;
    jest.spyOn(Socket.prototype, 'connect').mockImplementation(function (
      this: Socket,
      ...[options, ...rest]
    ) {
      return Reflect.apply(connect, this, [Object.assign({}, options, { host: '127.0.0.1' }), ...rest]);
    });
    const from = outgoing({ allowedPorts: [to.port] });
    expect(await post(from, `https://8.8.8.8:${to.port}/`)).toEqual(REFUSED);
    expect(to.connections).toBe(1);
    await until('the connection is closed', () => to.open === 0);
    expect(to.received).toEqual([]);
  });
});

describe('closing', () => {
  it('ends what is under way, and nothing is sent afterwards', async () => {
    const to = await receiver();
    to.answer(hang());
    const from = near();
    const answers = Promise.all([1, 2, 3].map(() => post(from, to.url)));
    await until('three messages are there', () => to.received.length === 3);
    from.close();
    const closed = failed('connection', 'closed');
    expect(await answers).toEqual([closed, closed, closed]);
    await until('every connection is closed', () => to.open === 0);
    expect(await post(from, to.url)).toEqual(closed);
    expect(to.connections).toBe(3);
    from.close();
  });
});

describe('what a process sets for all of its connections', () => {
  /** Sends with {@link Outgoing} and with Node's own client, in a process of its own: here, jest stands before `process.env`. */
  async function inProcess(setup: string, env: Readonly<Record<string, string>>, to: Receiver) {
    const module = new URL('../../lib/delivery/outgoing.ts', import.meta.url);
    const program = `
      import { createRequire } from 'node:module';
      const [http, https, tls, net] = ['http', 'https', 'tls', 'net'].map(createRequire(${JSON.stringify(module)}));
      ${setup}
      const { Outgoing } = await import(${JSON.stringify(module)});
      const rules = { allowedAddresses: [], allowedPorts: [443], allowLoopback: true, ca: process.env.SPEC_CA };
      const message = { bearer: 'token', body: '{}', within: ${AMPLE} };
      const ours = await new Outgoing(rules, { connectWithin: ${AMPLE} }).post('${to.url}', message);
      const plain = await new Promise((resolve) => {
        const request = https.request('${to.url}', { method: 'POST' }, ({ statusCode }) => resolve(statusCode));
        request.on('error', ({ code }) => resolve(code)).end();
      });
      console.log(JSON.stringify({ ours, plain }));
      process.exit();
    `;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--import', 'tsx', '--input-type=module', '--eval', program],
      {
        cwd: fileURLToPath(new URL('../..', import.meta.url)),
        env: { ...process.env, NODE_OPTIONS: '', NODE_NO_WARNINGS: '1', SPEC_CA: authority.ca, ...env },
      },
    );
    return JSON.parse(stdout) as { readonly ours: Answer; readonly plain: unknown };
  }

  it('NODE_TLS_REJECT_UNAUTHORIZED does not make it trust anybody [PING-1] [PING-11]', async () => {
    const to = await receiver({ certificate: await makeSelfSigned() });
    const { ours, plain } = await inProcess('', { NODE_TLS_REJECT_UNAUTHORIZED: '0' }, to);
    expect({ ours, plain }).toEqual({ ours: failed('tls'), plain: 204 });
    expect(to.received.map(({ headers }) => headers.authorization)).toEqual([undefined]);
  });

  it('proxy variables do not lead it elsewhere, nor do their credentials leave [PING-11]', async () => {
    const [to, proxy] = [await receiver(), await receiver({ certificate: undefined })];
    const address = `http://user:secret@127.0.0.1:${proxy.port}`;
    const names = ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'http_proxy', 'https_proxy', 'all_proxy'];
    const proxies = Object.fromEntries(names.map((name) => [name, address]));
    const { ours } = await inProcess('', { ...proxies, NO_PROXY: '', NODE_USE_ENV_PROXY: '1' }, to);
    expect(ours).toEqual({ kind: 'answered', status: 204 });
    expect(to.received[0]?.headers['proxy-authorization']).toBeUndefined();
    // On a Node that obeys these variables, its own client goes there; ours was first.
    expect(to.received[0]?.headers.authorization).toBe('Bearer token');
    expect(proxy.received.map(({ headers }) => headers.authorization)).not.toContain('Bearer token');
  });

  it('global agents are not asked [PING-11]', async () => {
    const [to, elsewhere] = [await receiver(), await receiver()];
    const setup = `
      for (const [module, client] of [[http, net], [https, tls]]) {
        module.globalAgent = new (class extends module.Agent {
          createConnection(options, ...rest) {
            return client.connect({ ...options, port: ${elsewhere.port}, rejectUnauthorized: false }, ...rest);
          }
        })({ keepAlive: true });
      }
    `;
    const { ours, plain } = await inProcess(setup, {}, to);
    expect({ ours, plain }).toEqual({ ours: { kind: 'answered', status: 204 }, plain: 204 });
    expect([to.received.length, elsewhere.received.length]).toEqual([1, 1]);
    expect(to.received[0]?.headers.authorization).toBe('Bearer token');
  });

  it('neither a global dispatcher nor a global fetch is asked [PING-11]', async () => {
    const to = await receiver();
    const setup = `
      const asked = () => { throw new Error('asked'); };
      globalThis[Symbol.for('undici.globalDispatcher.1')] = { dispatch: asked, close: asked, destroy: asked };
      globalThis.fetch = asked;
    `;
    const { ours } = await inProcess(setup, {}, to);
    expect(ours).toEqual({ kind: 'answered', status: 204 });
  });

  it('a lower TLS version and weaker ciphers do not count [PING-11]', async () => {
    const tlsOptions = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    const to = await receiver({ tls: tlsOptions });
    const setup = `tls.DEFAULT_MIN_VERSION = 'TLSv1'; tls.DEFAULT_CIPHERS = 'DEFAULT@SECLEVEL=0';`;
    const { ours, plain } = await inProcess(setup, { NODE_TLS_REJECT_UNAUTHORIZED: '0' }, to);
    expect({ ours, plain }).toEqual({ ours: failed('tls'), plain: 204 });
  });

  it('a forgiving HTTP parser is not used [PING-11]', async () => {
    const to = await receiver();
    to.answer(raw('HTTP/1.1 200 OK\r\nx-control: a\u0001b\r\ncontent-length: 0\r\n\r\n'));
    const env = { NODE_OPTIONS: '--insecure-http-parser', NODE_TLS_REJECT_UNAUTHORIZED: '0' };
    const { ours, plain } = await inProcess('', env, to);
    expect({ ours, plain }).toEqual({ ours: failed('connection'), plain: 200 });
  });
});
