import type { Browser } from 'playwright-core';
import { startRedis, type TestRedis } from '../support/redis-server.js';
import { giveAuthenticator } from './authenticator.js';
import { ExampleServer } from './example-server.js';
import { closePages, complaints, MailboxPage, openBrowser, PhonePage, TillPage } from './pages.js';

let browser: Browser;
let redis: TestRedis;

beforeAll(async () => {
  [browser, redis] = await Promise.all([openBrowser(), startRedis()]);
});

afterEach(async () => {
  await closePages();
  expect(complaints.splice(0)).toEqual([]);
});

afterAll(async () => {
  await browser?.close();
  await redis?.stop();
});

describe.each(['memory', 'Redis'])('passkeys on %s', (storage) => {
  let server: ExampleServer;

  beforeAll(async () => {
    server = await ExampleServer.start(storage === 'Redis' ? { REDIS_URL: redis.url } : {});
  });

  afterAll(async () => {
    await server?.stop();
  });

  test('one is added on the phone, and signs in there', async () => {
    const phone = await openWithPasskey('Alice Archer');
    await phone.page.getByRole('button', { name: 'Sign out' }).click();
    await phone.page.getByRole('button', { name: 'Sign in with a passkey' }).click();
    await phone.page.getByText('Alice Archer’s phone').waitFor();

    const till = await TillPage.open(place());
    const message = await till.ask();
    await phone.prompt(message);
    await phone.decide(message, 'Approve');
    await till.state('Approved');
    expect(await till.idToken('payload')).toMatchObject({
      sub: 'alice',
      acr: 'urn:example:passkey',
      amr: ['pop', 'user'],
    });
  });

  test('one signs in on the decision page', async () => {
    const { page } = await openWithPasskey('Bob Brook');
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('button', { name: 'Bob Brook' }).waitFor();
    const [till, mailbox] = await Promise.all([TillPage.open(place()), MailboxPage.open(place())]);
    const message = await till.ask({ who: 'Bob Brook' });
    await page.goto(await mailbox.link(message));
    await page.getByRole('button', { name: 'Use a passkey' }).click();
    await page.getByRole('heading', { name: message }).waitFor();
    await page.getByRole('button', { name: 'Approve' }).click();
    await till.state('Approved');
    expect(await till.idToken('payload')).toMatchObject({
      sub: 'bob',
      acr: 'urn:example:passkey',
      amr: ['hwk', 'user'],
    });
  });

  test('the same device has one a person', async () => {
    const { page } = await openWithPasskey('Alice Archer');
    await page.getByRole('button', { name: 'Add another' }).click();
    await page.getByText('This device has a passkey for you already.').waitFor();
  });

  test('what was answered once signs in nobody else', async () => {
    const { page } = await openWithPasskey('Alice Archer');
    await page.getByRole('button', { name: 'Sign out' }).click();
    const answering = page.waitForRequest('**/phone/passkeys/sign-in');
    await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
    const answer = await answering;
    await page.getByText('Alice Archer’s phone').waitFor();

    const { cookie = '', 'content-type': type = '' } = await answer.allHeaders();
    expect(cookie).toContain('example_challenge=');
    const replayed = await fetch(answer.url(), {
      method: 'POST',
      headers: { cookie, 'content-type': type },
      body: answer.postData(),
    });
    expect(replayed.status).toBe(400);
    expect(replayed.headers.get('set-cookie')).not.toContain('example_phone');
  });

  test('one that is not known here signs in nobody', async () => {
    const { page } = await openWithPasskey('Alice Archer');
    await page.getByRole('button', { name: 'Sign out' }).click();
    const signIn = page.getByRole('button', { name: 'Sign in with a passkey' });
    await signIn.waitFor();
    // In the page: a request of a page that has a worker is not always ours to change on its way.
    await page.evaluate(() => {
      const get = navigator.credentials.get.bind(navigator.credentials);
      navigator.credentials.get = async (options) => {
        const used = (await get(options)) as PublicKeyCredential;
        const other = { ...used.toJSON(), id: 'AAAA', rawId: 'AAAA' };
        return Object.assign(used, { toJSON: () => other });
      };
    });
    await signIn.click();
    await page.getByText('Nobody here has this passkey.').waitFor();
  });

  test('nobody adds one who is not signed in', async () => {
    const answer = await fetch(`${server.origin}/phone/passkeys/new`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{}',
    });
    expect(answer.status).toBe(401);
  });

  const place = () => ({ browser, origin: server.origin });

  /** A phone whose person is signed in and has just added a passkey. */
  async function openWithPasskey(name: string): Promise<PhonePage> {
    const phone = await PhonePage.open(place(), { before: giveAuthenticator });
    await phone.signIn(name);
    await phone.page.getByRole('button', { name: /^Add a/ }).click();
    await phone.page.getByText(/^\d+ added$/).waitFor();
    await phone.page
      .getByRole('button', { name: 'Add another' })
      .and(phone.page.locator(':enabled'))
      .waitFor();
    return phone;
  }
});

test('without a passkey of theirs people are told that none was used', async () => {
  const server = await ExampleServer.start();
  try {
    const { page } = await PhonePage.open({ browser, origin: server.origin }, { before: giveAuthenticator });
    await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
    await page.getByText('No passkey was used').waitFor();
  } finally {
    await server.stop();
  }
});
