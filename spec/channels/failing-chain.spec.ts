import type { CibaEvents, Prompt } from 'oidc-provider-ciba';
import { email } from 'oidc-provider-ciba/channels/email';
import { webPush } from 'oidc-provider-ciba/channels/web-push';
import { webhook } from 'oidc-provider-ciba/channels/webhook';
import webpush from 'web-push';
import { startPushService } from '../example/push-service.js';
import { closedPort } from '../support/closed-port.js';
import { onEveryStore } from '../support/every-store.js';
import { startReceiver, status } from '../support/receiver.js';
import { asked, poll } from '../support/server.js';
import { until } from '../support/until.js';

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
});

onEveryStore('a person whose channels fail one after another', (make) => {
  it('is reached by the last one, the request lives on, and events tell of each failure', async () => {
    const [service, receiver, port] = await Promise.all([startPushService(), startReceiver(), closedPort()]);
    open.push(service, receiver);
    service.answer = 410;
    receiver.answer(status(500));
    const forgotten: string[] = [];
    const prompts: Prompt[] = [];
    const server = make({
      ciba: {
        channels: [
          email({
            transport: { host: '127.0.0.1', port } as never,
            from: 'op@op.example',
            to: () => 'alice@example.com',
          }),
          webPush({
            vapid: { subject: 'mailto:ops@op.example', ...webpush.generateVAPIDKeys() },
            subscriptions: () => [service.subscription],
            gone: (_accountId, { endpoint }) => forgotten.push(endpoint),
            allowLoopback: true,
          }),
          webhook({
            url: receiver.url,
            secret: `whsec_${Buffer.alloc(32, 7).toString('base64')}`,
            allowLoopback: true,
          }),
          { name: 'pager', send: async (prompt) => void prompts.push(prompt) },
        ],
      },
    });
    const authReqId = await asked(server);
    const handle = server.ciba.requests.handleOf(authReqId);
    await until('the last one was sent', () => server.heard.includes('prompt.sent'));

    const failures = server.events
      .filter(({ name }) => name === 'prompt.failed')
      .map(({ event }) => event as CibaEvents['prompt.failed'])
      .map(({ channel, reason, again }) => ({ channel, reason, again }));
    expect(failures).toEqual([
      { channel: 'email', reason: 'unavailable', again: true },
      { channel: 'web-push', reason: 'gone', again: false },
      { channel: 'webhook', reason: 'unavailable', again: true },
    ]);
    expect(forgotten).toEqual([service.subscription.endpoint]);
    expect(prompts.map((prompt) => prompt.handle)).toEqual([handle]);
    expect((await poll(server, authReqId)).body.error).toBe('authorization_pending');
    await server.approve(authReqId);
    expect((await poll(server, authReqId)).status).toBe(200);
  });
});
