/** What the fuzzer wants from a server process. */
export interface Order {
  readonly id: number;
  readonly linkOf?: string;
  readonly advance?: number;
}

/** What a server process says of itself. */
export interface Account {
  readonly id: number;
  readonly link?: string | undefined;
  /** Resident memory, and the heap after a garbage collection, in bytes. */
  readonly resident: number;
  readonly heap: number;
  /** What every object has that it had not when the process began. */
  readonly polluted: readonly string[];
}

/** What a server process does for the fuzzer. */
export interface Service {
  linkOf(handle: string): string | undefined;
  advance(seconds: number): void;
}

const before = new Set(Reflect.ownKeys(Object.prototype));

/** Says where the process listens, and answers the fuzzer until that ends. What nobody has caught ends the process, as it does by default. */
export function answerFuzzer(port: number, service: Service): void {
  process.on('message', (order: Order) => {
    if (order.advance !== undefined) service.advance(order.advance);
    const account: Account = {
      id: order.id,
      link: order.linkOf === undefined ? undefined : service.linkOf(order.linkOf),
      ...memory(),
      polluted: Reflect.ownKeys(Object.prototype)
        .filter((key) => !before.has(key))
        .map(String),
    };
    process.send?.(account);
  });
  process.on('disconnect', () => process.exit(0));
  process.send?.(port);
}

function memory(): Pick<Account, 'resident' | 'heap'> {
  const { gc } = globalThis as { gc?: () => void };
  gc?.();
  return { resident: process.memoryUsage.rss(), heap: process.memoryUsage().heapUsed };
}
