import { startRedis, type TestRedis } from '../support/redis-server.js';
import { type PluginServer, pluginServer } from '../support/server.js';
import { linked, open, options, sealIn, send, titleOf } from './linked.js';

describe('the decision page while Redis is away', () => {
  let redis: TestRedis;
  let server: PluginServer;

  beforeEach(async () => {
    redis = await startRedis();
    server = pluginServer({ ...options(), redis: redis.client() });
  });
  afterEach(async () => {
    await server.close();
    await redis.stop();
  });

  it('[ERR-15] says that nothing was decided to who looks, and that nobody knows to who has decided', async () => {
    const { link } = await linked(server);
    const form = sealIn(await open(server, link, 'alice'));
    await redis.kill();
    const looked = await open(server, link, 'alice');
    const decided = await send(server, link, { form, verdict: 'approve' });
    for (const { status, headers } of [looked, decided]) {
      expect({ status, retry: headers['retry-after'] }).toEqual({ status: 503, retry: '5' });
    }
    expect(titleOf(decided)).toBe('Try again in a moment');
    expect(looked.text).toContain('Nothing was decided.');
    expect(decided.text).toContain('it is not known yet whether that was decided');
    expect(decided.text).not.toContain('Nothing was decided');
    expect(decided.text).toContain('href="?"');
  });
});
