import type { Browser } from 'playwright-core';
import { ExampleServer } from './example-server.js';
import { closePages, complaints, MailboxPage, openBrowser, PhonePage, TillPage } from './pages.js';
import { Pictures } from './pictures.js';

let browser: Browser;
let server: ExampleServer;
let pictures: Pictures;

beforeAll(async () => {
  [browser, server, pictures] = await Promise.all([
    openBrowser(),
    ExampleServer.start({ LIMITS: 'off' }),
    Pictures.begin(),
  ]);
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

const place = () => ({ browser, origin: server.origin });

test('a mail comes while the page is open, and its link decides for whoever is signed in', async () => {
  const mailbox = await MailboxPage.open(place());
  await mailbox.page.getByText('No mail yet').waitFor();
  await signIn(mailbox, 'Alice Archer');
  const till = await TillPage.open(place());
  const message = await till.ask({ amount: '12.50' });
  await till.reached('E-mail', 'Sent');
  await mailbox.page.getByText(message).first().waitFor();

  const decision = await mailbox.follow(message);
  await decision.setViewportSize({ width: 390, height: 844 });
  await decision.getByRole('heading', { name: message }).waitFor();
  await pictures.pair(browser, 'mailbox-and-decision', mailbox.page, decision);
  await decision.getByRole('button', { name: 'Approve' }).click();
  await decision.getByRole('heading', { name: 'Approved' }).waitFor();
  await till.state('Approved');
  expect(await till.idToken('payload')).toMatchObject({ sub: 'alice', acr: 'urn:example:phone' });

  const again = await mailbox.follow(message);
  await again.getByText('This link has been used.').waitFor();
});

test('the mail says it as text as well, and nothing in it runs', async () => {
  const mailbox = await MailboxPage.open(place());
  const till = await TillPage.open(place());
  const message = await till.ask({ amount: '13' });
  const link = await mailbox.link(message);
  expect(link).toMatch(new RegExp(`^${server.origin}/ciba/decide/`));
  await mailbox.page.locator('#text').getByRole('link', { name: link }).waitFor();
  expect(await mailbox.page.locator('#html').getAttribute('sandbox')).not.toContain('scripts');
  await till.page.getByRole('button', { name: 'Cancel' }).click();
});

test('the mail that is being read stays open while others come', async () => {
  const mailbox = await MailboxPage.open(place());
  const [first, second] = await Promise.all([TillPage.open(place()), TillPage.open(place())]);
  const one = await first.ask({ amount: '14' });
  await mailbox.link(one);
  const mails = mailbox.page.getByRole('list').getByRole('button');
  const before = await mails.count();
  await second.ask({ amount: '15' });
  await mails.nth(before).waitFor();
  await mailbox.page.locator('#text').getByText(one).waitFor();
  for (const till of [first, second]) await till.page.getByRole('button', { name: 'Cancel' }).click();
});

test('whoever opens the link elsewhere signs in first, and comes back', async () => {
  const [till, mailbox] = await Promise.all([TillPage.open(place()), MailboxPage.open(place())]);
  const message = await till.ask({ amount: '16' });
  const { page } = await PhonePage.open(place());
  await page.goto(await mailbox.link(message));
  await page.getByRole('heading', { name: 'Sign in to see the request' }).waitFor();
  expect(await page.textContent('body')).not.toContain(message);
  await page.getByRole('link', { name: 'Sign in another way' }).click();
  await page.getByRole('heading', { name: 'Who are you?' }).waitFor();
  await page.getByRole('button', { name: 'Alice Archer' }).click();
  await page.getByRole('heading', { name: message }).waitFor();
  await page.getByRole('button', { name: 'Deny' }).click();
  await till.state('Denied');
});

test('a link from another site finds the person signed in', async () => {
  const [till, mailbox] = await Promise.all([TillPage.open(place()), MailboxPage.open(place())]);
  const phone = await PhonePage.open(place());
  await phone.signIn('Alice Archer');
  const message = await till.ask({ amount: '17' });
  const link = await mailbox.link(message);
  const { page } = phone;
  // Another host name is another site.
  const elsewhere = server.origin.replace('localhost', '127.0.0.1');
  await page.route(`${elsewhere}/webmail`, (route) =>
    route.fulfill({ contentType: 'text/html', body: `<a href="${link}">Decide</a>` }),
  );
  await page.goto(`${elsewhere}/webmail`);
  await page.getByRole('link', { name: 'Decide' }).click();
  await page.getByRole('heading', { name: message }).waitFor();
  await page.getByRole('button', { name: 'Approve' }).click();
  await till.state('Approved');
});

test('it decides for nobody else', async () => {
  const [till, mailbox] = await Promise.all([TillPage.open(place()), MailboxPage.open(place())]);
  const phone = await PhonePage.open(place());
  await phone.signIn('Bob Brook');
  const message = await till.ask({ amount: '18' });
  await phone.page.goto(await mailbox.link(message));
  await phone.page.getByRole('heading', { name: 'This is for somebody else' }).waitFor();
  expect(await phone.page.textContent('body')).not.toContain(message);
  await till.page.getByRole('button', { name: 'Cancel' }).click();
});

test.each([
  'https://elsewhere.example',
  '//elsewhere.example',
  '/\\elsewhere.example',
  '/\t/elsewhere.example',
  '/.//elsewhere.example',
  'javascript:alert(1)',
  'phone',
])('the sign-in leads to no other site: %j', async (address) => {
  const { page } = await PhonePage.open(place());
  const left: string[] = [];
  page.on('request', (request) => {
    if (request.isNavigationRequest()) left.push(new URL(request.url()).origin);
  });
  // What is led to on this site need not be there.
  await page.route(
    ({ pathname }) => pathname === '//elsewhere.example',
    (route) => route.fulfill({ contentType: 'text/html', body: '<link rel="icon" href="data:,">' }),
  );
  await page.goto(`${server.origin}/phone/sign-in?return=${encodeURIComponent(address)}`);
  const away = page.waitForURL((url) => url.pathname !== '/phone/sign-in');
  await page.getByRole('button', { name: 'Alice Archer' }).click();
  await away;
  expect([...new Set(left)]).toEqual([server.origin]);
});

test('in production there is no mailbox, and no mail is sent', async () => {
  const production = await ExampleServer.start({ NODE_ENV: 'production' });
  try {
    for (const path of ['/mailbox', '/mailbox.html', '/mailbox/events']) {
      expect((await fetch(production.origin + path)).status).toBe(404);
    }
    const till = await TillPage.open({ browser, origin: production.origin });
    await till.ask();
    await till.reached('Web push', 'Not reached');
    expect(await till.page.locator('#channels li').count()).toBe(1);
    expect(production.output).not.toContain('Mail:');
  } finally {
    await production.stop();
  }
});

/** Signs somebody in in the browser that shows the mailbox. */
async function signIn({ page }: MailboxPage, name: string): Promise<void> {
  const phone = await page.context().newPage();
  await phone.goto(`${server.origin}/phone`);
  await phone.getByRole('button', { name }).click();
  await phone.getByRole('button', { name: 'Sign out' }).waitFor();
  await phone.close();
}
