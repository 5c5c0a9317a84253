import { byId } from './dom.js';
import { returnAddress } from './return-address.js';
import { offerSignIn } from './sign-in.js';

const { people } = await (await fetch('/phone/session')).json();
const back = returnAddress(location) ?? new URL('/phone', location.origin);
offerSignIn(byId('people'), people, () => location.replace(back));
