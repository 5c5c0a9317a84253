import { Emitter } from '../lib/emitter.js';
import { onEveryStore } from './support/every-store.js';
import { ask, asked, poll, post } from './support/server.js';

onEveryStore('an audit log', (make) => {
  it('has each state of a request, who brought it there, and why [SEC-16]', async () => {
    const server = make();
    const { requests } = server.ciba;
    const entries: string[] = [];
    const stop = server.ciba.on('audit', ({ at, action, by, outcome, reason, ...of }) => {
      expect(Math.abs(Date.now() - at.getTime())).toBeLessThan(60_000);
      expect(Object.keys(of)).toEqual(['handle', 'clientId', 'accountId']);
      entries.push([action, by ?? '-', outcome, ...(reason ? [reason] : [])].join(' '));
    });
    const [yes, no, taken, withdrawn] = [
      await asked(server),
      await asked(server),
      await asked(server),
      await asked(server),
    ];
    await ask(server, { login_hint: 'mallory' });
    await server.approve(yes);
    await server.deny(no);
    await requests.cancel(requests.handleOf(taken));
    const cancel = { grant_type: 'urn:openid:params:grant-type:ciba', auth_req_id: withdrawn };
    await post(server, '/backchannel/cancel', cancel);
    await poll(server, yes, { resource: 'not a resource' });
    await poll(server, yes);
    await server.approve(no).catch(() => {});
    const reported = await asked(server, { requested_expiry: '10' });
    await requests.report(requests.handleOf(reported), { accountId: 'alice' });
    await ask(server);
    await requests.unblock('alice', 'till');
    const over = await asked(server, { requested_expiry: '10' });
    server.advance(12);
    await poll(server, over);
    stop();
    await asked(server);

    const accepted = 'request.accepted client pending';
    expect(entries).toEqual([
      ...[accepted, accepted, accepted, accepted],
      'request.refused client refused unknown_user_id',
      'request.approved person approved',
      'request.denied person denied access_denied',
      'request.cancelled server cancelled',
      'request.cancelled client cancelled',
      'redemption.claimed client claimed',
      'redemption.released server approved invalid_target',
      'redemption.claimed client claimed',
      'redemption.settled client redeemed',
      'decision.refused - refused already_decided',
      accepted,
      'request.denied person denied access_denied',
      'request.reported person blocked',
      'request.limited client refused blocked',
      'request.refused client refused access_denied',
      'client.unblocked server unblocked',
      accepted,
      'poll.expired - expired',
    ]);
  });
});

test('a ping that was given up leaves the approval where it was, a push does not [SEC-16]', () => {
  const events = new Emitter();
  const outcomes: string[] = [];
  events.on('audit', ({ outcome }) => void outcomes.push(outcome));
  for (const mode of ['ping', 'push'] as const) {
    events.emit('delivery.failed', { handle: 'one', clientId: 'till', mode, attempts: 1, reason: '403' });
  }
  expect(outcomes).toEqual(['not_told', 'undeliverable']);
});
