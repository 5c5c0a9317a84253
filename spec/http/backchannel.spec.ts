import { type Make, onEveryStore } from '../support/every-store.js';
import { ask, asked, poll } from '../support/server.js';

onEveryStore('the acknowledgement', (make: Make) => {
  it('is JSON with three members, and never cached [ACK-1] [ACK-5] [ACK-6] [ACK-7] [HTTP-8] [HTTP-9]', async () => {
    const { status, headers, body } = await ask(make());
    expect(status).toBe(200);
    expect(headers['content-type']).toMatch(/^application\/json/);
    expect(headers['cache-control']).toContain('no-store');
    expect(body).toEqual({ auth_req_id: expect.any(String), expires_in: 300, interval: 5 });
  });

  it('holds an auth_req_id that cannot be guessed, another each time [ACK-2] [ACK-3] [ACK-4]', async () => {
    const server = make({ ciba: { limits: false } });
    const ids = new Set<string>();
    for (let count = 0; count < 20; count++) ids.add(await asked(server));
    expect(ids.size).toBe(20);
    for (const id of ids) expect(id).toMatch(/^[A-Za-z0-9._-]{43,}$/);
  });

  it.each([
    ['the scope in another order', '[REQ-4]', { scope: 'profile openid' }],
    ['an empty parameter', '[HTTP-5]', { login_hint_token: '' }],
    ['a parameter that nobody knows', '[HTTP-6]', { foo: 'bar' }],
    ['parameters of the redirect flow', '[REQ-21]', { nonce: 'n', state: 's', prompt: 'login' }],
    ['acr_values', '[REQ-11]', { acr_values: 'urn:example:gold urn:example:silver' }],
    ['a notification token of a poll client', '[REQ-10]', { client_notification_token: 'a-token' }],
  ])('comes to a request with %s %s', async (_what, _ids, params) => {
    expect((await ask(make(), params)).status).toBe(200);
  });

  it('comes before anybody decides, and the person sees who asks for what [ACK-8] [HINT-1] [UX-2]', async () => {
    const server = make();
    const authReqId = await asked(server, {
      scope: 'openid profile',
      binding_message: 'W4SCT',
      acr_values: 'urn:example:gold',
    });
    expect(await server.ciba.requests.list('bob')).toEqual([]);
    expect(await server.ciba.requests.list('alice')).toEqual([
      expect.objectContaining({
        handle: server.ciba.requests.handleOf(authReqId),
        status: 'pending',
        clientId: 'till',
        clientName: 'The till',
        scope: 'openid profile',
        bindingMessage: 'W4SCT',
        acrValues: ['urn:example:gold'],
      }),
    ]);
  });
});

onEveryStore('the life of a request', (make) => {
  it.each([
    ['10', 10],
    ['300', 300],
    ['599', 599],
    ['600', 600],
    ['601', 600],
    ['86401', 600],
    ['9007199254740991', 600],
  ])(
    'requested_expiry=%s gives %i seconds [REQ-16] [REQ-17] [REQ-18]',
    async (requestedExpiry, expiresIn) => {
      const server = make();
      expect((await ask(server, { requested_expiry: requestedExpiry })).body.expires_in).toBe(expiresIn);
      const [request] = await server.ciba.requests.list('alice');
      expect(request?.expiresIn).toBeLessThanOrEqual(expiresIn);
      expect(request?.expiresIn).toBeGreaterThan(expiresIn - 10);
    },
  );

  it('is what the options say', async () => {
    const server = make({ ciba: { defaultExpiry: 30, maxExpiry: 40, interval: 7 }, config: { ttl: {} } });
    expect((await ask(server)).body).toMatchObject({ expires_in: 30, interval: 7 });
    expect((await ask(server, { requested_expiry: '50' })).body.expires_in).toBe(40);
  });

  it('and its interval follow the client’s own settings: ciba_polling_interval, ciba_default_expiry, ciba_max_expiry', async () => {
    const server = make();
    const patient = { client: 'patient' };
    const { body } = await ask(server, {}, patient);
    expect(body).toMatchObject({ expires_in: 60, interval: 20 });
    expect((await ask(server, { requested_expiry: '90' }, patient)).body.expires_in).toBe(90);
    expect((await ask(server, { requested_expiry: '500' }, patient)).body.expires_in).toBe(120);

    await poll(server, body.auth_req_id, {}, patient);
    server.advance(15);
    expect((await poll(server, body.auth_req_id, {}, patient)).body.error).toBe('slow_down');
  });

  it('a client’s ciba_max_expiry may be above the server’s', async () => {
    const { pollClient } = await import('../support/configuration.js');
    const server = make({ config: { clients: [pollClient('till', { ciba_max_expiry: 3600 })] } });
    expect((await ask(server, { requested_expiry: '3000' })).body.expires_in).toBe(3000);
  });
});

onEveryStore('the user code', (make, redis) => {
  const coder = { client: 'coder' };

  it('is accepted when it is right, and is neither stored nor shown [UC-9]', async () => {
    const server = make({
      ciba: { verifyUserCode: (accountId, code) => accountId === 'alice' && code === 'swordfish' },
    });
    const authReqId = await asked(server, { user_code: 'swordfish' }, coder);
    const handle = server.ciba.requests.handleOf(authReqId);
    expect(JSON.stringify([await server.ciba.requests.get(handle), server.events])).not.toContain(
      'swordfish',
    );
    const dump = await dumpOf(redis()?.client(), server.prefix);
    expect(dump).not.toMatch(/swordfish/);
    expect(dump.includes(handle)).toBe(redis() !== undefined);
    expect(dump.includes(authReqId)).toBe(false);
  });

  it('is not looked at when the client is not registered for it, and is not stored then either [UC-1]', async () => {
    const asks: string[] = [];
    const server = make({ ciba: { verifyUserCode: (_accountId, code) => asks.push(code) < 0 } });
    await asked(server, { user_code: 'swordfish' });
    expect(asks).toEqual([]);
    expect(await dumpOf(redis()?.client(), server.prefix)).not.toMatch(/swordfish/);
  });
});

/** Everything that is under a prefix. */
async function dumpOf(client: import('ioredis').Redis | undefined, prefix: string): Promise<string> {
  if (!client) return '';
  const keys = await client.keys(`${prefix}*`);
  const values = await Promise.all(
    keys.map(async (key) =>
      (await client.type(key)) === 'hash' ? client.hgetall(key) : client.zrange(key, 0, '-1'),
    ),
  );
  return JSON.stringify([keys, values]);
}
