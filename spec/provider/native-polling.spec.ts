import { mends } from '../support/native-row.js';
import { ask, asked, introspect, pluginServer, poll, post } from '../support/server.js';

describe('native row 1: a client that polls too fast', () => {
  mends('it is told slow_down, and when to come again [POLL-3] [TERR-2]', {
    check: async (server) => {
      const authReqId = await asked(server);
      expect((await poll(server, authReqId)).body.error).toBe('authorization_pending');
      const tooFast = await poll(server, authReqId);
      expect(tooFast.body.error).toBe('slow_down');
      expect(tooFast.headers['retry-after']).toBe('10');
    },
    bareShows: 'authorization_pending',
  });

  mends('a pending answer has Retry-After', {
    check: async (server) => {
      const pending = await poll(server, await asked(server));
      expect(pending.headers['retry-after']).toBe('5');
    },
    bareShows: undefined,
  });
});

describe('native row 2: the interval', () => {
  mends('the acknowledgement tells it [ACK-6]', {
    check: async (server) => {
      expect((await ask(server)).body.interval).toBe(5);
    },
    bareShows: undefined,
  });

  it('can be set with the plugin, and is then the one that is enforced', async () => {
    const server = pluginServer({ ciba: { interval: 9 } });
    const { body } = await ask(server);
    expect(body.interval).toBe(9);
    await poll(server, body.auth_req_id);
    server.advance(8);
    expect((await poll(server, body.auth_req_id)).body.error).toBe('slow_down');
    await server.close();
  });
});

describe('native row 8: the reason of a denial', () => {
  mends('it reaches the client', {
    check: async (server) => {
      const authReqId = await asked(server);
      await server.deny(authReqId, 'this is not my order');
      expect((await poll(server, authReqId)).body.error_description).toBe('this is not my order');
    },
    bareShows: undefined,
  });
});

describe('native row 12: a poll after the end', () => {
  mends('it hears expired_token, from a store that forgets a record when its time is up too [TERR-3]', {
    check: async (server) => {
      const authReqId = await asked(server, { requested_expiry: '10' });
      server.advance(12);
      expect((await poll(server, authReqId)).body.error).toBe('expired_token');
    },
    bareShows: 'invalid_grant',
  });
});

describe('native row 14: a denial that is asked for twice', () => {
  mends('it is told twice [TERR-4]', {
    check: async (server) => {
      const authReqId = await asked(server);
      await server.deny(authReqId);
      const answers = [await poll(server, authReqId), await poll(server, authReqId)];
      expect(answers.map(({ body }) => body.error)).toEqual(['access_denied', 'access_denied']);
    },
    bareShows: ['access_denied', 'invalid_grant'],
  });
});

describe('native row 15: a token answer that was lost on the way', () => {
  mends('the retry is refused, and the tokens of the first answer live [TOK-6]', {
    check: async (server) => {
      const authReqId = await asked(server);
      await server.approve(authReqId);
      const { access_token: accessToken } = (await poll(server, authReqId)).body;
      expect((await poll(server, authReqId)).body.error).toBe('invalid_grant');
      expect((await introspect(server, accessToken)).active).toBe(true);
      const userinfo = await post(server, '/me', {}, { headers: { authorization: `Bearer ${accessToken}` } });
      expect(userinfo.body.sub).toBe('alice');
    },
    bareShows: false,
  });
});
