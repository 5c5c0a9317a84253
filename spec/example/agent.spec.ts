import type { Browser } from 'playwright-core';
import { closedPort } from '../support/closed-port.js';
import { ExampleServer, runClient } from './example-server.js';
import { closePages, complaints, openBrowser, PhonePage } from './pages.js';

const MESSAGE = 'Pay 12.50 EUR to ACME';

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

describe('an agent', () => {
  test('pays once its person has agreed', async () => {
    const [phone, run] = await begin();
    const prompt = await phone.prompt(MESSAGE);
    expect(prompt).toContain('Shopping agent asks you');
    expect(prompt).toMatch(/Amount12\.50 EUR/);
    await phone.decide(MESSAGE, 'Approve');
    const { code, output } = await run;
    expect(output).toContain('Agreed: sub=alice acr=urn:example:phone, for exactly this payment');
    expect(output).toMatch(/Paid: receipt [\w-]{36}\n/);
    expect(code).toBe(0);
  });

  test('buys nothing where they say no', async () => {
    const [phone, run] = await begin();
    await phone.prompt(MESSAGE);
    await phone.decide(MESSAGE, 'Deny');
    const { code, output } = await run;
    expect(output).toContain('alice said no, or may not be asked now. Nothing was bought.');
    expect(output).not.toContain('Paid');
    expect(code).toBe(1);
  });

  test('goes through by itself where it is told to', async () => {
    const { code, output } = await runClient('agent', { ISSUER: server.origin, AUTO_APPROVE: '1' });
    expect(output).toMatch(/Approved as alice\n.*Paid: receipt/s);
    expect(code).toBe(0);
  });

  test('says where nobody answers', async () => {
    const issuer = `http://127.0.0.1:${await closedPort()}`;
    const { code, output } = await runClient('agent', { ISSUER: issuer });
    expect(output).toContain(`No identity server answers at ${issuer}`);
    expect(code).toBe(1);
  });

  async function begin(): Promise<[PhonePage, ReturnType<typeof runClient>]> {
    const phone = await PhonePage.open({ browser, origin: server.origin });
    await phone.signIn('Alice Archer');
    await phone.isEmpty();
    return [phone, runClient('agent', { ISSUER: server.origin })];
  }
});

describe('the payments service', () => {
  const payment = { amount: '9.90', currency: 'EUR', payee: 'ACME' };

  test('takes the payment that was agreed to, and takes it once', async () => {
    const token = await agreedToken();
    const paid = await pay(token, payment);
    expect(paid).toMatchObject({ status: 201, body: { ...payment, account: 'bob' } });
    expect(await pay(token, payment)).toMatchObject({ status: 409, body: { error: 'already_paid' } });
  });

  test('takes it once however many come at a time', async () => {
    const token = await agreedToken();
    const statuses = await Promise.all(
      Array.from({ length: 8 }, async () => (await pay(token, payment)).status),
    );
    expect(statuses.sort()).toEqual([201, ...Array(7).fill(409)]);
  });

  test('takes it once however often the token is refreshed', async () => {
    const { refresh_token: first } = await agreed({ scope: 'openid offline_access' });
    const { access_token: token, refresh_token: second } = await refreshed(first);
    expect(await pay(String(token), payment)).toMatchObject({ status: 201 });
    const { access_token: later } = await refreshed(second);
    expect(later).not.toBe(token);
    expect(await pay(String(later), payment)).toMatchObject({ status: 409 });
  });

  test.each([
    ['another amount', { amount: '99.90' }],
    ['another currency', { currency: 'USD' }],
    ['another payee', { payee: 'Mallory' }],
    ['nothing', { amount: undefined }],
  ])('takes %s from nobody', async (_what, other) => {
    const token = await agreedToken();
    expect(await pay(token, { ...payment, ...other })).toMatchObject({ status: 403 });
    expect(await pay(token, payment)).toMatchObject({ status: 201 });
  });

  test.each([
    ['no token', undefined],
    ['a token that is none', 'made-up'],
  ])('takes nothing with %s', async (_what, token) => {
    expect(await pay(token, payment)).toMatchObject({ status: 401, body: { error: 'invalid_token' } });
  });

  test('takes nothing with a token for another service', async () => {
    const { auth_req_id: id } = (await server.ask({ login_hint: 'bob' })).body;
    await server.decide(id, 'allow');
    const { access_token: token } = (await server.poll(String(id))).body;
    expect(token).toEqual(expect.any(String));
    expect(await pay(String(token), payment)).toMatchObject({ status: 401 });
  });

  async function refreshed(token: unknown): Promise<Readonly<Record<string, unknown>>> {
    const { status, body } = await server.refresh(token, 'urn:example:payments');
    expect({ status, body }).toMatchObject({ status: 200 });
    return body;
  }

  async function agreedToken(): Promise<string> {
    return String((await agreed())['access_token']);
  }

  async function agreed(params: Record<string, string> = {}): Promise<Readonly<Record<string, unknown>>> {
    const { auth_req_id: id } = (
      await server.ask({
        ...params,
        login_hint: 'bob',
        resource: 'urn:example:payments',
        authorization_details: JSON.stringify([{ type: 'payment', ...payment }]),
      })
    ).body;
    await server.decide(id, 'allow');
    const { status, body } = await server.poll(String(id));
    expect(status).toBe(200);
    return body;
  }

  async function pay(token: string | undefined, order: object): Promise<{ status: number; body: unknown }> {
    const response = await fetch(`${server.origin}/payments`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
      body: JSON.stringify(order),
    });
    return { status: response.status, body: await response.json() };
  }
});
