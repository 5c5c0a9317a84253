import { inspect } from 'node:util';
import { CibaError } from 'oidc-provider-ciba';
import request from 'supertest';
import { pollClient, webClient } from '../support/configuration.js';
import { onEveryStore } from '../support/every-store.js';
import { ask, asked, CIBA_GRANT, type PluginServer, pluginServer, poll } from '../support/server.js';
import { until } from '../support/until.js';

const config = { clients: [pollClient('till'), pollClient('matcher', { ciba_number_matching: true })] };
const ciba = { authenticateDecision: () => ({ accountId: 'alice' }) };

/** A request of the client whose person gives the number on its screen. */
async function shown(server: PluginServer) {
  const { status, body } = await ask(server, {}, { client: 'matcher' });
  expect(status).toBe(200);
  const { auth_req_id: id, matching_number: number } = body as Record<string, string>;
  const other = number === '10' ? '11' : '10';
  return { id: String(id), number: String(number), other, handle: server.ciba.requests.handleOf(String(id)) };
}

const codeOf = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'approved',
    (error: unknown) => (error instanceof CibaError ? error.code : String(error)),
  );

const named = (server: PluginServer, name: string) =>
  server.events.filter((event) => event.name === name).map(({ event }) => event);

onEveryStore('the number on the asking screen', (make) => {
  it('is two digits, in the acknowledgement of a client that asks for it, and in no other [SEC-1]', async () => {
    const server = make({ config, ciba: { limits: false } });
    const numbers = new Set<string>();
    for (let count = 0; count < 30; count++) {
      const { number } = await shown(server);
      expect(number).toMatch(/^[1-9][0-9]$/);
      numbers.add(number);
    }
    expect(numbers.size).toBeGreaterThan(5);
    expect((await ask(server)).body).toEqual({
      auth_req_id: expect.any(String),
      expires_in: 300,
      interval: 5,
    });
  });

  it('given with the approval, lets it pass', async () => {
    const server = make({ config });
    const { id, handle, number } = await shown(server);
    await server.approve(id, { number: ` ${number} ` });
    expect(await server.ciba.requests.get(handle)).toMatchObject({
      status: 'approved',
      numberMatching: true,
      numberMatched: true,
    });
    expect(named(server, 'request.approved')).toEqual([expect.objectContaining({ numberMatched: true })]);
    expect((await poll(server, id, {}, { client: 'matcher' })).status).toBe(200);
  });

  it('of another screen denies the request: the client hears access_denied and nothing beside it', async () => {
    const server = make({ config });
    const { id, handle, number, other } = await shown(server);
    await expect(server.approve(id, { number: other })).rejects.toMatchObject({
      code: 'wrong_number',
      outcome: 'denied',
    });
    expect(named(server, 'request.approved')).toEqual([]);
    expect(named(server, 'request.denied')).toEqual([
      { handle, clientId: 'matcher', accountId: 'alice', error: 'access_denied', wrongNumber: true },
    ]);
    expect(await server.ciba.requests.get(handle)).toMatchObject({ status: 'denied', numberMatched: false });
    const polled = await poll(server, id, {}, { client: 'matcher' });
    expect({ status: polled.status, error: polled.body.error }).toEqual({
      status: 400,
      error: 'access_denied',
    });
    expect(polled.text).not.toContain('number');
    // There is no second try.
    expect(await codeOf(server.approve(id, { number }))).toBe('already_decided');
  });

  it.each([
    ['missing', undefined],
    ['empty', ''],
    ['one digit', '7'],
    ['three digits', '123'],
    ['no digits', 'ab'],
    ['a number', 42 as never],
  ])('that is %s decides nothing', async (_what, given) => {
    const server = make({ config });
    const { id, handle, number } = await shown(server);
    expect(await codeOf(server.approve(id, { number: given }))).toBe('invalid_decision');
    expect((await server.ciba.requests.get(handle))?.status).toBe('pending');
    expect((await poll(server, id, {}, { client: 'matcher' })).body.error).toBe('authorization_pending');
    await server.approve(id, { number });
    expect((await server.ciba.requests.get(handle))?.status).toBe('approved');
  });

  it('given right and wrong at the same time: one outcome, and all hear the same', async () => {
    const server = make({ config, ciba: { limits: false } });
    for (let round = 0; round < 30; round++) {
      const { id, handle, number, other } = await shown(server);
      const tries = round % 2 ? [number, other] : [other, number];
      const codes = await Promise.all(tries.map((one) => codeOf(server.approve(id, { number: one }))));
      const [right, wrong] = round % 2 ? codes : [...codes].reverse();
      const { status } = (await server.ciba.requests.get(handle)) ?? {};
      const polled = await poll(server, id, {}, { client: 'matcher' });
      expect([right, wrong, status, polled.body.error]).toEqual(
        right === 'approved'
          ? ['approved', 'already_decided', 'approved', undefined]
          : ['already_decided', 'wrong_number', 'denied', 'access_denied'],
      );
    }
  });

  it('is not asked for with a denial', async () => {
    const server = make({ config });
    const { id } = await shown(server);
    await server.deny(id);
    expect(named(server, 'request.denied')).toEqual([expect.objectContaining({ wrongNumber: false })]);
  });

  it('is not asked for by other clients', async () => {
    const server = make({ config });
    const id = await asked(server);
    const handle = server.ciba.requests.handleOf(id);
    expect(await server.ciba.requests.get(handle)).toMatchObject({
      numberMatching: false,
      numberMatched: undefined,
    });
    await server.approve(id);
    expect(named(server, 'request.approved')).toEqual([
      expect.objectContaining({ numberMatched: undefined }),
    ]);
  });

  it('is on the asking screen only: no device, page, event or prompt has it', async () => {
    const prompts: unknown[] = [];
    const server = make({
      config,
      ciba: { ...ciba, channels: [{ name: 'inbox', send: async (prompt) => void prompts.push(prompt) }] },
    });
    const { id, handle, number } = await shown(server);
    const answers = [
      await request(server.app).get('/ciba/requests'),
      await request(server.app).get(`/ciba/requests/${handle}`),
    ];
    await until('somebody is prompted', () => prompts.length > 0);
    const view = await server.ciba.requests.get(handle);
    const listed = await server.ciba.requests.list('alice');
    const texts = [answers.map(({ body }) => body), view, listed, server.events, prompts];
    // The number itself may be part of an id or a time: what is looked for is a member that has it as its value.
    expect(valuesOf(texts).filter((value) => String(value) === number)).toEqual([]);
    expect(inspect(texts, { depth: null })).not.toMatch(/matching_number/);
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    await server.approve(id, { number });
    const after = [server.events, await server.ciba.requests.get(handle)];
    expect(valuesOf(after).filter((value) => String(value) === number)).toEqual([]);
  });

  it('is not in the tokens', async () => {
    const server = make({ config });
    const { id, number } = await shown(server);
    await server.approve(id, { number });
    const { body } = await poll(server, id, {}, { client: 'matcher' });
    const claims = JSON.parse(Buffer.from(body.id_token.split('.')[1], 'base64url').toString());
    expect(valuesOf([body, claims]).filter((value) => String(value) === number)).toEqual([]);
    expect(JSON.stringify(claims)).not.toMatch(/number/i);
  });
});

