import type { Browser, Page } from 'playwright-core';
import { checkOnEveryScreen } from '../support/accessible.js';
import { ExampleServer } from './example-server.js';
import { closePages, complaints, MailboxPage, openBrowser, PhonePage, TillPage } from './pages.js';
import { Pictures } from './pictures.js';

let browser: Browser;
let server: ExampleServer;
let pictures: Pictures;

beforeAll(async () => {
  [browser, server, pictures] = await Promise.all([openBrowser(), ExampleServer.start(), Pictures.begin()]);
});

afterEach(async () => {
  await closePages();
  expect(complaints.splice(0)).toEqual([]);
});

afterAll(async () => {
  await browser?.close();
  await server?.stop();
  await pictures?.end();
});

describe.each(['light', 'dark'] as const)('in the %s', (scheme) => {
  const place = () => ({ browser, origin: server.origin, scheme });

  test('everybody can use the pages, on the smallest phone and on a desk', async () => {
    const phone = await PhonePage.open(place());
    await phone.page.getByRole('button', { name: 'Alice Archer' }).waitFor();
    await check(phone.page, 'phone-signed-out');
    await phone.signIn('Alice Archer');
    await phone.isEmpty();
    await check(phone.page, 'phone-empty');

    const till = await TillPage.open(place());
    await till.page.getByLabel('Alice Archer').waitFor();
    await check(till.page, 'till-new');
    const message = await till.ask({ number: true });
    await till.reached('E-mail', 'Sent');
    await check(till.page, 'till-waiting');
    await phone.prompt(message);
    await check(phone.page, 'phone-asked');

    const mailbox = await MailboxPage.open(place());
    const link = await mailbox.link(message);
    await check(mailbox.page, 'mailbox');
    await phone.decide(message, 'I did not start this');
    await phone.became(message, 'Denied');
    const allow = phone.page.getByRole('button', { name: 'Allow again' });
    await allow.waitFor();
    await check(phone.page, 'phone-reported');
    await allow.click();
    await allow.waitFor({ state: 'detached' });
    await till.state('Denied');
    await check(till.page, 'till-denied');

    await phone.page.goto(link);
    await check(phone.page, 'decision-used');
    for (const path of ['/', '/phone/sign-in', '/offline.html']) {
      await phone.page.goto(server.origin + path);
      await phone.page.getByRole('heading').first().waitFor();
      await check(phone.page, path.replaceAll(/\W/g, '') || 'index');
    }
  });

  const check = (page: Page, name: string): Promise<void> =>
    checkOnEveryScreen(page, pictures, `${name}-${scheme}`);
});
