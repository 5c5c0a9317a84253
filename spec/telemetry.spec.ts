import { context, metrics, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { type DataPoint, type Histogram, MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { telemetry } from 'oidc-provider-ciba/telemetry';
import { Emitter } from '../lib/emitter.js';
import { pollClient } from './support/configuration.js';
import { startReceiver, status } from './support/receiver.js';
import { startRedis, type TestRedis } from './support/redis-server.js';
import { ask, asked, type PluginServer, pluginServer, poll } from './support/server.js';
import { until } from './support/until.js';

class Reader extends MetricReader {
  protected async onForceFlush(): Promise<void> {}
  protected async onShutdown(): Promise<void> {}
}

let redis: TestRedis;
let server: PluginServer;
let reader: Reader;
let spans: InMemorySpanExporter;
const ends: (() => unknown)[] = [];

beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());
beforeEach(() => {
  reader = new Reader();
  spans = new InMemorySpanExporter();
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  const spanProcessors = [new SimpleSpanProcessor(spans)];
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors }));
});
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
  for (const api of [metrics, trace, context]) api.disable();
});

/** Every data point, by its instrument's name. */
async function collected(): Promise<Map<string, DataPoint<number | Histogram>[]>> {
  const { resourceMetrics, errors } = await reader.collect();
  expect(errors).toEqual([]);
  const found = new Map<string, DataPoint<number | Histogram>[]>();
  for (const { metrics: each } of resourceMetrics.scopeMetrics) {
    for (const { descriptor, dataPoints } of each) found.set(descriptor.name, dataPoints as never);
  }
  return found;
}

/** What an instrument has counted, by its attributes. */
const countsOf = (points: DataPoint<number | Histogram>[] = []): Record<string, number> =>
  Object.fromEntries(
    points.map(({ attributes, value }) => [
      Object.values(attributes).join(' '),
      typeof value === 'number' ? value : value.count,
    ]),
  );

async function lived(): Promise<string[]> {
  const receiver = await startReceiver();
  ends.push(() => receiver.close());
  receiver.answer(status(500), status(204));
  const pinged = pollClient('pinged', {
    backchannel_token_delivery_mode: 'ping',
    backchannel_client_notification_endpoint: receiver.url,
  });
  server = pluginServer({
    redis: redis.client(),
    config: { clients: [pollClient('till'), pinged] },
    hooks: { deliveryModes: ['poll', 'ping'] },
    ciba: {
      delivery: { allowLoopback: true },
      channels: [{ name: 'pager', send: async () => {} }],
    },
  });
  ends.push(() => server.close());
  ends.push(telemetry(server.ciba));
  const tracer = trace.getTracer('spec');
  return tracer.startActiveSpan('the server', async (span) => {
    const [yes, no, told] = [
      await asked(server),
      await asked(server),
      await asked(server, { client_notification_token: 'secret-of-the-client' }, { client: 'pinged' }),
    ];
    await ask(server, { login_hint: 'mallory' });
    await poll(server, yes);
    await poll(server, yes);
    server.advance(40);
    await server.approve(yes);
    await server.deny(no);
    server.advance(20);
    const { body } = await poll(server, yes);
    await server.approve(told);
    await until('it is told', () => server.heard.includes('delivery.delivered'), 60_000);
    await until(
      'everybody is prompted',
      () => server.heard.filter((name) => name === 'prompt.sent').length === 3,
    );
    span.end();
    return [yes, no, told, body.access_token, body.id_token, 'secret-of-the-client', 'alice', 'till-secret'];
  });
}

