/** Whether an error is what Express' body parser throws; every other one is the server's own to answer. */
export function isBodyError(error: unknown): error is { status: number } {
  const { status, type } = (error ?? {}) as { status?: unknown; type?: unknown };
  return typeof status === 'number' && /^(entity|encoding|charset|request)\./.test(String(type));
}
