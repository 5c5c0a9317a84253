/** What {@link within} throws when the time is up. */
export class DeadlineError extends Error {
  override readonly name = 'DeadlineError';
}

/** Waits so many milliseconds for something that may never come. It is not stopped: what becomes of it later is the caller's to hear. */
export async function within<T>(milliseconds: number, what: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new DeadlineError(`${what} took longer than ${milliseconds} ms`)),
      milliseconds,
    );
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
