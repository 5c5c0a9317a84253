import type { Attributes, Counter, Histogram, Meter, Span } from '@opentelemetry/api';
import type { Ciba } from './ciba.js';
import type { CibaEventName, CibaEvents, TimedWork, Timing } from './events.js';
import { optionalPackage } from './optional-package.js';

type Api = typeof import('@opentelemetry/api');

const SCOPE = 'oidc-provider-ciba';

/** What is counted: the instrument, and what it is told of an event. Every attribute is of a small set; handles, clients and accounts are of none. */
const COUNTED: {
  readonly [Name in CibaEventName]?: (event: CibaEvents[Name]) => readonly [CounterName, Attributes];
} = {
  'request.accepted': () => ['ciba.requests', { 'ciba.outcome': 'accepted' }],
  'request.refused': ({ error }) => ['ciba.requests', { 'ciba.outcome': 'refused', 'error.type': error }],
  'request.limited': ({ limit }) => ['ciba.requests.limited', { 'ciba.limit': limit }],
  'request.approved': () => ['ciba.decisions', { 'ciba.outcome': 'approved' }],
  'request.denied': ({ wrongNumber }) => [
    'ciba.decisions',
    { 'ciba.outcome': wrongNumber ? 'wrong_number' : 'denied' },
  ],
  'request.cancelled': () => ['ciba.decisions', { 'ciba.outcome': 'cancelled' }],
  'decision.refused': ({ reason }) => ['ciba.decisions', { 'ciba.outcome': 'refused', 'error.type': reason }],
  'request.reported': () => ['ciba.reports', {}],
  'poll.pending': ({ tooFast }) => (tooFast ? POLL_TOO_FAST : POLL_PENDING),
  'poll.expired': () => ['ciba.polls', { 'ciba.outcome': 'expired' }],
  'redemption.settled': () => ['ciba.redemptions', { 'ciba.outcome': 'settled' }],
  'redemption.repeated': () => ['ciba.redemptions', { 'ciba.outcome': 'repeated' }],
  'redemption.released': () => ['ciba.redemptions', { 'ciba.outcome': 'released' }],
  'redemption.lost': ({ reason }) => ['ciba.redemptions', { 'ciba.outcome': 'lost', 'error.type': reason }],
  'prompt.sent': ({ channel }) => prompted(channel, 'sent'),
  'prompt.failed': ({ channel, reason, again }) => prompted(channel, again ? 'delayed' : 'failed', reason),
  'prompt.dismissed': ({ channel }) => prompted(channel, 'dismissed'),
  'prompt.left': ({ channel, reason }) => prompted(channel, 'left', reason),
  'prompt.error': () => ['ciba.faults', { 'ciba.fault': 'chain' }],
  'prompt.unreachable': () => ['ciba.prompts.unreachable', {}],
  'notification.failed': () => ['ciba.faults', { 'ciba.fault': 'device_hook' }],
  'delivery.delivered': ({ mode }) => ['ciba.deliveries', { 'ciba.mode': mode, 'ciba.outcome': 'delivered' }],
  'delivery.delayed': ({ mode, reason }) => delivery(mode, 'delayed', reason),
  'delivery.failed': ({ mode, reason }) => delivery(mode, 'failed', reason),
  'delivery.error': () => ['ciba.faults', { 'ciba.fault': 'delivery' }],
  'store.unavailable': () => ['ciba.faults', { 'ciba.fault': 'store' }],
};

