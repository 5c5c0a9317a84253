/** An `error_description`: printable ASCII without quotes and backslashes (RFC 6749 5.2). */
export function plainDescription(description: string | undefined): string | undefined {
  return description?.replaceAll('"', "'").replaceAll(/[^\x20-\x5b\x5d-\x7e]/g, '?');
}
