/** Processor time that this process has had, in milliseconds. */
export function cpu(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

/** The memory that this process has resident, in bytes, once what nobody needs any more is gone. */
export function residentMemory(): number {
  for (let turn = 0; turn < 3; turn += 1) globalThis.gc?.();
  return process.memoryUsage.rss();
}
