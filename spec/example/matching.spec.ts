import type { Browser } from 'playwright-core';
import { ExampleServer } from './example-server.js';
import { closePages, complaints, MailboxPage, openBrowser, PhonePage, TillPage } from './pages.js';

let browser: Browser;
let server: ExampleServer;

beforeAll(async () => {
  [browser, server] = await Promise.all([openBrowser(), ExampleServer.start()]);
});

afterEach(async () => {
  await closePages();
  expect(complaints.splice(0)).toEqual([]);
});

afterAll(async () => {
  await browser?.close();
  await server?.stop();
});

const place = () => ({ browser, origin: server.origin });

/** Two digits that are not these. */
const other = (number: string): string => String(((Number(number) - 9) % 90) + 10);

test('the number on the till approves on the phone', async () => {
  const [till, phone] = await open();
  const message = await till.ask({ number: true });
  expect(await till.number()).toMatch(/^[1-9]\d$/);
  await phone.prompt(message);
  await phone.decide(message, 'Approve');
  await phone.page.getByText('Type the two digits that the other screen shows.').waitFor();
  await phone.match(message, await till.number());
  await till.state('Approved');
  expect(await till.idToken('payload')).toMatchObject({ aud: 'till-number', sub: 'alice' });
});

test('another number denies, and the phone says so', async () => {
  const [till, phone] = await open();
  const message = await till.ask({ number: true });
  await phone.match(message, other(await till.number()));
  await phone.became(message, 'Denied');
  await phone.page.getByText('That is not the number on the other screen').waitFor();
  await till.state('Denied');
});

test('the decision page asks for it as well', async () => {
  const [till, phone] = await open();
  const mailbox = await MailboxPage.open(place());
  const { page } = phone;
  for (const [right, title] of [
    [true, 'Approved'],
    [false, 'Denied'],
  ] as const) {
    const message = await till.ask({ number: true });
    const number = await till.number();
    await page.goto(await mailbox.link(message));
    await page.getByLabel('Number on the other screen').fill(right ? number : other(number));
    await page.getByRole('button', { name: 'Approve' }).click();
    await page.getByRole('heading', { name: title }).waitFor();
    await till.state(title);
    await till.page.getByRole('button', { name: 'New payment' }).click();
  }
});

test('with a number the till polls, whatever was chosen before', async () => {
  const { page } = await TillPage.open(place());
  await page.getByLabel('Push', { exact: true }).check();
  await page.getByLabel('Show a number to match').check();
  expect(await page.locator('input[name="mode"]:checked').inputValue()).toBe('poll');
  expect(await page.getByLabel('Ping', { exact: true }).isDisabled()).toBe(true);
  await page.getByLabel('Show a number to match').uncheck();
  expect(await page.getByLabel('Ping', { exact: true }).isDisabled()).toBe(false);
});

test('what the person did not start is denied, and the client may not ask again until they let it', async () => {
  const [till, phone] = await open('Bob Brook');
  const message = await till.ask({ who: 'Bob Brook' });
  await phone.prompt(message);
  await phone.decide(message, 'I did not start this');
  await phone.became(message, 'Denied');
  await till.state('Denied');
  const allow = phone.page.getByRole('listitem').filter({ hasText: 'Corner shop till' });
  await allow.getByRole('button', { name: 'Allow again' }).waitFor();

  await till.page.getByRole('button', { name: 'New payment' }).click();
  await till.page.getByRole('button', { name: 'Ask for the payment' }).click();
  await till.page.locator('#refused').waitFor();

  await phone.page.reload();
  await allow.getByRole('button', { name: 'Allow again' }).click();
  await phone.page.getByRole('heading', { name: 'May not ask you' }).waitFor({ state: 'hidden' });
  const again = await till.ask({ who: 'Bob Brook' });
  await phone.prompt(again);
  await till.page.getByRole('button', { name: 'Cancel' }).click();
  await phone.became(again, 'Taken back');
});

async function open(name = 'Alice Archer'): Promise<[TillPage, PhonePage]> {
  const [till, phone] = await Promise.all([TillPage.open(place()), PhonePage.open(place())]);
  await phone.signIn(name);
  return [till, phone];
}
