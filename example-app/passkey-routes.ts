import {
  type AuthenticationResponseJSON,
  generateAuthenticationOptions,
  generateRegistrationOptions,
  type RegistrationResponseJSON,
  verifyAuthenticationResponse,
  verifyRegistrationResponse,
} from '@simplewebauthn/server';
import { type Response, Router } from 'express';
import { personById } from './accounts.js';
import { field, handled, jsonBody } from './http.js';
import type { PasskeyChallenge } from './passkey-challenge.js';
import type { Passkeys } from './passkeys.js';
import type { PhoneSession } from './phone-session.js';

/** What passkeys are made and used with. */
export interface PasskeyParts {
  readonly passkeys: Passkeys;
  readonly challenge: PasskeyChallenge;
  readonly session: PhoneSession;
  /** The origin of the phone's pages: a passkey is bound to its host name. */
  readonly origin: string;
}

/** Adding a passkey on the phone, and signing in with one (WebAuthn). */
export function passkeyRoutes({ passkeys, challenge, session, origin }: PasskeyParts): Router {
  const router = Router();
  const rpID = new URL(origin).hostname;

  router.post(
    '/phone/passkeys/new',
    jsonBody,
    handled(async (req, res) => {
      const person = personById(session.read(req)?.accountId);
      if (!person) return refuse(res, 401, 'nobody is signed in');
      const known = await passkeys.of(person.id);
      const options = await generateRegistrationOptions({
        rpName: 'CIBA example',
        rpID,
        userName: person.email,
        userDisplayName: person.name,
        // Comes back with every use: whoever signs in need not say who they are.
        userID: new Uint8Array(Buffer.from(person.id)),
        excludeCredentials: known.map(({ id }) => ({ id })),
        authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
      });
      challenge.open(res, `add ${person.id}`, options.challenge);
      res.json(options);
    }),
  );

  router.post(
    '/phone/passkeys',
    jsonBody,
    handled(async (req, res) => {
      const accountId = session.read(req)?.accountId;
      if (!accountId) return refuse(res, 401, 'nobody is signed in');
      const expectedChallenge = await challenge.take(req, res, `add ${accountId}`);
      if (!expectedChallenge) return refuse(res, 400, 'this took too long: begin again');
      const response = field(req, 'passkey') as RegistrationResponseJSON;
      const { registrationInfo } = await verifyRegistrationResponse({
        response,
        expectedChallenge,
        expectedOrigin: origin,
        expectedRPID: rpID,
      }).catch(() => ({ registrationInfo: undefined }));
      if (!registrationInfo) return refuse(res, 400, 'the passkey did not stand the check');
      await passkeys.add(accountId, registrationInfo.credential);
      res.status(201).json({ passkeys: (await passkeys.of(accountId)).length });
    }),
  );

  router.post(
    '/phone/passkeys/challenge',
    jsonBody,
    handled(async (_req, res) => {
      const options = await generateAuthenticationOptions({ rpID, userVerification: 'required' });
      challenge.open(res, 'sign in', options.challenge);
      res.json(options);
    }),
  );

  router.post(
    '/phone/passkeys/sign-in',
    jsonBody,
    handled(async (req, res) => {
      const expectedChallenge = await challenge.take(req, res, 'sign in');
      if (!expectedChallenge) return refuse(res, 400, 'this took too long: begin again');
      const response = field(req, 'passkey') as AuthenticationResponseJSON | undefined;
      const person = personById(Buffer.from(String(response?.response?.userHandle), 'base64url').toString());
      const passkey = person && (await passkeys.find(person.id, String(response?.id)));
      if (!response || !passkey) return refuse(res, 401, 'nobody here has this passkey');
      const { id, counter } = passkey;
      const { verified, authenticationInfo } = await verifyAuthenticationResponse({
        response,
        expectedChallenge,
        expectedOrigin: origin,
        expectedRPID: rpID,
        credential: { id, counter, publicKey: new Uint8Array(passkey.publicKey) },
      }).catch(() => ({ verified: false, authenticationInfo: undefined }));
      if (!verified || !authenticationInfo) return refuse(res, 401, 'the passkey did not stand the check');
      await passkeys.used(person.id, id, authenticationInfo.newCounter);
      session.signIn(res, person.id, 'passkey');
      res.json({ person });
    }),
  );
  return router;
}

function refuse(res: Response, status: number, sentence: string): void {
  const error = status === 401 ? 'login_required' : 'invalid_request';
  res.status(status).json({ error, error_description: sentence });
}
