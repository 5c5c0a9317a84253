import type { Browser, Route } from 'playwright-core';
import { startRedis, type TestRedis } from '../support/redis-server.js';
import { ExampleServer, runClient } from './example-server.js';
import { closePages, complaints, openBrowser, PhonePage, TillPage } from './pages.js';
import { isCutOff, Pictures } from './pictures.js';

/** The least that a picture of a whole page has, in bytes. */
const A_PICTURE = 10_000;

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

  test('says first what it runs on, and nothing that is a warning of ours', () => {
    expect(server.firstLine).toMatch(
      storage === 'Redis' ? /^The identity server runs on Redis at 127/ : /runs on memory/,
    );
    expect(server.output).not.toMatch(/NOTICE|development-only/);
  });

  test('a till asks, the phone shows it at once, and its yes gives the till its tokens', async () => {
    const [till, phone] = await open();
    await phone.signIn('Alice Archer');

    const message = await till.ask({ amount: '12.5' });
    expect(message).toMatch(/^Pay 12\.50 EUR, till 4, code [2-9A-Z]{4}$/);
    const prompt = await phone.prompt(message);
    expect(prompt).toContain('Corner shop till asks you');
    expect(prompt).toMatch(/Amount12\.50 EUR/);
    expect(prompt).toMatch(/ToCorner shop/);
    expect(prompt).toContain('Know that it is youSee your name');
    expect(prompt).toMatch(/[45]:\d\d left to decide/);
    await till.state('Waiting');
    await till.logged(/400.*authorization_pending.*next in \d+ s/s);
    expect(await isCutOff(till.page)).toBe(false);
    expect(await isCutOff(phone.page)).toBe(false);
    expect(await pictures.pair(browser, 'till-and-phone', till.page, phone.page)).toBeGreaterThan(A_PICTURE);

    await phone.decide(message, 'Approve');
    await phone.became(message, 'Approved');
    await till.state('Approved');
    await till.logged(/200.*tokens/s);
    expect(await till.idToken('header')).toMatchObject({ alg: 'RS256' });
    expect(await till.idToken('payload')).toMatchObject({
      iss: server.origin,
      aud: 'till-poll',
      sub: 'alice',
      name: 'Alice Archer',
      acr: 'urn:example:phone',
      amr: ['pop'],
      auth_time: expect.any(Number),
    });
    expect(await pictures.take(till.page, `${storage}-till-approved`)).toBeGreaterThan(A_PICTURE);
    await till.page.setViewportSize({ width: 390, height: 844 });
    expect(await isCutOff(till.page)).toBe(false);
    expect(await pictures.take(till.page, `${storage}-till-narrow`)).toBeGreaterThan(A_PICTURE);
    expect(await pictures.take(phone.page, `${storage}-phone-approved`)).toBeGreaterThan(A_PICTURE);
  });

  test('a no gives the till no tokens', async () => {
    const [till, phone] = await open('dark');
    await phone.page.getByRole('button', { name: 'Alice Archer' }).waitFor();
    expect(await pictures.take(phone.page, `${storage}-phone-signed-out`)).toBeGreaterThan(A_PICTURE);
    expect(await pictures.take(till.page, `${storage}-till-new`)).toBeGreaterThan(A_PICTURE);
    await phone.signIn('Alice Archer');
    await phone.isEmpty();
    expect(await pictures.take(phone.page, `${storage}-phone-empty`)).toBeGreaterThan(A_PICTURE);

    const message = await till.ask({ amount: '99' });
    await phone.prompt(message);
    expect(await pictures.take(phone.page, `${storage}-phone-asked`)).toBeGreaterThan(A_PICTURE);
    await phone.decide(message, 'Deny');
    await phone.became(message, 'Denied');
    await till.state('Denied');
    await till.logged(/400.*access_denied/s);
    expect(await till.page.locator('#tokens').textContent()).toBe('');
    expect(await pictures.take(till.page, `${storage}-till-denied`)).toBeGreaterThan(A_PICTURE);
  });

  test('a phone shows its own person’s requests alone', async () => {
    const [till, phone] = await open();
    await phone.signIn('Bob Brook');
    const secondTill = await TillPage.open({ browser, origin: server.origin });

    const forAlice = await till.ask({ who: 'Alice Archer' });
    const forBob = await secondTill.ask({ who: 'Bob Brook' });
    await phone.prompt(forBob);
    expect(await phone.prompts()).toEqual([forBob]);
    expect(await phone.page.textContent('body')).not.toContain(forAlice);
  });

  test('what the till takes back leaves the phone', async () => {
    const [till, phone] = await open();
    await phone.signIn('Bob Brook');
    const message = await till.ask({ who: 'Bob Brook' });
    await phone.prompt(message);
    await till.page.getByRole('button', { name: 'Cancel' }).click();
    await phone.became(message, 'Taken back');
    await till.page.getByRole('button', { name: 'Ask for the payment' }).waitFor();
  });

  test('a till that takes back what was approved at that moment shows its tokens all the same', async () => {
    const [till, phone] = await open();
    await phone.signIn('Bob Brook');
    const message = await till.ask({ who: 'Bob Brook' });
    await phone.prompt(message);
    const underWay = new Promise<Route>((resolve) => void till.page.route('**/till/cancel', resolve));
    await till.page.getByRole('button', { name: 'Cancel' }).click();
    const cancel = await underWay;
    await phone.decide(message, 'Approve');
    await till.state('Approved');

    const refused = till.page.waitForResponse('**/till/cancel');
    await cancel.continue();
    expect((await refused).ok()).toBe(false);
    await (await refused).finished();
    // What the page does with the answer is done before what it is asked next.
    await till.page.evaluate(() => new Promise((resolve) => setTimeout(resolve)));
    await till.state('Approved');
    expect(await till.idToken('payload')).toMatchObject({ sub: 'bob' });
  });

  test('a program with a key of its own gets tokens, and checks them', async () => {
    const run = await runClient('smart-home', { ISSUER: server.origin, AUTO_APPROVE: '1' });
    expect(run.output).toContain('Poll 1: 400 authorization_pending');
    expect(run.output).toContain(
      `Verified the ID Token: sub=alice acr=urn:example:demo iss=${server.origin}`,
    );
    expect(run.output).toContain('Userinfo says: Alice Archer');
    expect(run.code).toBe(0);
  });

  test('it ends in order with pages open', async () => {
    const phone = await PhonePage.open({ browser, origin: server.origin });
    await phone.signIn('Alice Archer');
    expect(await server.stop()).toBe(0);
    await phone.page.getByText('The connection is lost').waitFor();
  });

  async function open(scheme: 'light' | 'dark' = 'light'): Promise<[TillPage, PhonePage]> {
    const place = { browser, origin: server.origin, scheme };
    return Promise.all([TillPage.open(place), PhonePage.open(place)]);
  }
});

