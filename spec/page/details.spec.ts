import { pollClient } from '../support/configuration.js';
import { onEveryStore } from '../support/every-store.js';
import type { PluginServer, PluginServerOptions } from '../support/server.js';
import { linked, open, options, sealIn, send, statusOf } from './linked.js';

const features = {
  claimsParameter: { enabled: true },
  resourceIndicators: {
    enabled: true,
    getResourceServerInfo: () => ({ scope: 'openid', accessTokenFormat: 'opaque' }),
  },
  richAuthorizationRequests: {
    enabled: true,
    types: { payment: { validate: () => {} } },
    authorizationDetailsForAccessToken: () => undefined,
    authorizationDetailsForGrantSource: () => undefined,
    authorizationDetailsForIntrospection: () => undefined,
  },
} as unknown as NonNullable<PluginServerOptions['features']>;

const asking = (members: object): Record<string, string> => ({
  authorization_details: JSON.stringify([{ type: 'payment', ...members }]),
  resource: 'urn:example:pay',
});

const nested = (depth: number): object =>
  Array.from({ length: depth }).reduce<object>((inner) => ({ in: inner }), { at: 'the bottom' });

/** The rows of the details, as a person reads them. */
const rowsIn = (text: string): string[][] =>
  [...text.matchAll(/<dt>(.*?)<\/dt><dd>(.*?)<\/dd>/gs)].map(([, ...cells]) =>
    cells.map((cell) => cell.replaceAll(/<[^>]+>/g, '').replaceAll('&#34;', '"')),
  );

onEveryStore('[UX-2] what is asked for', (make) => {
  const server = (): PluginServer =>
    make(
      options({
        features,
        config: { clients: [pollClient('till', { authorization_details_types: ['payment'] })] },
      }),
    );

  it('is shown with what is empty in it', async () => {
    const at = server();
    const { link } = await linked(at, asking({ limits: {}, payees: [], purpose: '', ends: null }));
    expect(rowsIn((await open(at, link, 'alice')).text)).toEqual([
      ['type', 'payment'],
      ['limits', '{}'],
      ['payees', '[]'],
      ['purpose', ''],
      ['ends', 'null'],
    ]);
  });

  it.each([
    ['many members', Object.fromEntries(Array.from({ length: 150 }, (_, at) => [`member ${at}`, `${at}`]))],
    ['members of members', nested(5)],
    ['more members of members than there are rows for', nested(12)],
    ['a long name', { ['x'.repeat(1_900)]: 'a note' }],
    ['a long value', { note: 'x'.repeat(1_900) }],
  ])('can be approved with %s, all of which are shown', async (_, members) => {
    const at = server();
    const { id, link } = await linked(at, asking(members));
    const page = await open(at, link, 'alice');
    const innermost = JSON.stringify(members).match(/"([^"]+)"\}+$/)?.[1];
    expect(rowsIn(page.text).at(-1)?.[1]).toContain(innermost);
    expect((await send(at, link, { form: sealIn(page), verdict: 'approve' })).status).toBe(303);
    expect(await statusOf(at, id)).toBe('approved');
  });

  it.each<[string, Record<string, string>]>([
    [
      'more members than are shown',
      asking(Object.fromEntries(Array.from({ length: 201 }, (_, at) => [`member ${at}`, 'x']))),
    ],
    ['a longer value than is shown', asking({ note: 'x'.repeat(2_001) })],
    ['a longer name than is shown', asking({ ['x'.repeat(2_001)]: 'note' })],
    ['a value that is deep and long', asking({ in: { ...nested(8), note: { in: 'x'.repeat(2_001) } } })],
    ['a longer claim than is shown', { claims: JSON.stringify({ id_token: { ['x'.repeat(2_001)]: null } }) }],
  ])('cannot be approved with %s, but denied', async (_, params) => {
    const at = server();
    const { id, link } = await linked(at, params);
    const page = await open(at, link, 'alice');
    expect(page.text).toContain('This holds more than can be shown here');
    expect(page.text).toContain('…');
    expect(page.text).not.toContain('value="approve"');
    expect(page.text).toContain('value="report"');
    const form = sealIn(page);
    // By hand neither.
    expect((await send(at, link, { form, verdict: 'approve' })).status).toBe(403);
    expect(await statusOf(at, id)).toBe('pending');
    expect((await send(at, link, { form, verdict: 'deny' })).status).toBe(303);
    expect(await statusOf(at, id)).toBe('denied');
  });

  it('is said once where a scope and a claim are the same to a person', async () => {
    const at = server();
    const claims = JSON.stringify({ id_token: { name: null }, userinfo: { given_name: null } });
    const { link } = await linked(at, { scope: 'openid profile', claims });
    const { text } = await open(at, link, 'alice');
    expect(text.match(/See your name/g)).toHaveLength(1);
    expect(text).toContain('See your first name');
  });
});
