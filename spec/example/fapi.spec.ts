import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { importJWK, type JWK, jwtVerify, SignJWT } from 'jose';
import { startReceiver } from '../support/receiver.js';
import { until } from '../support/until.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const GRANT = 'urn:openid:params:grant-type:ciba';
const JWT_BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

interface Answer {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  // What an endpoint answers is looked at member by member.
  readonly body: Record<string, string & number>;
}

/** The server as a process of its own, with what it has made in a folder. */
class FapiServer {
  readonly issuer: string;
  readonly #child: ChildProcess;

  private constructor(issuer: string, child: ChildProcess) {
    this.issuer = issuer;
    this.#child = child;
  }

  static async start(folder: string, env: Record<string, string> = {}): Promise<FapiServer> {
    const child = spawn(process.execPath, ['--import', 'tsx', 'example-app/fapi/server.ts'], {
      cwd: ROOT,
      env: { PATH: process.env['PATH'], PORT: '0', FAPI_FOLDER: folder, ...env },
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text));
    const issuerIn = () => /^Issuer: +(\S+)$/m.exec(output)?.[1];
    await until('the server listens', () => issuerIn() !== undefined || child.exitCode !== null);
    const issuer = issuerIn();
    if (!issuer) throw new Error(`the server did not start: ${output}`);
    return new FapiServer(issuer, child);
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGTERM');
    await ended;
  }
}

/** One of the server's clients, with its key and certificate. */
class Client {
  readonly #server: FapiServer;
  readonly #name: string;
  readonly #agent: Agent;
  readonly #jwk: JWK;

  private constructor(server: FapiServer, name: string, agent: Agent, jwk: JWK) {
    this.#server = server;
    this.#name = name;
    this.#agent = agent;
    this.#jwk = jwk;
  }

  static async of(server: FapiServer, folder: string, name: string, id: string = name): Promise<Client> {
    const read = (file: string) => readFile(join(folder, file), 'utf8');
    const [ca, cert, key, jwks] = await Promise.all(
      ['ca.pem', `${name}.cert.pem`, `${name}.key.pem`, `${name}.jwks.json`].map(read),
    );
    const { keys } = JSON.parse(String(jwks)) as { keys: JWK[] };
    return new Client(server, id, new Agent({ ca, cert, key }), keys[0] as JWK);
  }

