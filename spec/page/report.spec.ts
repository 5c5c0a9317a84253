import { onEveryStore } from '../support/every-store.js';
import { ask, type PluginServer } from '../support/server.js';
import { linked, open, options, sealIn, send, statusOf, titleOf } from './linked.js';

/** How a request ends that its person may not have started. */
const ENDS: Readonly<Record<string, (server: PluginServer, id: string) => unknown>> = {
  denied: (server, id) => server.deny(id),
  expired: (server) => server.advance(301),
  cancelled: (server, id) => server.ciba.requests.cancel(server.ciba.requests.handleOf(id)),
};

const isReported = ({ heard }: PluginServer): boolean => heard.includes('request.reported');

onEveryStore('that a person did not start a request', (make) => {
  it.each(Object.keys(ENDS))('can be said where its link says that it is %s', async (end) => {
    const server = make(options());
    const { id, link } = await linked(server);
    await ENDS[end]?.(server, id);
    const page = await open(server, link, 'alice');
    expect(page.text).toContain('I did not start this');
    const answer = await send(server, link, { form: sealIn(page), verdict: 'report' });
    expect(answer.status).toBe(200);
    expect(answer.text.replaceAll(/<[^>]+>/g, '')).toContain('The till cannot ask you again');
    expect(isReported(server)).toBe(true);
    expect(await statusOf(server, id)).toBe(end);
    expect((await ask(server)).status).toBe(403);
  });

  it.each(Object.keys(ENDS))('cannot be said by anybody else who has its link when it is %s', async (end) => {
    const server = make(options());
    const { id, link } = await linked(server);
    await ENDS[end]?.(server, id);
    const form = sealIn(await open(server, link, 'alice'));
    for (const [who, status] of [
      ['', 401],
      ['bob', 403],
    ] as const) {
      const page = await open(server, link, who);
      expect(page.text).not.toMatch(/<form|till/i);
      expect((await send(server, link, { form, verdict: 'report' }, who)).status).toBe(status);
    }
    expect(isReported(server)).toBe(false);
  });

  it('does not undo what was decided, and is not said to', async () => {
    const server = make(options());
    const { id, link } = await linked(server);
    const form = sealIn(await open(server, link, 'alice'));
    await server.approve(id);
    expect((await open(server, link, 'alice')).text).not.toContain('I did not start this');
    const answer = await send(server, link, { form, verdict: 'report' });
    expect(titleOf(answer)).toBe('Blocked');
    expect(answer.text).not.toContain('denied');
    expect(isReported(server)).toBe(true);
    expect(await statusOf(server, id)).toBe('approved');
  });

  it('is shown once it has expired while its form was open', async () => {
    const server = make(options());
    const { link } = await linked(server);
    const form = sealIn(await open(server, link, 'alice'));
    server.advance(301);
    const answer = await send(server, link, { form, verdict: 'approve' });
    expect({ status: answer.status, title: titleOf(answer) }).toEqual({ status: 410, title: 'Expired' });
    expect(answer.text).toContain('I did not start this');
  });
});
