import { type ChildProcess, fork } from 'node:child_process';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { pollClient } from '../support/configuration.js';
import { onEveryStore } from '../support/every-store.js';
import type { Order, Push } from '../support/push-receiver-process.js';
import type { PluginServer } from '../support/server.js';
import { until } from '../support/until.js';

const PROGRAM = fileURLToPath(new URL('../support/push-receiver-process.ts', import.meta.url));
const TSCONFIG = fileURLToPath(new URL('../tsconfig.json', import.meta.url));

const ALGORITHMS = ['RS256', 'PS256', 'ES256', 'ES384'] as const;
type Algorithm = (typeof ALGORITHMS)[number];

const jwk = ({ privateKey }: { privateKey: KeyObject }) => privateKey.export({ format: 'jwk' });
const keys = [
  jwk(generateKeyPairSync('rsa', { modulusLength: 2048 })),
  jwk(generateKeyPairSync('ec', { namedCurve: 'P-256' })),
  jwk(generateKeyPairSync('ec', { namedCurve: 'P-384' })),
];

let child: ChildProcess;
let receiver: string;

beforeAll(async () => {
  child = fork(PROGRAM, {
    execArgv: ['--import', 'tsx'],
    env: { ...process.env, NODE_OPTIONS: '', TSX_TSCONFIG_PATH: TSCONFIG },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const [port] = await once(child, 'message');
  receiver = `http://127.0.0.1:${port}`;
});
afterAll(async () => {
  child.disconnect();
  await once(child, 'exit');
});

async function pushTo(authorization: string | undefined, body: string): Promise<[number, string]> {
  const headers = { ...(authorization && { authorization }), 'content-type': 'application/json' };
  const response = await fetch(`${receiver}/notify`, { method: 'POST', headers, body });
  return [response.status, await response.text()];
}

async function arrivedFor(authReqId: string): Promise<Push[]> {
  const pushes = (await (await fetch(`${receiver}/pushes`)).json()) as Push[];
  return pushes.filter(({ body }) => JSON.parse(body).auth_req_id === authReqId);
}

onEveryStore('a receiver in a process of its own', (make) => {
  let listener: HttpServer;
  let issuer: string;
  let server: PluginServer;

  beforeEach(async () => {
    listener = createServer().listen(0, '127.0.0.1');
    await once(listener, 'listening');
    issuer = `http://127.0.0.1:${(listener.address() as AddressInfo).port}`;
    const clients = ALGORITHMS.map((algorithm) =>
      pollClient(algorithm, {
        backchannel_token_delivery_mode: 'push' as 'ping',
        backchannel_client_notification_endpoint: `${receiver}/notify`,
        id_token_signed_response_alg: algorithm,
      }),
    );
    server = make({
      issuer,
      config: {
        clients,
        jwks: { keys: keys as never },
        enabledJWA: { idTokenSigningAlgValues: [...ALGORITHMS] },
      },
      hooks: { deliveryModes: ['push'] },
      ciba: { delivery: { allowLoopback: true } },
    });
    listener.on('request', server.app);
  });
  afterEach(() => {
    listener.closeAllConnections();
    listener.close();
  });

  async function asked(algorithm: Algorithm, more: Partial<Order> = {}): Promise<string> {
    const order: Order = { issuer, clientId: algorithm, algorithm, scope: 'openid offline_access', ...more };
    const response = await fetch(`${receiver}/ask`, { method: 'POST', body: JSON.stringify(order) });
    const answer = await response.text();
    if (response.status !== 200) throw new Error(answer);
    return answer;
  }

  async function pushed(algorithm: Algorithm, more: Partial<Order> = {}): Promise<Push> {
    const id = await asked(algorithm, more);
    await server.approve(id);
    await until('the push is there', async () => (await arrivedFor(id)).length > 0);
    const [push] = await arrivedFor(id);
    return push as Push;
  }

  test.each(ALGORITHMS)(
    'an ID Token signed with %s is believed [PUSH-1, PUSH-2, PUSH-3, PUSH-4]',
    async (algorithm) => {
      const push = await pushed(algorithm);
      expect(push.refusal).toBeUndefined();
      expect(JSON.parse(push.body)).toMatchObject({
        token_type: 'Bearer',
        refresh_token: expect.any(String),
      });
    },
  );

  test('without a refresh token there is nothing of one in the ID Token [PUSH-4]', async () => {
    const push = await pushed('ES256', { scope: 'openid' });
    expect(push.refusal).toBeUndefined();
    expect(JSON.parse(push.body)).not.toHaveProperty('refresh_token');
  });

  test('what was pushed works at the server', async () => {
    const { body } = await pushed('ES256');
    const headers = { authorization: `Bearer ${JSON.parse(body).access_token}` };
    expect(await (await fetch(`${issuer}/me`, { headers })).json()).toEqual({ sub: 'alice' });
  });

  describe('the same receiver, given a push that it has believed', () => {
    const CLAIM = 'urn:openid:params:jwt:claim:';
    let mine: Push;
    let other: Push;

    beforeEach(async () => {
      [mine, other] = await Promise.all([pushed('ES256'), pushed('ES256')]);
    });

    test('believes it again', async () => {
      expect(await pushTo(mine.authorization, mine.body)).toEqual([204, '']);
    });

    test.each([
      ['access_token', 'at_hash'],
      ['refresh_token', `${CLAIM}rt_hash`],
      ['id_token', 'at_hash'],
    ])('refuses it with the %s of another push [PUSH-2, PUSH-4]', async (member, reason) => {
      const body = { ...JSON.parse(mine.body), [member]: JSON.parse(other.body)[member] };
      expect(await pushTo(mine.authorization, JSON.stringify(body))).toEqual([400, reason]);
    });

    test('refuses it as the answer to another request [PUSH-3]', async () => {
      const body = { ...JSON.parse(mine.body), auth_req_id: JSON.parse(other.body).auth_req_id };
      expect(await pushTo(other.authorization, JSON.stringify(body))).toEqual([400, `${CLAIM}auth_req_id`]);
    });

    test.each([
      ['of another request', () => other.authorization],
      ['left out', () => undefined],
    ])('refuses it with a bearer token %s [PUSH-1]', async (_what, authorization) => {
      expect(await pushTo(authorization(), mine.body)).toEqual([400, 'bearer token']);
    });
  });

  test('the same receiver refuses an ID Token that is not signed as it has registered', async () => {
    expect((await pushed('RS256', { algorithm: 'PS256' })).refusal).toBe('id_token');
  });
});
