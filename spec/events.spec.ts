import { jest } from '@jest/globals';
import { Emitter } from '../lib/emitter.js';
import { onEveryStore } from './support/every-store.js';
import { ask, asked, poll } from './support/server.js';
import { until } from './support/until.js';

onEveryStore('the events of a request', (make) => {
  it('come in the order of its life, each with the handle [SEC-16]', async () => {
    const server = make();
    const authReqId = await asked(server, { requested_expiry: '120', acr_values: 'urn:example:gold' });
    await poll(server, authReqId);
    await poll(server, authReqId);
    await server.approve(authReqId, { acr: 'urn:example:bronze' });
    await poll(server, authReqId);

    const handle = server.ciba.requests.handleOf(authReqId);
    const [of, clientId, accountId] = [{ handle }, 'till', 'alice'];
    expect(server.events).toEqual([
      {
        name: 'request.accepted',
        event: { ...of, clientId, accountId, expiresIn: 120, requestedExpiry: 120 },
      },
      { name: 'poll.pending', event: { ...of, clientId, tooFast: false } },
      { name: 'poll.pending', event: { ...of, clientId, tooFast: true } },
      {
        name: 'request.approved',
        event: { ...of, clientId, accountId, acr: 'urn:example:bronze', acrMet: false },
      },
      { name: 'redemption.claimed', event: { ...of, clientId } },
      { name: 'redemption.settled', event: { ...of, clientId } },
    ]);
  });

  it('tell of every other end as well [SEC-16]', async () => {
    const server = make();
    const [denied, cancelled, over] = [
      await asked(server),
      await asked(server),
      await asked(server, { requested_expiry: '10' }),
    ];
    await ask(server, { login_hint: 'mallory' });
    await server.deny(denied, 'no');
    await server.ciba.requests.cancel(server.ciba.requests.handleOf(cancelled));
    server.advance(12);
    await poll(server, over);
    await server.approve(over).catch(() => {});
    await server.approve(denied).catch(() => {});
    await server.approve(denied, { accountId: 'bob' }).catch(() => {});
    expect(
      server.events.slice(3).map(({ name, event }) => [name, 'reason' in event ? event.reason : '']),
    ).toEqual([
      ['request.refused', ''],
      ['request.denied', ''],
      ['request.cancelled', ''],
      ['poll.expired', ''],
      ['decision.refused', 'expired'],
      ['decision.refused', 'already_decided'],
      ['decision.refused', 'forbidden'],
    ]);
    expect(server.events.at(-2)?.event).toMatchObject({ outcome: 'denied' });
  });

  it('hold no secret: no auth_req_id, no token, no user code [SEC-11] [SEC-16] [UC-9]', async () => {
    const server = make();
    const coder = { client: 'coder' };
    const secrets: string[] = ['4321-wrong', '"1234"', 'coder-secret'];
    await ask(server, { user_code: '4321-wrong' }, coder);
    const [yes, no, cancelled, over] = [
      await asked(server, { user_code: '1234', scope: 'openid offline_access' }, coder),
      await asked(server, { user_code: '1234' }, coder),
      await asked(server, { user_code: '1234' }, coder),
      await asked(server, { user_code: '1234', requested_expiry: '10' }, coder),
    ];
    secrets.push(yes, no, cancelled, over);
    await poll(server, yes, {}, coder);
    await server.approve(yes);
    const { body } = await poll(server, yes, {}, coder);
    secrets.push(body.access_token, body.refresh_token, body.id_token);
    await poll(server, yes, {}, coder);
    await server.deny(no);
    await server.ciba.requests.cancel(server.ciba.requests.handleOf(cancelled));
    server.advance(12);
    await poll(server, over, {}, coder);
    await server.approve(over).catch(() => {});

    const told = JSON.stringify(server.events);
    expect(server.events.length).toBe(13);
    for (const secret of secrets) expect([secret, told.includes(secret)]).toEqual([secret, false]);
  });

  it('are told after the store has it: a listener finds what it was told', async () => {
    const server = make();
    const statuses: Promise<unknown>[] = [];
    const look = ({ handle }: { handle: string }): void => {
      statuses.push(server.ciba.requests.get(handle).then((request) => request?.status));
    };
    server.ciba.on('request.accepted', look);
    server.ciba.on('request.approved', look);
    server.ciba.on('redemption.settled', look);
    const authReqId = await asked(server);
    await Promise.all(statuses);
    await server.approve(authReqId);
    await Promise.all(statuses);
    await poll(server, authReqId);
    expect(await Promise.all(statuses)).toEqual(['pending', 'approved', 'redeemed']);
  });

  it('stop when the listener is taken back, and a listener that throws harms nobody', async () => {
    const server = make();
    let count = 0;
    const stop = server.ciba.on('request.accepted', () => {
      count += 1;
      throw new Error('a listener’s own fault');
    });
    expect((await ask(server)).status).toBe(200);
    stop();
    expect((await ask(server)).status).toBe(200);
    expect(count).toBe(1);
  });
});

describe('events without a listener', () => {
  it('are emitted to nobody, after removeAll too', () => {
    const events = new Emitter();
    const heard: string[] = [];
    events.on('request.cancelled', ({ handle }) => void heard.push(handle));
    const event = { handle: 'h', clientId: 'c', accountId: 'a', by: 'server' } as const;
    events.emit('request.cancelled', event);
    events.removeAll();
    events.emit('request.cancelled', event);
    expect(heard).toEqual(['h']);
  });
});

test('what took how long is not even looked at while nobody listens', () => {
  const events = new Emitter();
  let looked = 0;
  const took = () => {
    looked += 1;
    return { of: 'store', seconds: 1, outcome: 'answered' } as const;
  };
  events.time(took);
  expect(looked).toBe(0);
  const heard: unknown[] = [];
  events.on('timing', (timing) => void heard.push(timing));
  events.time(took);
  expect({ looked, heard }).toMatchObject({ looked: 1, heard: [{ of: 'store', seconds: 1, failed: false }] });
});

describe('a listener', () => {
  it.each([
    [
      'throws',
      () => {
        throw new Error('the gateway is down');
      },
    ],
    [
      'rejects',
      async () => {
        throw new Error('the gateway is down');
      },
    ],
  ])('that %s harms nobody: the process is warned, the others hear the event', async (_how, listener) => {
    const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const events = new Emitter();
    const heard: string[] = [];
    events.on('store.unavailable', listener);
    events.on('store.unavailable', () => void heard.push('other'));
    events.emit('store.unavailable', { cause: undefined });
    await until('the process is warned', () => warned.mock.calls.length === 1);
    const [said] = warned.mock.calls[0] ?? [];
    warned.mockRestore();
    expect(said).toBe('a listener of store.unavailable failed: Error: the gateway is down');
    expect(heard).toEqual(['other']);
  });
});

test('a listener may throw whatever it likes', async () => {
  const events = new Emitter();
  const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
  try {
    events.on('poll.expired', () => {
      throw Object.create(null);
    });
    events.emit('poll.expired', { handle: 'one', clientId: 'till' });
    await until('the process is warned', () => warned.mock.calls.length > 0, 5_000);
    expect(warned.mock.calls[0]?.[0]).toBe('a listener of poll.expired failed: object');
  } finally {
    warned.mockRestore();
  }
});
