import { expect, it, jest } from '@jest/globals';
import { findAccount, pollClient } from '../support/configuration.js';
import { onEveryStore } from '../support/every-store.js';
import { asked, introspect, type PluginServer, poll } from '../support/server.js';

jest.setTimeout(60_000);

/** What a server's administrator does to somebody while a request is under way. */
interface Change {
  readonly what: string;
  readonly do: (world: World) => Promise<void> | void;
  /** What the client hears that comes for its tokens. */
  readonly heard: string;
  /** Only where there is an approval already. */
  readonly afterwards?: true;
}

interface World {
  readonly server: PluginServer;
  readonly disabled: Set<string>;
  readonly grantIds: string[];
  readonly register: (metadata: object | undefined) => Promise<void>;
}

const CLIENT = 'changing';
const as = { client: CLIENT };

const CHANGES: readonly Change[] = [
  {
    what: 'the account is disabled',
    do: ({ disabled }) => void disabled.add('alice'),
    heard: '400 invalid_grant',
  },
  { what: 'the client is deleted', do: ({ register }) => register(undefined), heard: '401 invalid_client' },
  {
    what: 'the client loses the grant type',
    do: ({ register }) => register(pollClient(CLIENT, { grant_types: ['refresh_token'] })),
    heard: '400 unauthorized_client',
  },
  {
    what: 'the client’s secret is changed',
    do: ({ register }) => register(pollClient(CLIENT, { client_secret: 'another-secret' })),
    heard: '401 invalid_client',
  },
  {
    what: 'the grant is revoked',
    do: async ({ server, grantIds }) => {
      for (const id of grantIds) await (await server.provider.Grant.find(id))?.destroy();
    },
    heard: '400 invalid_grant',
    afterwards: true,
  },
];

onEveryStore('[F46] where somebody is changed while a request is under way', (make) => {
  async function begin(): Promise<World> {
    const disabled = new Set<string>();
    const server = make({
      ciba: { rememberCredentials: 60 },
      config: {
        findAccount: async (ctx, id) => (disabled.has(id) ? undefined : findAccount(ctx, id)),
      },
    });
    const grantIds: string[] = [];
    const save = server.provider.Grant.prototype.save;
    server.provider.Grant.prototype.save = async function saveAndTell(...given) {
      const id = await save.apply(this, given);
      grantIds.push(id);
      return id;
    };
    const clients = server.store.adapter('Client');
    const register = async (metadata: object | undefined): Promise<void> => {
      if (metadata) await clients.upsert(CLIENT, metadata as never, 3_600);
      else await clients.destroy(CLIENT);
    };
    await register(pollClient(CLIENT));
    return { server, disabled, grantIds, register };
  }

  const MOMENTS = ['before the decision', 'after the approval', 'while the client polls'] as const;
  const CASES = CHANGES.flatMap((change) =>
    MOMENTS.filter((moment) => !(change.afterwards && moment === 'before the decision')).map(
      (moment) => [change.what, moment, change] as const,
    ),
  );

  it.each(CASES)('%s, %s: no tokens', async (_what, moment, change) => {
    const world = await begin();
    const { server } = world;
    const id = await asked(server, { scope: 'openid offline_access' }, as);
    // So that the gate knows its credentials: what is decided must go by the whole road all the same.
    if (moment === 'while the client polls') {
      expect((await poll(server, id, {}, as)).body.error).toBe('authorization_pending');
    }
    if (moment === 'before the decision') await change.do(world);
    // The person may have said yes to what is not there any more; it comes to nothing.
    await server.approve(id).catch(() => {});
    if (moment !== 'before the decision') await change.do(world);
    const { status, body } = await poll(server, id, {}, as);
    expect(`${status} ${body.error}`).toBe(change.heard);
    expect(body.access_token).toBe(undefined);
    expect(server.store.count('AccessToken')).toBe(0);
    expect(server.store.count('RefreshToken')).toBe(0);
  });

  it('the account is disabled after its tokens were given: they are refreshed no more', async () => {
    const { server, disabled } = await begin();
    const id = await asked(server, { scope: 'openid offline_access' }, as);
    await server.approve(id);
    const { body } = await poll(server, id, {}, as);
    expect((await introspect(server, body.access_token)).active).toBe(true);
    disabled.add('alice');
    const refreshing = {
      grant_type: 'refresh_token',
      refresh_token: body.refresh_token,
      auth_req_id: undefined,
    };
    expect((await poll(server, id, refreshing, as)).body.error).toBe('invalid_grant');
  });

  it('the control: nobody is changed, and there are tokens', async () => {
    const { server } = await begin();
    const id = await asked(server, {}, as);
    await server.approve(id);
    expect((await poll(server, id, {}, as)).status).toBe(200);
  });
});
