import { payloadOf, storablePayload } from '../../lib/request/payload.js';

const ACR = 'urn:example:loa2 urn:example:loa1';
const CLAIMS_OF_ACR = { id_token: { acr: { values: ACR.split(' ') } } };

/** A model as oidc-provider makes it. */
const modelOf = (params: object, more: object = {}): Readonly<Record<string, unknown>> => ({
  iat: 1_800_000_000,
  exp: 1_800_000_120,
  jti: 'auth-req-id',
  kind: 'BackchannelAuthenticationRequest',
  accountId: 'alice',
  clientId: 'till',
  claims: {},
  scope: 'openid profile',
  params: { client_id: 'till', scope: 'openid profile', binding_message: 'Order 4711', ...params },
  ...more,
});

/** What is read again of what was stored. */
const kept = (model: Readonly<Record<string, unknown>>) =>
  payloadOf({ payload: JSON.stringify(storablePayload(model, 'The till')), clientId: 'till' });

test.each([
  ['a plain request', modelOf({})],
  ['one with acr_values', modelOf({ acr_values: ACR }, { claims: CLAIMS_OF_ACR })],
  [
    'one with claims of its own',
    modelOf({ claims: '{"userinfo":{"email":null}}' }, { claims: { userinfo: { email: null } } }),
  ],
  [
    'one with both',
    modelOf(
      { acr_values: ACR, claims: '{"userinfo":{"email":null}}' },
      { claims: { userinfo: { email: null }, ...CLAIMS_OF_ACR } },
    ),
  ],
  ['one whose scope was narrowed', modelOf({ scope: 'openid profile email' })],
  ['one with resources and details', modelOf({ resource: ['urn:a'] }, { resource: ['urn:a'], rar: [{}] })],
])('what is stored of %s is read again as it was', (_, model) => {
  const {
    iat: _iat,
    exp: _exp,
    jti: _jti,
    kind: _kind,
    accountId: _accountId,
    clientId: _clientId,
    ...rest
  } = model;
  expect(kept(model)).toEqual({ model: rest, clientName: 'The till' });
});

test('what follows from the rest is not stored twice', () => {
  const { model } = storablePayload(modelOf({ acr_values: ACR }, { claims: CLAIMS_OF_ACR }), undefined);
  expect(model).toEqual({
    scope: 'openid profile',
    params: { binding_message: 'Order 4711', acr_values: ACR },
  });
});
