import type { Response } from 'express';
import type { Paths } from '../../provider/attach.js';
import type { Incoming } from '../../provider/form-body.js';

/** What the dialect calls the endpoints, below wherever the provider is mounted. */
const ALIASES = { backchannel: '/ciba/auth', token: '/token', registration: '/register' } as const;

/** The endpoints that a message of the dialect may be for. */
export type Endpoint = keyof typeof ALIASES | 'cancel';

const ENDPOINTS: readonly Endpoint[] = ['backchannel', 'token', 'registration', 'cancel'];

/** The endpoint of a path: the server's own paths go before the dialect's. */
export function endpointOf(path: string, paths: Paths): Endpoint | undefined {
  return (
    ENDPOINTS.find((endpoint) => paths[endpoint] === path) ??
    ENDPOINTS.find((endpoint) => endpoint !== 'cancel' && ALIASES[endpoint] === path)
  );
}

/** The paths that an endpoint has. */
export function pathsOf(endpoint: 'backchannel' | 'token', paths: Paths): readonly string[] {
  return [paths[endpoint], ALIASES[endpoint]];
}

/** Sends a request to the server's own path; whoever logs it when it is answered finds the path that it came with. */
export function toOwnPath(req: Incoming, res: Response, path: string): void {
  const { url = '', originalUrl } = req;
  const query = url.indexOf('?');
  const own = query < 0 ? path : `${path}${url.slice(query)}`;
  req.url = own;
  if (!originalUrl?.endsWith(url)) return;
  req.originalUrl = `${originalUrl.slice(0, -url.length)}${own}`;
  res.prependOnceListener('finish', () => {
    req.originalUrl = originalUrl;
  });
}
