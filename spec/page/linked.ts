import type { Decider } from 'oidc-provider-ciba';
import request, { type Response } from 'supertest';
import { asked, type PluginServer, type PluginServerOptions } from '../support/server.js';
import { until } from '../support/until.js';

const SESSIONS: Readonly<Record<string, Decider>> = {
  alice: { accountId: 'alice', acr: 'urn:example:strong', amr: ['pwd'], authTime: 1_700_000_000 },
  bob: { accountId: 'bob' },
};

/** Whoever the cookie names is signed in. */
export const given: NonNullable<NonNullable<PluginServerOptions['ciba']>['interaction']> = (req) =>
  SESSIONS[/who=(\w+)/.exec(req.headers.cookie ?? '')?.[1] ?? ''];

const links = new Map<string, string>();
export const options = (more: PluginServerOptions = {}): PluginServerOptions => ({
  ...more,
  ciba: {
    interaction: given,
    channels: [
      {
        name: 'inbox',
        send: async ({ handle, link }) => {
          links.set(handle, new URL(String(link)).pathname);
        },
      },
    ],
    ...more.ciba,
  },
});

/** The path of the link that the person of a request gets. */
export async function linkOf(server: PluginServer, id: string): Promise<string> {
  const handle = server.ciba.requests.handleOf(id);
  await until('the link was sent', () => links.has(handle));
  return String(links.get(handle));
}

/** Asks, and gives the path of the link that the person got. */
export async function linked(
  server: PluginServer,
  params: Record<string, string> = {},
): Promise<{ id: string; link: string }> {
  const id = await asked(server, params);
  return { id, link: await linkOf(server, id) };
}

export const open = (server: PluginServer, link: string, who = ''): request.Test =>
  request(server.app).get(link).set('cookie', `who=${who}`);

export const send = (
  server: PluginServer,
  link: string,
  form: Record<string, string>,
  who = 'alice',
): request.Test => request(server.app).post(link).set('cookie', `who=${who}`).type('form').send(form);

export const sealIn = ({ text }: Response): string => /name="form" value="([^"]+)"/.exec(text)?.[1] ?? '';

export async function statusOf(server: PluginServer, id: string): Promise<string | undefined> {
  return (await server.ciba.requests.get(server.ciba.requests.handleOf(id)))?.status;
}

/** Where a browser goes from the page that a form was sent from. */
export const leadsTo = (link: string, { headers }: Response): string =>
  new URL(String(headers['location']), `http://op.example${link}`).pathname;

export const titleOf = ({ text }: Response): string | undefined => /<h1[^>]*>(.*?)<\/h1>/s.exec(text)?.[1];