const COUNTERS = {
  'ciba.requests': ['{request}', 'Authentication requests, accepted or refused'],
  'ciba.requests.limited': ['{request}', 'Authentication requests that a limit has refused'],
  'ciba.decisions': ['{decision}', 'Decisions, those that came too late or from somebody else included'],
  'ciba.reports': ['{report}', 'Requests that a person has not started'],
  'ciba.polls': ['{poll}', 'Polls without an outcome, and of requests that have expired'],
  'ciba.redemptions': ['{redemption}', 'Redemptions of approved requests'],
  'ciba.prompts': ['{prompt}', 'Tries of a channel to reach a person, or to take a prompt away'],
  'ciba.prompts.unreachable': ['{request}', 'Requests whose person no channel has reached'],
  'ciba.deliveries': ['{delivery}', 'Turns of telling a ping or push client'],
  'ciba.faults': ['{fault}', "Faults of the store, and of the server's own code"],
} as const;

type CounterName = keyof typeof COUNTERS;

/** Made once: they are most of what is counted. */
const POLL_PENDING = ['ciba.polls', { 'ciba.outcome': 'pending' }] as const;
const POLL_TOO_FAST = ['ciba.polls', { 'ciba.outcome': 'too_fast' }] as const;

const WORK = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const WAIT = [1, 2.5, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600];

const HISTOGRAMS: Readonly<
  Record<TimedWork, readonly [name: string, boundaries: number[], description: string]>
> = {
  backchannel: ['ciba.backchannel.duration', WORK, 'Answering an authentication request'],
  redemption: ['ciba.redemption.duration', WORK, 'From the claim of an approval until its answer may leave'],
  delivery: ['ciba.delivery.duration', WORK, 'One message to a client'],
  prompt: ['ciba.prompt.duration', WORK, 'One channel, once'],
  store: ['ciba.store.command.duration', WORK, 'One command to Redis'],
  decision: ['ciba.decision.wait', WAIT, 'From the acknowledgement until somebody decided'],
  answer: [
    'ciba.answer.wait',
    WORK.slice(2).concat(WAIT.slice(4)),
    'From the decision until the client has it',
  ],
};

/** What is work of this process's, and of which kind a span of it is; the rest is waiting. */
const SPANS: { readonly [Of in TimedWork]?: 'INTERNAL' | 'CLIENT' } = {
  backchannel: 'INTERNAL',
  redemption: 'INTERNAL',
  delivery: 'CLIENT',
  prompt: 'CLIENT',
  store: 'CLIENT',
};

/**
 * Makes metrics and spans of what a {@link Ciba} tells, with the global providers of `@opentelemetry/api`, which has to be installed. The function returned stops that.
 * Set the providers up before. Without this call nothing is measured.
 *
 * ```ts
 * const stop = telemetry(ciba);
 * ```
 * @throws {CibaError} `invalid_option` where `@opentelemetry/api` is not installed
 */
export function telemetry(ciba: Ciba): () => void {
  const api = optionalPackage<Api>(
    '@opentelemetry/api',
    'telemetry',
    'needs the package @opentelemetry/api: install it',
  );
  const meter = api.metrics.getMeter(SCOPE);
  const stops = [count(ciba, meter), time(ciba, meter, api), gauge(ciba, meter)];
  return () => {
    for (const stop of stops) stop();
  };
}

function count(ciba: Ciba, meter: Meter): () => void {
  const counters = new Map<string, Counter>();
  for (const [name, [unit, description]] of Object.entries(COUNTERS)) {
    counters.set(name, meter.createCounter(name, { unit, description }));
  }
  const stops = (Object.keys(COUNTED) as CibaEventName[]).map((name) => {
    const counted = COUNTED[name] as (event: unknown) => readonly [CounterName, Attributes];
    return ciba.on(name, (event) => {
      const [counter, attributes] = counted(event);
      counters.get(counter)?.add(1, attributes);
    });
  });
  return () => {
    for (const stop of stops) stop();
  };
}

function time(ciba: Ciba, meter: Meter, api: Api): () => void {
  const histograms = new Map<string, Histogram>();
  for (const [of, [name, explicitBucketBoundaries, description]] of Object.entries(HISTOGRAMS)) {
    histograms.set(
      of,
      meter.createHistogram(name, { unit: 's', description, advice: { explicitBucketBoundaries } }),
    );
  }
  return ciba.on('timing', (timing) => {
    const { of, kind, seconds } = timing;
    const outcome = bounded(timing.outcome);
    histograms
      .get(of)
      ?.record(seconds, { 'ciba.outcome': outcome, ...(kind !== undefined && { [KINDS[of]]: kind }) });
    spanOf(timing, api)?.end();
  });
}