test('metrics of what has happened, and how long it took; no handle, client, account or secret is in them', async () => {
  const hidden = await lived();
  const found = await collected();
  const counts = (name: string) => countsOf(found.get(name));
  expect(counts('ciba.requests')).toEqual({ accepted: 3, 'refused unknown_user_id': 1 });
  expect(counts('ciba.decisions')).toEqual({ approved: 2, denied: 1 });
  expect(counts('ciba.polls')).toEqual({ pending: 1, too_fast: 1 });
  expect(counts('ciba.redemptions')).toEqual({ settled: 1 });
  expect(counts('ciba.deliveries')).toEqual({ 'ping delayed 500': 1, 'ping delivered': 1 });
  expect(counts('ciba.prompts')).toMatchObject({ 'pager sent': 3 });
  expect(counts('ciba.backchannel.duration')).toEqual({ accepted: 3, unknown_user_id: 1 });
  expect(counts('ciba.redemption.duration')).toEqual({ settled: 1 });
  expect(counts('ciba.delivery.duration')).toEqual({ '500 ping': 1, '204 ping': 1 });
  expect(counts('ciba.decision.wait')).toEqual({ approved: 2, denied: 1 });
  expect(counts('ciba.answer.wait')).toEqual({ redeemed: 1, 'told ping': 1 });
  expect(counts('ciba.store.command.duration')).toMatchObject({ 'answered settle': 1, 'answered ask': 3 });
  expect(counts('ciba.ready')).toEqual({ '': 1 });
  expect(counts('ciba.late')).toEqual({ deliveries: 0, prompts: 0 });
  expect(counts('ciba.polls.held')).toEqual({ '': 0 });
  // By the clock of the store, which was moved.
  const sumOf = (name: string, outcome: string): number => {
    const points = found.get(name)?.filter(({ attributes }) => attributes['ciba.outcome'] === outcome) ?? [];
    return (points[0]?.value as Histogram | undefined)?.sum ?? Number.NaN;
  };
  expect(sumOf('ciba.decision.wait', 'denied')).toBeGreaterThanOrEqual(40);
  expect(sumOf('ciba.answer.wait', 'redeemed')).toBeGreaterThanOrEqual(20);
  const all = JSON.stringify([...found]);
  const handles = hidden.slice(0, 3).map((id) => server.ciba.requests.handleOf(id));
  for (const each of [...hidden, ...handles, '"till"', '"pinged"']) expect(all).not.toContain(each);
  // The control: what is looked for so would be found.
  expect(all).toContain('"ping"');
});

test('spans of the work, below the one that it was done in; they carry handle and client and no secret', async () => {
  const hidden = await lived();
  const finished = spans.getFinishedSpans();
  const [handle] = hidden.map((id) => server.ciba.requests.handleOf(id));
  const outer = finished.find(({ name }) => name === 'the server');
  const of = (name: string) => finished.filter((span) => span.name === name);
  expect(of('ciba.backchannel')).toHaveLength(4);
  expect(of('ciba.redemption')).toMatchObject([
    { attributes: { 'ciba.handle': handle, 'ciba.client': 'till', 'ciba.outcome': 'settled' } },
  ]);
  expect(of('ciba.redemption')[0]?.parentSpanContext?.spanId).toBe(outer?.spanContext().spanId);
  expect(of('ciba.delivery').map(({ attributes }) => attributes['ciba.outcome'])).toEqual(['500', '204']);
  // The claim comes with the poll.
  expect(of('ciba.store.poll').length).toBeGreaterThan(0);
  expect(of('ciba.store.claim')).toEqual([]);
  expect(of('ciba.store.settle')).toHaveLength(1);
  // A command has no trace of its own.
  for (const span of finished.filter(({ name }) => name.startsWith('ciba.store.'))) {
    expect(span.parentSpanContext).toBeDefined();
  }
  const all = JSON.stringify(
    finished.map(({ name, attributes, status: its, events }) => [name, attributes, its, events]),
  );
  for (const each of hidden) expect(all).not.toContain(each);
});

test('what is stopped hears nothing any more', async () => {
  server = pluginServer();
  ends.push(() => server.close());
  const stop = telemetry(server.ciba);
  await asked(server);
  stop();
  await asked(server);
  const found = await collected();
  expect(countsOf(found.get('ciba.requests'))).toEqual({ accepted: 1 });
  expect(found.get('ciba.ready') ?? []).toEqual([]);
});

test('an endpoint makes no series of each status that there is', async () => {
  const events = new Emitter();
  ends.push(telemetry({ on: events.on.bind(events), health: async () => ({}) } as never));
  for (let status = 500; status < 600; status += 1) {
    const reason = String(status);
    events.emit('delivery.delayed', {
      handle: 'one',
      clientId: 'till',
      mode: 'ping',
      attempts: 1,
      seconds: 1,
      reason,
    });
    events.time(() => ({ of: 'delivery', seconds: 1, outcome: reason, failed: true, kind: 'ping' }));
  }
  const found = await collected();
  for (const name of ['ciba.deliveries', 'ciba.delivery.duration']) {
    expect(Object.values(countsOf(found.get(name))).sort()).toEqual([1, 1, 1, 1, 1, 95]);
  }
});
