import { startRedis, type TestRedis } from './redis-server.js';
import { type PluginServer, type PluginServerOptions, pluginServer } from './server.js';

/** Makes a server on the store at hand; it is closed after its test. */
export type Make = (options?: PluginServerOptions) => PluginServer;

/** Says the same specs of a server in memory and of one on a Redis of its own. */
export function onEveryStore(
  title: string,
  specs: (make: Make, redis: () => TestRedis | undefined) => void,
): void {
  describe.each(['memory', 'redis'] as const)(`${title}, on %s`, (store) => {
    const open: PluginServer[] = [];
    let redis: TestRedis | undefined;

    beforeAll(async () => {
      if (store === 'redis') redis = await startRedis();
    });
    afterEach(async () => {
      await Promise.all(open.splice(0).map((server) => server.close()));
    });
    afterAll(async () => {
      await redis?.stop();
    });

    specs(
      (options = {}) => {
        const server = pluginServer({ ...options, ...(redis && { redis: redis.client() }) });
        open.push(server);
        return server;
      },
      () => redis,
    );
  });
}
