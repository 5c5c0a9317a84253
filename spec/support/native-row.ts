import {
  bareServer,
  type PluginServerOptions,
  pluginServer,
  type Server,
  type ServerOptions,
} from './server.js';

/** A promise that bare oidc-provider does not keep, and the plugin does. */
export interface Mended {
  /** The one assertion, for both servers. */
  readonly check: (server: Server) => Promise<void>;
  /** What the failing expectation of {@link Mended.check} finds on bare oidc-provider. */
  readonly bareShows: unknown;
  /** What both servers are made with. */
  readonly given?: ServerOptions;
  /** What the server with the plugin is made with besides. */
  readonly plugin?: PluginServerOptions;
}

/** Two tests of one assertion: bare oidc-provider fails it, with the plugin it holds. */
export function mends(promise: string, { check, bareShows, given = {}, plugin = {} }: Mended): void {
  it(`bare oidc-provider fails it: ${promise}`, async () => {
    const server = bareServer(given);
    try {
      await expect(check(server)).rejects.toMatchObject({ matcherResult: { actual: bareShows } });
    } finally {
      await server.close();
    }
  });

  it(`with the plugin it holds: ${promise}`, async () => {
    const server = pluginServer({ ...given, ...plugin });
    try {
      await check(server);
    } finally {
      await server.close();
    }
  });
}

/** Whether a call was accepted, for calls that may refuse. */
export async function acceptance(call: Promise<unknown>): Promise<'accepted' | 'refused'> {
  return call.then(
    () => 'accepted',
    () => 'refused',
  );
}
