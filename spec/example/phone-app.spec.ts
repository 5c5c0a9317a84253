import type { Browser } from 'playwright-core';
import { startRedis, type TestRedis } from '../support/redis-server.js';
import { until } from '../support/until.js';
import { ExampleServer } from './example-server.js';
import { closePages, complaints, openBrowser, PhonePage, TillPage } from './pages.js';
import { PhoneDevice, subscribesAt } from './phone-device.js';
import { type PushService, startPushService } from './push-service.js';

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

describe.each(['memory', 'Redis'])('the phone as an app, on %s', (storage) => {
  let server: ExampleServer;
  let service: PushService;

  beforeAll(async () => {
    const env = storage === 'Redis' ? { REDIS_URL: redis.url } : {};
    server = await ExampleServer.start({ PUSH_SERVICE: 'local', ...env });
    service = await startPushService();
  });

  beforeEach(() => {
    service.reset();
  });

  afterAll(async () => {
    await server?.stop();
    await service?.close();
  });

  test('can be installed', async () => {
    const { page } = await PhonePage.open(place());
    const device = await PhoneDevice.of(page);
    const { errors, data } = await device.manifest();
    expect(errors).toEqual([]);
    expect(JSON.parse(data)).toMatchObject({ id: '/phone', start_url: '/phone', display: 'standalone' });
    expect(await device.installabilityErrors()).toEqual([]);
    for (const { src, sizes, type } of JSON.parse(data).icons) {
      const icon = await fetch(server.origin + src);
      expect(icon.headers.get('content-type')).toBe(type);
      if (type === 'image/png') expect(sizeOf(Buffer.from(await icon.arrayBuffer()))).toBe(sizes);
    }
  });

  test('says without the network that it needs it', async () => {
    const { page } = await PhonePage.open(place());
    await PhoneDevice.of(page);
    // Only a page that was loaded with the worker in place is its own.
    await page.reload();
    await page.getByRole('button', { name: 'Alice Archer' }).waitFor();
    await page.context().setOffline(true);
    await page.goto(`${server.origin}/phone`);
    await page.getByRole('heading', { name: 'No connection' }).waitFor();
    await page.context().setOffline(false);
    await page.getByRole('link', { name: 'Try again' }).click();
    await page.getByRole('button', { name: 'Alice Archer' }).waitFor();
  });

  test('says so where the network goes while it is being loaded', async () => {
    const { page } = await PhonePage.open(place(), {
      before: async (page) => {
        await page.route('**/phone/session', (route) => route.abort('connectionrefused'));
      },
    });
    await page.getByRole('alert').getByText('The server does not answer').waitFor();
  });

  test('is notified who asks, and the notification goes when the request has ended', async () => {
    const [till, phone, device] = await openNotified('Alice Archer');
    await till.ask({ amount: '31' });
    await till.reached('Web push', 'Sent');
    const [prompt] = await received(1);
    await device.receive(prompt);
    await until('it is shown', async () => (await device.notifications()).length === 1);
    const [shown] = await device.notifications();
    expect(shown?.title).toBe('Corner shop till asks for your approval');
    expect(JSON.stringify(shown)).not.toContain('31');
    expect(prompt.headers).toMatchObject({ urgency: 'high', 'content-encoding': 'aes128gcm' });

    await phone.page.getByRole('button', { name: 'Approve' }).click();
    await till.state('Approved');
    await till.reached('Web push', 'Dismissed');
    await till.reached('E-mail', 'Not needed');
    const [, dismissal] = await received(2);
    await device.receive(dismissal as typeof prompt);
    await until('it is gone', async () => (await device.notifications()).length === 0);
  });

  test('a message about the same request twice is one notification', async () => {
    const [till, , device] = await openNotified('Alice Archer');
    await till.ask();
    const [prompt] = await received(1);
    await device.receive(prompt);
    await device.receive(prompt);
    await until('it is shown', async () => (await device.notifications()).length > 0);
    expect(await device.notifications()).toHaveLength(1);
    await cancel(till);
    await received(2);
  });

  test('a click on the notification opens the decision page', async () => {
    const [till, phone, device] = await openNotified('Bob Brook');
    const message = await till.ask({ who: 'Bob Brook' });
    const [prompt] = await received(1);
    await device.receive(prompt);
    await until('it is shown', async () => (await device.notifications()).length === 1);
    const opened = await device.click();
    expect(opened).toBe(JSON.parse(prompt.data).link);
    await phone.page.goto(opened);
    await phone.page.getByText(message).waitFor();
    await phone.page.getByRole('button', { name: 'Approve' }).click();
    await till.state('Approved');
    await received(2);
  });

  test('a browser that has gone is forgotten, and a mail is sent at once', async () => {
    const [till] = await openNotified('Bob Brook');
    service.answer = 410;
    await till.ask({ who: 'Bob Brook' });
    await till.reached('Web push', 'Not reached');
    await till.page.getByText('the devices have gone').waitFor();
    await till.reached('E-mail', 'Sent');
    expect(service.calls).toBe(1);

    await cancel(till);
    await till.ask({ who: 'Bob Brook' });
    await till.page.getByText('no device wants to be notified').waitFor();
    await till.reached('E-mail', 'Sent');
    expect(service.calls).toBe(1);
    await cancel(till);
  });

  test('a mail follows five seconds after a notification that nobody has answered', async () => {
    const [till] = await openNotified('Alice Archer');
    const askedAt = performance.now();
    await till.ask();
    await till.reached('Web push', 'Sent');
    await till.reached('E-mail', 'Waits its turn');
    await till.reached('E-mail', 'Sent');
    expect(performance.now() - askedAt).toBeGreaterThan(5_000);
    await cancel(till);
    await received(2);
  });

  test('is not notified any more once that is stopped, and not for whoever has signed out', async () => {
    const [till, phone] = await openNotified('Alice Archer');
    await phone.page.getByRole('button', { name: 'Stop' }).click();
    await phone.page.getByRole('button', { name: 'Get notified' }).click();
    await phone.page.getByRole('button', { name: 'Stop' }).waitFor();
    await phone.page.getByRole('button', { name: 'Sign out' }).click();
    await phone.page.getByRole('button', { name: 'Bob Brook' }).waitFor();
    await till.ask();
    await till.page.getByText('no device wants to be notified').waitFor();
    expect(service.calls).toBe(0);
    await cancel(till);
  });

  test.each([
    ['an address that is none', { endpoint: 'nowhere' }],
    ['an address of another kind', { endpoint: 'ftp://push.example/1' }],
    ['no keys', { keys: undefined }],
    ['keys that are none', { keys: { p256dh: 'short', auth: 'short' } }],
  ])('does not store a subscription with %s', async (_what, wrong) => {
    const phone = await PhonePage.open(place());
    await phone.signIn('Alice Archer');
    const { page } = phone;
    const answer = await page.request.post(`${server.origin}/phone/subscriptions`, {
      data: { ...service.subscription, ...wrong },
    });
    expect(answer.status()).toBe(400);
  });

  test('takes no subscription from nobody, nor from a form', async () => {
    const { page } = await PhonePage.open(place());
    const url = `${server.origin}/phone/subscriptions`;
    expect((await page.request.post(url, { data: service.subscription })).status()).toBe(401);
    expect((await page.request.post(url, { form: { endpoint: 'https://push.example' } })).status()).toBe(415);
  });

  const cancel = (till: TillPage) => till.page.getByRole('button', { name: 'Cancel' }).click();
  const place = () => ({ browser, origin: server.origin });

  /** A till, and a phone that is signed in, subscribed at the spec's push service and able to show notifications. */
  async function openNotified(name: string): Promise<[TillPage, PhonePage, PhoneDevice]> {
    const till = await TillPage.open(place());
    const phone = await PhonePage.open(place(), {
      permissions: ['notifications'],
      before: (page) => subscribesAt(page, service),
    });
    await phone.signIn(name);
    const device = await PhoneDevice.of(phone.page);
    await phone.page.getByRole('button', { name: 'Get notified' }).click();
    await phone.page.getByRole('button', { name: 'Stop' }).waitFor();
    return [till, phone, device];
  }

  async function received(
    count: number,
  ): Promise<[PushService['messages'][number], ...PushService['messages']]> {
    await until('the push service has the message', () => service.messages.length >= count);
    return service.messages as [PushService['messages'][number], ...PushService['messages']];
  }
});

test('on the Internet only push services that are there are called', async () => {
  const server = await ExampleServer.start();
  const service = await startPushService();
  try {
    const till = await TillPage.open({ browser, origin: server.origin });
    const phone = await PhonePage.open(
      { browser, origin: server.origin },
      { permissions: ['notifications'], before: (page) => subscribesAt(page, service) },
    );
    await phone.signIn('Alice Archer');
    await phone.page.getByRole('button', { name: 'Get notified' }).click();
    await phone.page.getByRole('button', { name: 'Stop' }).waitFor();
    await till.ask();
    await till.reached('Web push', 'Not reached');
    await till.reached('E-mail', 'Sent');
    expect(service.calls).toBe(0);
  } finally {
    await Promise.all([server.stop(), service.close()]);
  }
});

/** Width and height of a PNG, from its header. */
function sizeOf(png: Buffer): string {
  return `${png.readUInt32BE(16)}x${png.readUInt32BE(20)}`;
}
