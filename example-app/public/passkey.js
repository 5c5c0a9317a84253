import { post } from './dom.js';

/** Whether this browser speaks the JSON of WebAuthn Level 3. */
export const canUsePasskeys = () =>
  typeof globalThis.PublicKeyCredential?.parseCreationOptionsFromJSON === 'function';

/** Makes a passkey for whoever is signed in; gives how many they have then. */
export async function addPasskey() {
  const options = PublicKeyCredential.parseCreationOptionsFromJSON(await post('/phone/passkeys/new'));
  const passkey = await asked(navigator.credentials.create({ publicKey: options }));
  return (await post('/phone/passkeys', { passkey })).passkeys;
}

/** Signs in whoever the passkey belongs to. */
export async function signInWithPasskey() {
  const options = PublicKeyCredential.parseRequestOptionsFromJSON(await post('/phone/passkeys/challenge'));
  const passkey = await asked(navigator.credentials.get({ publicKey: options }));
  return post('/phone/passkeys/sign-in', { passkey });
}

async function asked(ceremony) {
  try {
    return (await ceremony).toJSON();
  } catch (error) {
    if (error.name === 'InvalidStateError') throw new Error('This device has a passkey for you already.');
    throw new Error('No passkey was used: it was cancelled, or took too long.');
  }
}
