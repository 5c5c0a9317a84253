// Looking at requests, deciding them, and what is thrown.
import {
  type Approval,
  type AuthorizationDetail,
  CibaError,
  type CibaErrorCode,
  createCiba,
  type Denial,
  hashUserCode,
  matchesUserCode,
  type Outcome,
  type Requests,
  type RequestView,
  type Status,
  type UserCodeOptions,
} from 'oidc-provider-ciba';
import type { Equal, Expect } from './equal.js';

const requests: Requests = createCiba().requests;
const handle: string = requests.handleOf('auth_req_id');

const view: RequestView | undefined = await requests.get(handle);
const pending: RequestView[] = await requests.list('alice');
const details: readonly AuthorizationDetail[] = view?.authorizationDetails ?? [];
export const kinds: string[] = details.map(({ type }) => type);
export const shown: string = [
  view?.clientName ?? view?.clientId,
  view?.bindingMessage,
  view?.expiresIn,
].join();
export const ends: Date | undefined = pending[0]?.expiresAt;

const approval: Required<Approval> = {
  accountId: 'alice',
  acr: 'urn:example:phone',
  amr: ['pop', 'user'],
  authTime: 1_700_000_000,
  number: '42',
  scope: 'openid',
  grantId: 'grant',
  rar: [{ type: 'payment', amount: '12.50' }],
  sessionUid: 'uid',
  expiresWithSession: true,
  sid: 'sid',
};
const denial: Required<Denial> = { accountId: 'alice', error: 'access_denied', description: 'no' };
export const decided: Promise<void>[] = [
  requests.approve(handle, approval),
  requests.approve(handle, { accountId: 'alice', acr: undefined }),
  requests.deny(handle, denial),
  requests.deny(handle, { accountId: 'alice' }),
  requests.report(handle, { accountId: 'alice' }),
  requests.cancel(handle),
  requests.unblock('alice', 'till'),
];

/** Every code is told apart: the compiler refuses one that is missing. */
export function sentenceFor(error: CibaError): string {
  switch (error.code) {
    case 'invalid_option':
    case 'not_attached':
    case 'not_deliverable':
    case 'unfit_user_code':
    case 'invalid_decision':
      return error.message;
    case 'not_found':
      return 'unknown';
    case 'forbidden':
      return 'not yours';
    case 'already_decided':
    case 'expired':
    case 'wrong_number':
      return error.outcome ?? 'over';
    case 'acr_not_met':
      return 'sign in again';
    case 'store_unavailable':
      return String(error.cause);
  }
}

export function isOver(error: unknown): boolean {
  return error instanceof CibaError && error.code === 'already_decided' && error.outcome !== 'approved';
}
export const made: CibaError = new CibaError('not_found', 'nothing', { outcome: 'expired', cause: 1 });

const options: UserCodeOptions = { isPassword: async (typed) => typed === 'password' };
export const hash: Promise<string> = hashUserCode('1234', options);
export const matches: Promise<boolean> = matchesUserCode('1234', undefined);

export type Checks = [
  Expect<Equal<CibaError['code'], CibaErrorCode>>,
  Expect<Equal<CibaError['outcome'], Outcome | undefined>>,
  Expect<Equal<Outcome, 'approved' | 'denied' | 'cancelled' | 'expired'>>,
  Expect<
    Equal<
      Status,
      | 'pending'
      | 'approved'
      | 'claimed'
      | 'redeemed'
      | 'delivered'
      | 'undeliverable'
      | 'denied'
      | 'cancelled'
      | 'expired'
    >
  >,
  Expect<Equal<RequestView['status'], Status>>,
  // What a device may see has no secret in it.
  Expect<Equal<Extract<keyof RequestView, 'authReqId' | 'auth_req_id' | 'number' | 'userCode'>, never>>,
];

// @ts-expect-error somebody decides
requests.approve(handle, {});
// @ts-expect-error amr is a list (OIDC Core 2)
requests.approve(handle, { accountId: 'alice', amr: 'pop' });
// @ts-expect-error auth_time is in seconds, not a Date
requests.approve(handle, { accountId: 'alice', authTime: new Date() });
// @ts-expect-error each detail has a type (RFC 9396)
requests.approve(handle, { accountId: 'alice', rar: [{ amount: '1' }] });
// @ts-expect-error there is no reason of that name
requests.deny(handle, { accountId: 'alice', reason: 'no' });
// @ts-expect-error a request is looked at under its handle
requests.get();
// @ts-expect-error nothing may be there
pending[0].handle;
// @ts-expect-error a view is read, not written
if (view) view.status = 'approved';
// @ts-expect-error there is no such code
new CibaError('gone', 'nothing');
// @ts-expect-error a user code is a text
hashUserCode(1234);
