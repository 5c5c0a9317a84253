import { ExampleServer } from './example-server.js';

let server: ExampleServer;

beforeAll(async () => {
  server = await ExampleServer.start();
});
afterAll(() => server.stop());

test('the example says that it lives and is ready, and what it has done for Prometheus', async () => {
  expect((await fetch(`${server.origin}/health/live`)).status).toBe(204);
  const ready = await fetch(`${server.origin}/health/ready`);
  expect([ready.status, await ready.json()]).toMatchObject([200, { ready: true, store: { state: 'ok' } }]);
  expect((await server.ask()).status).toBe(200);
  const metrics = await (await fetch(`${server.origin}/metrics`)).text();
  expect(metrics).toMatch(/^ciba_requests_total\{.*ciba_outcome="accepted".*\} 1$/m);
  expect(metrics).toMatch(/^ciba_ready(\{.*\})? 1$/m);
});
