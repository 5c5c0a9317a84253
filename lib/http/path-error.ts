/** Whether an error is what Express throws for a path that is badly encoded: it leads to nothing, and the error would be shown with what was sent. */
export function isPathError(error: unknown): boolean {
  return error instanceof URIError && (error as { status?: unknown }).status === 400;
}
