import type { Browser } from 'playwright-core';
import { type Received, type Receiver, startReceiver } from '../support/receiver.js';
import { startRedis, type TestRedis } from '../support/redis-server.js';
import { until } from '../support/until.js';
import { ExampleServer } from './example-server.js';
import { closePages, complaints, openBrowser, PhonePage, TillPage } from './pages.js';
import { isCutOff, Pictures } from './pictures.js';

let browser: Browser;
let redis: TestRedis;
let pictures: Pictures;

beforeAll(async () => {
  [browser, redis, pictures] = await Promise.all([openBrowser(), startRedis(), Pictures.begin()]);
});

afterEach(async () => {
  await closePages();
  expect(complaints.splice(0)).toEqual([]);
});

afterAll(async () => {
  await browser?.close();
  await redis?.stop();
  await pictures?.end();
});

describe.each(['memory', 'Redis'])('the example on %s', (storage) => {
  let server: ExampleServer;

  beforeAll(async () => {
    server = await ExampleServer.start(storage === 'Redis' ? { REDIS_URL: redis.url } : {});
  });

  afterAll(async () => {
    await server?.stop();
  });

  test('in ping mode the till asks for its tokens once, after the server has called', async () => {
    const [till, phone] = await open();
    const message = await till.ask({ mode: 'Ping' });
    await phone.prompt(message);
    await till.page.getByText('Nothing yet: the till waits for the call.').waitFor();
    expect(await till.polls()).toBe(0);

    await phone.decide(message, 'Approve');
    await till.state('Approved');
    const { text, body } = await till.call();
    expect(text).toMatch(/POST \/demo\/callbacks\/ping.*authorizationBearer ••••••••.*application\/json/);
    expect(body).toEqual({ auth_req_id: expect.stringMatching(/^.{8}…$/) });
    await till.logged(/200.*tokens/s);
    expect(await till.polls()).toBe(1);
    expect(await till.idToken('payload')).toMatchObject({ aud: 'till-ping', sub: 'alice' });
  });

  test.each(['light', 'dark'] as const)(
    'in push mode the server’s call brings the tokens, which the till checks (%s)',
    async (scheme) => {
      const [till, phone] = await open(scheme);
      await till.page.getByLabel('Push', { exact: true }).check();
      await till.page.getByText('The server calls the till with the tokens.').waitFor();
      await look(till, `${storage}-push-${scheme}-new`);
      const message = await till.ask({ mode: 'Push', refresh: true });
      await phone.prompt(message);
      await look(till, `${storage}-push-${scheme}-waiting`);

      await phone.decide(message, 'Approve');
      await till.state('Approved');
      const { text, body } = await till.call();
      expect(text).toMatch(/POST \/demo\/callbacks\/push/);
      expect(body).toMatchObject({
        auth_req_id: expect.stringMatching(/^.{8}…$/),
        access_token: expect.stringMatching(/^.{8}…$/),
        refresh_token: expect.stringMatching(/^.{8}…$/),
        id_token: expect.stringMatching(/^.{8}…$/),
        token_type: 'Bearer',
      });
      expect(await till.idToken('header')).toMatchObject({ alg: 'RS256' });
      expect(await till.idToken('payload')).toMatchObject({
        iss: server.origin,
        aud: 'till-push',
        sub: 'alice',
        at_hash: expect.any(String),
        'urn:openid:params:jwt:claim:rt_hash': expect.any(String),
        'urn:openid:params:jwt:claim:auth_req_id': body['auth_req_id'],
      });
      expect(await till.polls()).toBe(0);
      await look(till, `${storage}-push-${scheme}-approved`);
    },
  );

  test('a no is pushed as well', async () => {
    const [till, phone] = await open();
    const message = await till.ask({ mode: 'Push' });
    await phone.prompt(message);
    await phone.decide(message, 'Deny');
    await till.state('Denied');
    expect((await till.call()).body).toMatchObject({ error: 'access_denied' });
    expect(await till.page.locator('#tokens').textContent()).toBe('');
  });

  test(`its queue ${storage === 'Redis' ? 'can' : 'cannot'} be looked at`, async () => {
    const till = await TillPage.open({ browser, origin: server.origin });
    const link = till.page.getByRole('link', { name: 'Queue' });
    if (storage === 'memory') {
      expect(await link.isVisible()).toBe(false);
      expect((await fetch(`${server.origin}/demo/queue`)).status).toBe(404);
      return;
    }
    // The board would load its font from elsewhere.
    await till.page.context().route(/googleapis/, (route) => route.abort());
    const opened = till.page.waitForEvent('popup');
    await link.click();
    const board = await opened;
    await board.getByText('deliveries').first().waitFor();
    await pictures.take(board, 'queue');
    expect(server.output).toContain(`Queue:  ${server.origin}/demo/queue\n`);
  });

  test('it ends in order while a sale waits to be called', async () => {
    const till = await TillPage.open({ browser, origin: server.origin });
    await till.ask({ mode: 'Push' });
    expect(await server.stop()).toBe(0);
  });

  async function open(scheme: 'light' | 'dark' = 'light'): Promise<[TillPage, PhonePage]> {
    const place = { browser, origin: server.origin, scheme };
    const [till, phone] = await Promise.all([TillPage.open(place), PhonePage.open(place)]);
    await phone.signIn('Alice Archer');
    return [till, phone];
  }

  /** Nothing is cut off on a phone nor on a wide screen. */
  async function look({ page }: TillPage, name: string): Promise<void> {
    for (const [size, width] of [
      ['narrow', 390],
      ['wide', 1280],
    ] as const) {
      await page.setViewportSize({ width, height: 844 });
      expect(await isCutOff(page)).toBe(false);
      await pictures.take(page, `${name}-${size}`);
    }
  }
});