test('a phone on another process shows what a till asked on this one', async () => {
  const env = { REDIS_URL: redis.url };
  const one = await ExampleServer.start(env);
  const other = await ExampleServer.start({ ...env, ISSUER: one.origin });
  try {
    const till = await TillPage.open({ browser, origin: one.origin });
    const phone = await PhonePage.open({ browser, origin: other.origin });
    await phone.signIn('Bob Brook');
    const message = await till.ask({ who: 'Bob Brook', amount: '7' });
    await phone.prompt(message);
    await phone.decide(message, 'Approve');
    await till.state('Approved');
    expect(await till.idToken('payload')).toMatchObject({ iss: one.origin, sub: 'bob' });
  } finally {
    await Promise.all([one.stop(), other.stop()]);
  }
});

test('while Redis hangs nothing is decided, and everybody is told; then it goes on', async () => {
  const server = await ExampleServer.start({ REDIS_URL: redis.url });
  try {
    const phone = await PhonePage.open({ browser, origin: server.origin });
    await phone.signIn('Bob Brook');
    const { auth_req_id: id } = (await server.ask({ login_hint: 'bob', binding_message: 'Before' })).body;
    await phone.prompt('Before');
    const trouble = phone.page.getByText('The server cannot look for requests now');

    redis.pause();
    expect(await server.decide(id, 'allow')).toMatchObject({
      status: 503,
      body: { error: 'temporarily_unavailable' },
    });
    await trouble.waitFor();
    redis.resume();
    await trouble.waitFor({ state: 'hidden' });
    complaints.length = 0;

    await phone.decide('Before', 'Approve');
    await phone.became('Before', 'Approved');
    expect(await server.poll(String(id))).toMatchObject({ status: 200 });
  } finally {
    redis.resume();
    await server.stop();
  }
});

test('a script decides in the place of the person, but not in production', async () => {
  const server = await ExampleServer.start();
  const production = await ExampleServer.start({ NODE_ENV: 'production' });
  try {
    const { auth_req_id: id } = (await server.ask()).body;
    expect(await server.decide(id, 'perhaps')).toMatchObject({ status: 400 });
    expect(await server.decide('unknown', 'allow')).toMatchObject({ status: 404 });
    expect(await server.decide(id, 'deny')).toMatchObject({ status: 204 });
    expect(await server.decide(id, 'allow')).toMatchObject({
      status: 409,
      body: { error: 'already_decided', outcome: 'denied' },
    });

    const asked = await production.ask();
    expect(asked.status).toBe(200);
    expect(await production.decide(asked.body['auth_req_id'], 'allow')).toMatchObject({
      status: 404,
      body: { error: 'not_found' },
    });
  } finally {
    await Promise.all([server.stop(), production.stop()]);
  }
});

test('a person is not asked for a sixth thing by one client, unless the limits are off', async () => {
  const server = await ExampleServer.start();
  const unlimited = await ExampleServer.start({ LIMITS: 'off' });
  try {
    expect(await sixTimes(() => server.ask())).toEqual([...Array(5).fill(200), 403]);
    expect((await server.ask({ login_hint: 'bob@example.com' })).status).toBe(200);
    expect(await sixTimes(() => unlimited.ask())).toEqual(Array(6).fill(200));
  } finally {
    await Promise.all([server.stop(), unlimited.stop()]);
  }
});

async function sixTimes(ask: () => Promise<{ status: number }>): Promise<number[]> {
  const statuses: number[] = [];
  for (let time = 0; time < 6; time += 1) statuses.push((await ask()).status);
  return statuses;
}