/** A span of work that has ended, below whatever span it was done in. A command on its own would be a trace of one: it has none. */
function spanOf(
  { of, kind, outcome, failed, seconds, handle, clientId }: Timing,
  api: Api,
): Span | undefined {
  const spanKind = SPANS[of];
  if (spanKind === undefined || (of === 'store' && !api.trace.getActiveSpan())) return undefined;
  const name = of === 'store' ? `ciba.store.${kind}` : `ciba.${of}`;
  const span = api.trace.getTracer(SCOPE).startSpan(name, {
    kind: api.SpanKind[spanKind],
    startTime: Date.now() - seconds * 1000,
    attributes: {
      'ciba.outcome': outcome,
      ...(kind !== undefined && { [KINDS[of]]: kind }),
      ...(handle !== undefined && { 'ciba.handle': handle }),
      ...(clientId !== undefined && { 'ciba.client': clientId }),
      ...(failed && { 'error.type': outcome }),
    },
  });
  if (failed) span.setStatus({ code: api.SpanStatusCode.ERROR });
  return span;
}

const KINDS: Readonly<Record<TimedWork, string>> = {
  backchannel: 'ciba.kind',
  redemption: 'ciba.kind',
  delivery: 'ciba.mode',
  prompt: 'ciba.channel',
  store: 'db.operation.name',
  decision: 'ciba.kind',
  answer: 'ciba.mode',
};

/** What is looked at each time that metrics are collected. */
function gauge(ciba: Ciba, meter: Meter): () => void {
  const held = meter.createObservableGauge('ciba.polls.held', {
    unit: '{poll}',
    description: 'Polls that this process holds',
  });
  const late = meter.createObservableGauge('ciba.late', {
    unit: '{request}',
    description: 'Requests whose client or person should have been told, and that no process has taken',
  });
  const ready = meter.createObservableGauge('ciba.ready', {
    description: 'Whether this process can take requests: 1 or 0',
  });
  const instruments = [held, late, ready];
  const observe: Parameters<Meter['addBatchObservableCallback']>[0] = async (result) => {
    const { ready: isReady, heldPolls, deliveries, prompts } = await ciba.health();
    result.observe(held, heldPolls);
    result.observe(ready, Number(isReady));
    for (const [name, work] of Object.entries({ deliveries, prompts })) {
      if (work?.late !== undefined) result.observe(late, work.late, { 'ciba.work': name });
    }
  };
  meter.addBatchObservableCallback(observe, instruments);
  return () => meter.removeBatchObservableCallback(observe, instruments);
}

function prompted(channel: string, outcome: string, reason?: string): readonly [CounterName, Attributes] {
  return [
    'ciba.prompts',
    { 'ciba.channel': channel, 'ciba.outcome': outcome, ...(reason && { 'error.type': reason }) },
  ];
}

function delivery(mode: string, outcome: string, reason: string): readonly [CounterName, Attributes] {
  const attributes = { 'ciba.mode': mode, 'ciba.outcome': outcome, 'error.type': bounded(reason) };
  return ['ciba.deliveries', attributes];
}

/** Statuses that endpoints answer with. Any other is told as its class: an endpoint must not make a series of each number there is. */
const STATUSES: ReadonlySet<string> = new Set(
  [200, 201, 202, 204, 301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 408, 410, 413, 415, 422, 425, 429]
    .concat(500, 501, 502, 503, 504)
    .map(String),
);

const bounded = (word: string): string =>
  /^\d{3}$/.test(word) && !STATUSES.has(word) ? `${word[0]}xx` : word;
