/** A call of one process of the benchmark by another. */
export interface Call {
  readonly id: number;
  readonly name: string;
  readonly argument?: unknown;
}

/** What came of it. */
export interface Reply {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string | undefined;
}

/** Answers the calls of the process that started this one, and ends with it. */
export function answerCalls(calls: object): void {
  const table = new Map<string, (argument: unknown) => unknown>(Object.entries(calls));
  process.on('message', async ({ id, name, argument }: Call) => {
    try {
      reply({ id, value: await table.get(name)?.(argument) });
    } catch (error) {
      reply({ id, error: (error as Error).stack });
    }
  });
  process.on('disconnect', () => process.exit());
}

/** What this process was started for. */
export function givenTo<Given>(): Given {
  return JSON.parse(String(process.argv[2])) as Given;
}

function reply(message: Reply): void {
  process.send?.(message);
}