test('the mode is chosen with the keyboard, and is poll at first', async () => {
  const server = await ExampleServer.start();
  try {
    const { page } = await TillPage.open({ browser, origin: server.origin });
    const chosen = () => page.locator('input[name="mode"]:checked').inputValue();
    expect(await chosen()).toBe('poll');
    await page.getByLabel('Refresh token').focus();
    await page.keyboard.press('Tab');
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    expect(await chosen()).toBe('push');
    await page.keyboard.press('ArrowLeft');
    expect(await chosen()).toBe('ping');
    await page.getByText('The server calls the till once the person has decided.').waitFor();
  } finally {
    await server.stop();
  }
});

describe('with a receiver somewhere else', () => {
  let receiver: Receiver;
  let server: ExampleServer;

  beforeAll(async () => {
    receiver = await startReceiver();
    server = await ExampleServer.start({ PING_ENDPOINT: receiver.url });
  });

  afterAll(async () => {
    await server?.stop();
    await receiver?.close();
  });

  test('that is called, and the page says so', async () => {
    const till = await TillPage.open({ browser, origin: server.origin });
    const phone = await PhonePage.open({ browser, origin: server.origin });
    await phone.signIn('Alice Archer');
    await till.page.getByLabel('Ping', { exact: true }).check();
    await till.page.locator('#mode-note').getByText(`The call goes to ${receiver.url}.`).waitFor();

    const message = await till.ask({ mode: 'Ping' });
    await till.page.locator('#awaiting').getByText(`The call goes to ${receiver.url}.`).waitFor();
    await phone.prompt(message);
    await phone.decide(message, 'Approve');
    await until('the receiver is called', () => receiver.received.length > 0);
    const [call] = receiver.received;
    expect(call?.headers.authorization).toMatch(/^Bearer [\w-]{43}$/);
    expect(JSON.parse(String(call?.body))).toEqual({ auth_req_id: expect.any(String) });
    await till.state('Waiting');
    expect(await till.polls()).toBe(0);
    expect(server.output).toContain(`Ping:   ${receiver.url}\n`);
  });

  test('what the person has approved cannot be taken back: the till says so, and gets its tokens', async () => {
    const till = await TillPage.open({ browser, origin: server.origin });
    const phone = await PhonePage.open({ browser, origin: server.origin });
    await phone.signIn('Bob Brook');
    const before = receiver.received.length;
    const message = await till.ask({ who: 'Bob Brook', mode: 'Ping' });
    await phone.decide(message, 'Approve');
    await phone.became(message, 'Approved');
    await till.page.getByRole('button', { name: 'Cancel' }).click();
    await till.state('Waiting: The request has already been approved.');

    await until('the receiver is called', () => receiver.received.length > before);
    const { headers, body } = receiver.received[before] as Received;
    const passedOn = await fetch(`${server.origin}/demo/callbacks/ping`, {
      method: 'POST',
      headers: { authorization: String(headers.authorization), 'content-type': 'application/json' },
      body,
    });
    expect(passedOn.status).toBe(204);
    await till.state('Approved');
    expect(await till.idToken('payload')).toMatchObject({ sub: 'bob' });
  });
});

test('a push about a sale on one process comes to it, whichever process sends it', async () => {
  const env = { REDIS_URL: redis.url };
  const one = await ExampleServer.start(env);
  const other = await ExampleServer.start({ ...env, ISSUER: one.origin });
  try {
    const till = await TillPage.open({ browser, origin: one.origin });
    const phone = await PhonePage.open({ browser, origin: other.origin });
    await phone.signIn('Bob Brook');
    for (const amount of ['1', '2', '3']) {
      const message = await till.ask({ who: 'Bob Brook', amount, mode: 'Push' });
      await phone.prompt(message);
      await phone.decide(message, 'Approve');
      await till.state('Approved');
      await till.page.getByRole('button', { name: 'New payment' }).click();
    }
  } finally {
    await Promise.all([one.stop(), other.stop()]);
  }
});

test('in production nobody looks at the queue', async () => {
  const server = await ExampleServer.start({ REDIS_URL: redis.url, NODE_ENV: 'production' });
  try {
    expect((await fetch(`${server.origin}/demo/queue`)).status).toBe(404);
    expect(server.output).not.toContain('Queue:');
  } finally {
    await server.stop();
  }
});
