/** What is measured, in the order in which it is told, and what has to come out. */

/** What a figure has to be. */
export interface Bound {
  readonly atLeast?: number;
  readonly atMost?: number;
}

interface Described extends Bound {
  readonly name: string;
  readonly unit: string;
}

const described = {
  basicNative: { name: 'pending polls, client_secret_basic: native', unit: 'a second' },
  basicExpress: { name: 'pending polls, client_secret_basic: plugin on Express', unit: 'a second' },
  basicAccelerated: { name: 'pending polls, client_secret_basic: plugin with accelerate', unit: 'a second' },
  basicFloor: { name: 'pending polls, client_secret_basic: floor', unit: 'a second' },
  basicExpressToNative: {
    name: 'pending polls, client_secret_basic: plugin on Express / native',
    unit: '×',
    atLeast: 2.5,
  },
  basicAcceleratedToNative: {
    name: 'pending polls, client_secret_basic: plugin with accelerate / native',
    unit: '×',
    atLeast: 5,
  },
  basicAcceleratedToFloor: {
    name: 'pending polls, client_secret_basic: plugin with accelerate / floor',
    unit: '×',
    atLeast: 0.7,
  },
  nativePollCpu: { name: 'a pending poll, client_secret_basic, processor time: native', unit: 'µs' },
  expressPollCpu: {
    name: 'a pending poll, client_secret_basic, processor time: plugin on Express',
    unit: 'µs',
  },
  acceleratedPollCpu: {
    name: 'a pending poll, client_secret_basic, processor time: plugin with accelerate',
    unit: 'µs',
  },
  floorPollCpu: { name: 'a pending poll, client_secret_basic, processor time: floor', unit: 'µs' },
  assertionNative: { name: 'pending polls, private_key_jwt: native', unit: 'a second' },
  assertionExpress: { name: 'pending polls, private_key_jwt: plugin on Express', unit: 'a second' },
  nativeAssertionCpu: { name: 'a pending poll, private_key_jwt, processor time: native', unit: 'µs' },
  expressAssertionCpu: {
    name: 'a pending poll, private_key_jwt, processor time: plugin on Express',
    unit: 'µs',
  },
  assertionToNative: { name: 'pending polls, private_key_jwt: plugin / native', unit: '×', atLeast: 1 },
  generatorShare: { name: 'pending polls: most that the load generator used of a core', unit: '%' },
  roundTrips: { name: 'Redis round trips a pending poll', unit: 'commands', atLeast: 1, atMost: 1 },
  redisPollCpu: { name: 'a pending poll, processor time: Redis', unit: 'µs' },
  bytesIn: { name: 'bytes to Redis a pending poll', unit: 'bytes' },
  bytesOut: { name: 'bytes from Redis a pending poll', unit: 'bytes' },
  flowsNative: { name: 'whole flows: native', unit: 'a second' },
  flowsPlugin: { name: 'whole flows: plugin', unit: 'a second' },
  flowsToNative: { name: 'whole flows: plugin / native', unit: '×', atLeast: 1 },
  nativeFlowCpu: { name: 'a whole flow, processor time: native', unit: 'µs' },
  pluginFlowCpu: { name: 'a whole flow, processor time: plugin', unit: 'µs' },
  redisFlowCpu: { name: 'a whole flow, processor time: Redis, for the plugin', unit: 'µs' },
  flowRoundTrips: {
    name: 'Redis commands a whole flow, with those of the server’s adapter',
    unit: 'commands',
  },
  pollingMedian: { name: 'approval to token response, polls every 5 s, median', unit: 'ms' },
  pollingLate: { name: 'approval to token response, polls every 5 s, 99th percentile', unit: 'ms' },
  pingMedian: { name: 'approval to token response, ping, median', unit: 'ms' },
  pingLate: { name: 'approval to token response, ping, 99th percentile', unit: 'ms' },
  heldHereMedian: { name: 'approval to token response, long poll, same process, median', unit: 'ms' },
  heldHereLate: { name: 'approval to token response, long poll, same process, 99th percentile', unit: 'ms' },
  heldThereMedian: {
    name: 'approval to token response, long poll, other process, median',
    unit: 'ms',
    atMost: 20,
  },
  heldThereLate: {
    name: 'approval to token response, long poll, other process, 99th percentile',
    unit: 'ms',
    atMost: 100,
  },
  pollsAt1000: { name: 'polls a second at 1,000 pending requests', unit: 'a second' },
  pollsAt100000: { name: 'polls a second at 100,000 pending requests', unit: 'a second' },
  pollsAt1000000: { name: 'polls a second at 1,000,000 pending requests', unit: 'a second' },
  pollsAtMost: {
    name: 'polls a second at 1,000,000 pending requests / at 1,000',
    unit: '×',
    atLeast: 0.9,
  },
  memory: { name: 'Redis memory a pending request, everything counted', unit: 'bytes', atMost: 1_024 },
  heldCount: { name: 'held long polls', unit: '' },
  heldBare: { name: 'held long polls, resident memory: bare Express handler', unit: 'MB' },
  heldPlugin: { name: 'held long polls, resident memory: plugin on Express', unit: 'MB' },
  heldToBare: {
    name: 'held long polls, resident memory: plugin / bare Express handler',
    unit: '×',
    atMost: 1.5,
  },
  heldDisturbed: { name: 'held long polls, then all approved: polls that had to come again later', unit: '' },
  heldLost: { name: 'held long polls, then all approved: clients without tokens', unit: '', atMost: 0 },
  heldDecided: { name: 'held long polls, then all approved: until the last token response', unit: 's' },
  deliveries: { name: 'pings delivered', unit: 'a second' },
  approvalPrompt: { name: 'an approval whose client to be pinged answers at once, median', unit: 'ms' },
  approvalHanging: { name: 'an approval whose client to be pinged hangs, median', unit: 'ms' },
  decisionAlone: { name: 'a decision kept by Redis, median', unit: 'ms' },
  decisionWithReplica: { name: 'a decision kept by Redis and a replica (`replicas`), median', unit: 'ms' },
} as const satisfies Readonly<Record<string, Described>>;

export type FigureKey = keyof typeof described;

/** What a measurement finds. */
export type Found = Partial<Record<FigureKey, number>>;

export const FIGURES: Readonly<Record<FigureKey, Described>> = described;

/** A figure that was found. */
export interface Figure extends Described {
  readonly value: number;
}

export const figuresOf = (found: Found): Figure[] =>
  (Object.keys(FIGURES) as FigureKey[]).flatMap((key) => {
    const value = found[key];
    const { name, unit, ...bound } = FIGURES[key];
    return value === undefined ? [] : [{ name, value: rounded(value), unit, ...bound }];
  });

/** Nothing where it has no bound. */
export function isMet({ value, atLeast, atMost }: Figure): boolean | undefined {
  if (atLeast === undefined && atMost === undefined) return undefined;
  return value >= (atLeast ?? Number.NEGATIVE_INFINITY) && value <= (atMost ?? Number.POSITIVE_INFINITY);
}

/** To three digits, or to the unit: more is noise. */
function rounded(value: number): number {
  return Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3));
}
