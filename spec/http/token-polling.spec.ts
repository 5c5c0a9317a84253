import { onEveryStore } from '../support/every-store.js';
import { asked, type PluginServer, poll } from '../support/server.js';

/** The error of the next poll, and when the client is asked to come again. */
async function told(server: PluginServer, authReqId: string): Promise<string> {
  const { body, headers } = await poll(server, authReqId);
  return [body.error ?? 'tokens', headers['retry-after']].filter(Boolean).join(' ');
}

onEveryStore('the throttle', (make) => {
  it('asks nothing of the first poll [POLL-2]', async () => {
    const server = make();
    expect(await told(server, await asked(server))).toBe('authorization_pending 5');
  });

  it('asks nothing of a client that keeps to the interval [POLL-1]', async () => {
    const server = make();
    const authReqId = await asked(server);
    for (let count = 0; count < 6; count++) {
      expect(await told(server, authReqId)).toBe('authorization_pending 5');
      server.advance(5);
    }
  });

  it('forgives a poll that comes a moment early', async () => {
    const server = make();
    const authReqId = await asked(server);
    await poll(server, authReqId);
    server.advance(4.6);
    expect(await told(server, authReqId)).toBe('authorization_pending 5');
  });

  it('adds 5 seconds for this and all later polls with each slow_down [POLL-3] [TERR-2]', async () => {
    const server = make();
    const authReqId = await asked(server);
    expect(await told(server, authReqId)).toBe('authorization_pending 5');
    server.advance(1);
    expect(await told(server, authReqId)).toBe('slow_down 10');
    server.advance(6);
    expect(await told(server, authReqId)).toBe('slow_down 15');
    server.advance(15);
    expect(await told(server, authReqId)).toBe('authorization_pending 15');
    server.advance(6);
    expect(await told(server, authReqId)).toBe('slow_down 20');
    expect(
      server.events.filter(
        ({ name, event }) => name === 'poll.pending' && 'tooFast' in event && event.tooFast,
      ).length,
    ).toBe(3);
  });

  it('stands a burst, in which nobody hears anything else [POLL-4]', async () => {
    const server = make();
    const authReqId = await asked(server);
    const errors: string[] = [];
    for (let count = 0; count < 20; count++) errors.push((await poll(server, authReqId)).body.error);
    expect(errors).toEqual(['authorization_pending', ...Array(19).fill('slow_down')]);
  });

  it('is for one auth_req_id, not for the client', async () => {
    const server = make();
    const [one, other] = [await asked(server), await asked(server)];
    await poll(server, one);
    expect(await told(server, one)).toBe('slow_down 10');
    expect(await told(server, other)).toBe('authorization_pending 5');
  });

  it('ends with the decision: an early poll is answered with the outcome [POLL-5]', async () => {
    const server = make();
    const [yes, no, over] = [
      await asked(server),
      await asked(server),
      await asked(server, { requested_expiry: '10' }),
    ];
    for (const authReqId of [yes, no, over]) await poll(server, authReqId);
    for (const authReqId of [yes, no, over]) expect(await told(server, authReqId)).toBe('slow_down 10');
    await server.approve(yes);
    await server.deny(no);
    server.advance(11);
    expect(await told(server, over)).toBe('expired_token');
    expect(await told(server, over)).toBe('expired_token');
    expect(await told(server, yes)).toBe('tokens');
    expect(await told(server, no)).toBe('access_denied');
    expect(await told(server, no)).toBe('access_denied');
  });
});
