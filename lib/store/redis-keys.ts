/** The key of a request. */
export const requestKey = (prefix: string, handle: string): string => `${prefix}:{${handle}}`;

/** The key of what its client is told with: in the same slot, and with a life of its own, because it is secret. */
export const callbackKey = (prefix: string, handle: string): string => `${prefix}:{${handle}}:callback`;
