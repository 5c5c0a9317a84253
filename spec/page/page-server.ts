import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Decider, Prompt } from 'oidc-provider-ciba';
import { pollClient } from '../support/configuration.js';
import type { PluginServerOptions } from '../support/server.js';
import { ask, type Params, type PluginServer, pluginServer, type Sending } from '../support/server.js';
import { until } from '../support/until.js';

/** A request whose person has been sent a link. */
export interface Linked {
  readonly id: string;
  readonly handle: string;
  readonly link: string;
  readonly prompt: Prompt;
  /** What the asking screen shows, where the client shows a number. */
  readonly number: string;
}

const features: NonNullable<PluginServerOptions['features']> = {
  registration: { enabled: true },
  resourceIndicators: {
    enabled: true,
    getResourceServerInfo: () => ({ scope: 'openid', accessTokenFormat: 'opaque' as const }),
  },
  richAuthorizationRequests: {
    enabled: true,
    types: { payment: { validate: () => {} } },
    authorizationDetailsForAccessToken: () => undefined,
    authorizationDetailsForGrantSource: () => undefined,
    authorizationDetailsForIntrospection: () => undefined,
  } as never,
};

/** What every client here may ask for, and is called. */
const till = { client_name: 'Corner shop till', authorization_details_types: ['payment'] };

const config: NonNullable<PluginServerOptions['config']> = {
  clients: [pollClient('till', till), pollClient('matcher', { ...till, ciba_number_matching: true })],
  acrValues: ['urn:example:hardware'],
};

/** A server with a decision page that a browser can open. Its people are whom the cookie `who` names. */
export class PageServer {
  readonly origin: string;
  readonly plugin: PluginServer;
  readonly #listener: Server;
  readonly #prompts: Map<string, Prompt>;

  private constructor(listener: Server, origin: string, plugin: PluginServer, prompts: Map<string, Prompt>) {
    this.#listener = listener;
    this.origin = origin;
    this.plugin = plugin;
    this.#prompts = prompts;
  }

  static async start(options: PluginServerOptions = {}): Promise<PageServer> {
    const listener = createServer().listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const origin = `http://localhost:${(listener.address() as AddressInfo).port}`;
    const prompts = new Map<string, Prompt>();
    const plugin = pluginServer({
      issuer: origin,
      features,
      ...options,
      config: { ...config, ...options.config },
      ciba: {
        limits: false,
        interaction: ({ headers }): Decider | undefined => {
          const accountId = /who=(\w+)/.exec(headers.cookie ?? '')?.[1];
          return accountId === undefined ? undefined : { accountId };
        },
        channels: [
          {
            name: 'inbox',
            send: async (prompt) => {
              prompts.set(prompt.handle, prompt);
            },
          },
        ],
        ...options.ciba,
      },
    });
    listener.on('request', plugin.app);
    return new PageServer(listener, origin, plugin, prompts);
  }

  /** Asks, and gives what came to the person. */
  async ask(params: Params = {}, sending: Sending = {}): Promise<Linked> {
    const { status, body } = await ask(this.plugin, params, sending);
    expect({ status, error: body.error }).toEqual({ status: 200, error: undefined });
    const handle = this.plugin.ciba.requests.handleOf(body.auth_req_id);
    await until('the link was sent', () => this.#prompts.has(handle));
    const prompt = this.#prompts.get(handle) as Prompt;
    return {
      id: body.auth_req_id,
      handle,
      link: new URL(String(prompt.link)).pathname,
      prompt,
      number: String(body.matching_number),
    };
  }

  async statusOf({ handle }: Linked): Promise<string | undefined> {
    return (await this.plugin.ciba.requests.get(handle))?.status;
  }

  async stop(): Promise<void> {
    await this.plugin.close();
    this.#listener.closeAllConnections();
    this.#listener.close();
    await once(this.#listener, 'close');
  }
}