  async ask(claims: Record<string, unknown> = {}): Promise<Answer> {
    const now = Math.floor(Date.now() / 1000);
    const jwt = await this.#sign({
      iss: this.#name,
      aud: this.#server.issuer,
      iat: now,
      nbf: now,
      exp: now + 300,
      jti: randomUUID(),
      scope: 'openid',
      login_hint: 'alice',
      binding_message: '1234',
      acr_values: 'urn:example:demo',
      ...claims,
    });
    return this.post('/backchannel', { request: jwt });
  }

  poll(authReqId: string): Promise<Answer> {
    return this.post('/token', { grant_type: GRANT, auth_req_id: authReqId });
  }

  /** Posts a form as this client. */
  async post(path: string, form: Record<string, string>): Promise<Answer> {
    const body = new URLSearchParams({ ...(await this.#credentials()), ...form }).toString();
    return this.send('POST', path, { 'content-type': 'application/x-www-form-urlencoded' }, body);
  }

  send(method: string, path: string, headers: Record<string, string> = {}, body = ''): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const sent = request(new URL(path, this.#server.issuer), { method, headers, agent: this.#agent });
      sent.on('error', reject);
      sent.on('response', async (response) => {
        const parsed = await json(response).catch(() => ({}));
        resolve({
          status: Number(response.statusCode),
          headers: response.headers,
          body: parsed as Answer['body'],
        });
      });
      sent.end(body);
    });
  }

  async #credentials(): Promise<Record<string, string>> {
    if (!this.#name.endsWith('jwt')) return { client_id: this.#name };
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      iss: this.#name,
      sub: this.#name,
      aud: this.#server.issuer,
      jti: randomUUID(),
      iat: now,
      exp: now + 60,
    };
    return { client_assertion_type: JWT_BEARER, client_assertion: await this.#sign(claims) };
  }

  async #sign(claims: Record<string, unknown>): Promise<string> {
    return new SignJWT(claims)
      .setProtectedHeader({ alg: 'PS256', kid: String(this.#jwk.kid) })
      .sign(await importJWK(this.#jwk, 'PS256'));
  }
}

let folder: string;
let server: FapiServer;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fapi-'));
  server = await FapiServer.start(folder);
});

afterAll(async () => {
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});

const decide = (client: Client, authReqId: string, action: 'allow' | 'deny') =>
  client.send('POST', `/demo/decide?auth_req_id=${authReqId}&action=${action}`);

describe.each(['poll-private-key-jwt', 'ping-private-key-jwt', 'poll-mtls', 'ping-mtls'])(
  'the client %s',
  (name) => {
    test('asks, is approved, and uses tokens bound to its certificate [FAPI-4] [FAPI-8] [FAPI-13] [FAPI-17] [DISC-9]', async () => {
      const client = await Client.of(server, folder, name);
      const token = name.startsWith('ping') ? { client_notification_token: randomUUID() } : {};
      const asked = await client.ask(token);
      expect({ status: asked.status, error: asked.body['error'] }).toEqual({ status: 200, error: undefined });
      const id = String(asked.body['auth_req_id']);
      expect((await client.poll(id)).body['error']).toBe('authorization_pending');
      expect((await decide(client, id, 'allow')).status).toBe(204);
      const tokens = await client.poll(id);
      expect({ status: tokens.status, type: tokens.body['token_type'] }).toEqual({
        status: 200,
        type: 'Bearer',
      });

      const { body: jwks } = await client.send('GET', '/jwks');
      const [key] = (jwks as unknown as { keys: JWK[] }).keys;
      const { payload } = await jwtVerify(
        String(tokens.body['id_token']),
        await importJWK(key as JWK, 'PS256'),
      );
      expect(payload).toMatchObject({ sub: 'alice', aud: name, acr: 'urn:example:demo' });

      const authorization = `Bearer ${tokens.body['access_token']}`;
      const interaction = randomUUID();
      const used = await client.send('GET', '/resource', {
        authorization,
        'x-fapi-interaction-id': interaction,
      });
      expect({ status: used.status, id: used.headers['x-fapi-interaction-id'] }).toEqual({
        status: 200,
        id: interaction,
      });
      const again = await client.send('GET', '/resource', { authorization });
      expect(again.headers['x-fapi-interaction-id']).toMatch(/^[0-9a-f-]{36}$/);
      const other = await Client.of(server, folder, name === 'poll-mtls' ? 'ping-mtls' : 'poll-mtls');
      expect((await other.send('GET', '/resource', { authorization })).status).toBe(401);
      expect((await client.poll(id)).body['error']).toBe('invalid_grant');
    });

    test('hears of a no, and is refused without a signature [FAPI-6]', async () => {
      const client = await Client.of(server, folder, name);
      const token = name.startsWith('ping') ? { client_notification_token: randomUUID() } : {};
      const { body } = await client.ask(token);
      await decide(client, String(body['auth_req_id']), 'deny');
      expect((await client.poll(String(body['auth_req_id']))).body['error']).toBe('access_denied');
      const plain = { scope: 'openid', login_hint: 'alice', binding_message: '1234', ...token };
      const refused = await client.post('/backchannel', plain);
      expect({ status: refused.status, error: refused.body['error'] }).toEqual({
        status: 400,
        error: 'invalid_request',
      });
    });
  },
);

test('discovery says what the profile asks for, and clients register themselves [DISC-9] [FAPI-3] [FAPI-12]', async () => {
  const client = await Client.of(server, folder, 'poll-mtls');
  const { body } = await client.send('GET', '/.well-known/openid-configuration');
  expect(body).toMatchObject({
    issuer: server.issuer,
    backchannel_token_delivery_modes_supported: ['poll', 'ping'],
    token_endpoint_auth_methods_supported: [
      'private_key_jwt',
      'tls_client_auth',
      'self_signed_tls_client_auth',
    ],
    tls_client_certificate_bound_access_tokens: true,
    backchannel_authentication_request_signing_alg_values_supported: ['PS256', 'ES256'],
    acr_values_supported: ['urn:example:demo'],
  });
  const weak = { grant_types: [GRANT], backchannel_token_delivery_mode: 'poll' };
  const registered = await client.send(
    'POST',
    '/reg',
    { 'content-type': 'application/json' },
    JSON.stringify(weak),
  );
  expect(registered.body['error']).toBe('invalid_client_metadata');
});

test('everything that was made lasts over a restart; other clients come from a file, and are told on this machine', async () => {
  const made = JSON.parse(await readFile(join(folder, 'made.json'), 'utf8'));
  const receiver = await startReceiver({ certificate: made.server });
  const file = join(folder, 'clients.json');
  const pinged = made.clients['ping-mtls'];
  const { kty, n, e, kid, alg, use } = pinged.jwk;
  const metadata = {
    client_id: 'from-a-file',
    grant_types: [GRANT],
    response_types: [],
    redirect_uris: [],
    backchannel_token_delivery_mode: 'ping',
    backchannel_client_notification_endpoint: receiver.url.replace('127.0.0.1', 'localhost'),
    backchannel_authentication_request_signing_alg: 'PS256',
    id_token_signed_response_alg: 'PS256',
    tls_client_certificate_bound_access_tokens: true,
    token_endpoint_auth_method: 'tls_client_auth',
    tls_client_auth_subject_dn: 'CN=ping-mtls',
    jwks: { keys: [{ kty, n, e, kid, alg, use }] },
  };
  await writeFile(file, JSON.stringify([metadata]));
  const again = await FapiServer.start(folder, { CLIENTS_FILE: file, LOOPBACK_CALLBACKS: 'on' });
  try {
    const client = await Client.of(again, folder, 'ping-mtls', 'from-a-file');
    const token = randomUUID();
    const asked = await client.ask({ client_notification_token: token });
    expect({ status: asked.status, body: asked.body }).toEqual({ status: 200, body: expect.anything() });
    await decide(client, String(asked.body['auth_req_id']), 'allow');
    await until('the client was told', () => receiver.received.length > 0);
    expect(receiver.received[0]).toMatchObject({
      headers: { authorization: `Bearer ${token}` },
      body: JSON.stringify({ auth_req_id: asked.body['auth_req_id'] }),
    });
    const { body: keys } = await client.send('GET', '/jwks');
    expect((keys as unknown as { keys: JWK[] }).keys[0]?.kid).toBe(made.signingKey.kid);
    expect((keys as unknown as { keys: JWK[] }).keys[0]?.n).toBe(made.signingKey.n);
  } finally {
    await again.stop();
    await receiver.close();
  }
});

test.each([
  ['CLIENTS_FILE', '/nowhere.json', 'CLIENTS_FILE must be a file with a JSON array'],
  ['ISSUER', 'http://localhost:3443', 'ISSUER must be an https URL'],
  ['PORT', 'none', 'PORT must be a number'],
])('says what is wrong with %s', async (name, value, sentence) => {
  await expect(FapiServer.start(folder, { [name]: value })).rejects.toThrow(sentence);
});
