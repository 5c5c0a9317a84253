import type { Request } from 'express';
import { PHONE_COOKIE, PhoneSession } from '../../example-app/phone-session.js';

const session = new PhoneSession('a secret of this spec', false);
const reading = (cookie: string) =>
  session.read({ get: () => `${PHONE_COOKIE}=${cookie}` } as unknown as Request);

it('knows who signed in, and when', () => {
  expect(reading(session.issue('alice'))).toMatchObject({ accountId: 'alice', authTime: expect.any(Number) });
});

it.each([
  ['of another account', session.issue('alice').replace('alice', 'bob')],
  ['of another time', session.issue('alice').replace(/\.\d+\./, '.1.')],
  ['without a signature', 'alice.1'],
  ['with bytes that are no signature', `alice.1.${'\u00e9'.repeat(43)}`],
  ['of nobody', session.issue('mallory')],
])('takes a cookie %s for nobody', (_what, cookie) => {
  expect(reading(cookie)).toBeUndefined();
});
