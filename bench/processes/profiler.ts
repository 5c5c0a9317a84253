import { type Profiler as Protocol, Session } from 'node:inspector';

/** Between two looks at what the process does, in microseconds. */
const INTERVAL = 200;

/** Where processor time goes, by the place of a function in the files, and by its name where it lies in none: the first that fits. */
const PLACES = {
  'writing to sockets': /^ write(v|\w*String|Buffer)$/,
  'garbage collection': /^ \(garbage collector\)$/,
  'oidc-provider': /\/node_modules\/oidc-provider\//,
  jose: /\/node_modules\/jose\//,
  ioredis: /\/node_modules\/(ioredis|redis-errors|denque|standard-as-callback)\//,
  'Express, Koa and theirs': /\/node_modules\//,
  'this package': /\/dist\//,
  'the server’s own adapter and routes': /\/bench\//,
  'Node.js: cryptography': /^node:(internal\/)?crypto/,
  'Node.js: promises and their hooks':
    /^node:(internal\/)?(async_hooks|process\/task_queues)| runMicrotasks$/,
  'Node.js: HTTP, streams and events': /^node:/,
  'the rest': / /,
} as const;

export type Place = keyof typeof PLACES;

/** The share that each place has in the time of which this process did something. */
export type Shares = Readonly<Record<Place, number>>;

/** Looks at what this process does. */
export class Profiler {
  readonly #session = new Session();

  start(): void {
    this.#session.connect();
    this.#session.post('Profiler.enable');
    this.#session.post('Profiler.setSamplingInterval', { interval: INTERVAL });
    this.#session.post('Profiler.start');
  }

  async stop(): Promise<Shares> {
    const profile = await new Promise<Protocol.Profile>((resolve, reject) => {
      this.#session.post('Profiler.stop', (error, found) => (error ? reject(error) : resolve(found.profile)));
    });
    this.#session.disconnect();
    return sharesIn(profile);
  }
}

function sharesIn({ nodes, samples = [], timeDeltas = [] }: Protocol.Profile): Shares {
  const placeOf = new Map<number, Place | undefined>();
  for (const { id, callFrame } of nodes) {
    const { url, functionName } = callFrame;
    const called = `${url} ${functionName}`;
    const [place] = Object.entries(PLACES).find(([, fits]) => fits.test(called)) ?? [];
    placeOf.set(id, functionName === '(idle)' ? undefined : (place as Place));
  }
  const times = new Map<Place, number>();
  let busy = 0;
  for (const [at, id] of samples.entries()) {
    const [place, time] = [placeOf.get(id), timeDeltas[at] ?? 0];
    if (place === undefined) continue;
    busy += time;
    times.set(place, (times.get(place) ?? 0) + time);
  }
  const share = (place: string): number => (times.get(place as Place) ?? 0) / busy;
  return Object.fromEntries(Object.keys(PLACES).map((place) => [place, share(place)])) as Shares;
}
