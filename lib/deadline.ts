/** What {@link within} throws when the time is up. */
export class DeadlineError extends Error {
  override readonly name = 'DeadlineError';
}

/** Waits so many milliseconds for something that may never come. It is not stopped: what becomes of it later is the caller's to hear. */
export function within<T>(milliseconds: number, what: string, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = (): void => reject(new DeadlineError(`${what} took longer than ${milliseconds} ms`));
    // What has come already is heard first: a process that was busy for so long has not read it yet.
    const timer = setTimeout(() => setImmediate(late), milliseconds);
    work.then(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (error: unknown) => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}