describe('the client metadata ciba_number_matching', () => {
  let server: PluginServer;
  beforeEach(() => {
    server = pluginServer({ config, features: { registration: { enabled: true } } });
  });
  afterEach(() => server.close());

  const register = (metadata: object) =>
    request(server.app)
      .post('/reg')
      .send({ grant_types: [CIBA_GRANT], backchannel_token_delivery_mode: 'poll', ...metadata });

  it('may be set by a client that registers itself: it is stricter with it', async () => {
    const { status, body } = await register({ ciba_number_matching: true });
    expect(status).toBe(201);
    expect(body.ciba_number_matching).toBe(true);
    const authorization = `Basic ${Buffer.from(`${body.client_id}:${body.client_secret}`).toString('base64')}`;
    const acknowledged = await ask(server, {}, { headers: { authorization } });
    expect(acknowledged.body.matching_number).toMatch(/^[0-9]{2}$/);
  });

  it.each(['true', 1, 0, {}, ['true']])('is true or false, and not %j', async (value) => {
    const { status, body } = await register({ ciba_number_matching: value });
    expect({ status, error: body.error }).toEqual({ status: 400, error: 'invalid_client_metadata' });
  });

  it('may be said to be false', async () => {
    const { status, body } = await register({ ciba_number_matching: false });
    expect(status).toBe(201);
    const authorization = `Basic ${Buffer.from(`${body.client_id}:${body.client_secret}`).toString('base64')}`;
    const acknowledged = await ask(server, {}, { headers: { authorization } });
    expect(acknowledged.body).not.toHaveProperty('matching_number');
  });

  it('is of no use to a client that does not use CIBA, and harms it not', async () => {
    const { status } = await register({
      redirect_uris: webClient.redirect_uris,
      grant_types: ['authorization_code'],
      backchannel_token_delivery_mode: undefined,
      ciba_number_matching: true,
    });
    expect(status).toBe(201);
  });
});

/** Every value in an object, however deep. */
function valuesOf(value: unknown): unknown[] {
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(valuesOf) : [value];
}
