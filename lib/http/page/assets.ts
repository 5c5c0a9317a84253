import { createHash } from 'node:crypto';

/** The page's style: calm, a phone first, light and dark. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --ground: #f4f4f1; --card: #ffffff; --ink: #1b1c1a; --soft: #5c5f5a; --line: #d9dad4;
  --accent: #1f4fd1; --accent-ink: #ffffff; --good: #1c7345; --bad: #b3261e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #141513; --card: #1f211e; --ink: #f0f0ea; --soft: #aeb1a8; --line: #3a3d37;
    --accent: #9db7ff; --accent-ink: #0d1a3d; --good: #7fd6a5; --bad: #ffb4ab;
  }
}
* { box-sizing: border-box; }
html { font: 100%/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; -webkit-text-size-adjust: 100%; }
body { margin: 0; min-height: 100vh; background: var(--ground); color: var(--ink); }
main { max-width: 30rem; margin: 0 auto; padding: clamp(0.75rem, 4vw, 3rem) 0.75rem; }
.card {
  background: var(--card); border: 1px solid var(--line); border-radius: 1rem; padding: clamp(1.1rem, 5vw, 2rem);
  overflow-wrap: anywhere;
}
h1 { margin: 0 0 1rem; font-size: 1.5rem; line-height: 1.25; text-wrap: balance; }
h2 { margin: 1.25rem 0 0.25rem; font-size: 0.875rem; font-weight: 600; color: var(--soft); }
p { margin: 0 0 0.75rem; }
.asks { color: var(--soft); margin-bottom: 0.25rem; }
.asks strong { color: var(--ink); }
.scopes { margin: 0; padding-inline-start: 1.1rem; }
.details { margin: 0 0 0.5rem; border: 1px solid var(--line); border-radius: 0.75rem; padding: 0.25rem 0.9rem; }
.details div { display: grid; grid-template-columns: minmax(5rem, 1fr) 2fr; gap: 0.75rem; padding: 0.4rem 0; }
.details div + div { border-top: 1px solid var(--line); }
dt { color: var(--soft); }
dd { margin: 0; font-weight: 600; }
.time { display: flex; justify-content: space-between; align-items: baseline; gap: 1rem; margin: 1.25rem 0 1rem; color: var(--soft); }
.time [role=timer] { color: var(--ink); font-weight: 600; font-variant-numeric: tabular-nums; white-space: nowrap; }
.decision { display: grid; grid-template-columns: 1fr 1fr; gap: 0.75rem; }
button, .button {
  display: inline-block; min-height: 3rem; padding: 0.6rem 1rem; border: 2px solid var(--accent); border-radius: 0.75rem;
  background: var(--accent); color: var(--accent-ink); font: inherit; font-weight: 600; text-align: center; text-decoration: none;
  cursor: pointer; width: 100%;
}
button[disabled] { opacity: 0.55; cursor: default; }
button.link, a.link {
  display: inline-flex; align-items: center; min-height: 2.75rem; width: auto; padding: 0; border: 0; background: none;
  color: var(--ink); font-weight: 400; text-decoration: underline;
}
:focus-visible { outline: 3px solid var(--accent); outline-offset: 3px; }
.report { margin: 1rem 0 0; padding-top: 0.5rem; border-top: 1px solid var(--line); }
.hint { display: block; font-size: 0.875rem; color: var(--soft); }
.number label { display: block; font-weight: 600; }
.number input {
  width: 6rem; min-height: 3rem; margin: 0.25rem 0 0.5rem; padding: 0.25rem 0.5rem; border: 2px solid var(--soft); border-radius: 0.75rem;
  background: var(--card); color: var(--ink); font: inherit; font-size: 1.5rem; letter-spacing: 0.2em; text-align: center;
}
.number input[aria-invalid] { border-color: var(--bad); }
.problem { padding: 0.6rem 0.9rem; border: 2px solid var(--bad); border-radius: 0.75rem; color: var(--bad); }
.notice { text-align: center; }
.notice svg { width: 3rem; height: 3rem; margin-bottom: 0.5rem; fill: none; stroke: var(--soft); stroke-width: 3; stroke-linecap: round; stroke-linejoin: round; }
.notice.good svg { stroke: var(--good); }
.notice.bad svg { stroke: var(--bad); }
.notice :last-child { margin-bottom: 0; }
[hidden] { display: none; }
@media (min-width: 40rem) { main { padding-top: 12vh; } }
`;

/** What the page can do with a script: count down, send a form once, and use a passkey. */
export const SCRIPT = `
const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (character) => character.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\\+/g, '-').replace(/\\//g, '_').replace(/=+$/, '');

// Opens the link anew: a page that answered a form would send the form again.
const look = () => location.replace(location.pathname);

const time = document.querySelector('.time');
if (time) {
  const end = performance.now() + Number(time.dataset.seconds) * 1000;
  const timer = document.createElement('span');
  timer.setAttribute('role', 'timer');
  time.append(timer);
  const tick = () => {
    const left = Math.max(0, Math.ceil((end - performance.now()) / 1000));
    if (left === 0) look();
    else setTimeout(tick, 1000);
    timer.textContent = Math.floor(left / 60) + ':' + String(left % 60).padStart(2, '0');
    // The words that are beside it must not say another time.
    const minutes = time.querySelector('.minutes');
    if (minutes && left >= 60) minutes.textContent = Math.floor(left / 60);
    else if (minutes) minutes.parentElement.textContent = time.dataset.lastMinute;
  };
  tick();
}

const form = document.querySelector('form');
form?.addEventListener('submit', (event) => {
  // The button's value is sent with the form, so it is switched off only afterwards.
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = 'yes';
  setTimeout(() => { for (const button of form.querySelectorAll('button')) button.disabled = true; });
});
addEventListener('pageshow', () => {
  if (!form) return;
  delete form.dataset.sent;
  for (const button of form.querySelectorAll('button')) button.disabled = false;
});

const passkey = document.getElementById('passkey');
const post = (path, body) => fetch(location.pathname + path, {
  method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body),
});
const signIn = async () => {
  const options = await (await post('/passkey/options', {})).json();
  const publicKey = {
    ...options,
    challenge: bytes(options.challenge),
    allowCredentials: options.allowCredentials?.map((credential) => ({ ...credential, id: bytes(credential.id) })),
  };
  const { id, rawId, type, response } = await navigator.credentials.get({ publicKey });
  const { authenticatorData, clientDataJSON, signature, userHandle } = response;
  const answer = await post('/passkey', {
    id, type, rawId: text(rawId), clientExtensionResults: {},
    response: {
      authenticatorData: text(authenticatorData), clientDataJSON: text(clientDataJSON), signature: text(signature),
      ...(userHandle && { userHandle: text(userHandle) }),
    },
  });
  if (!answer.ok) throw new Error('refused');
  look();
};
if (passkey && window.PublicKeyCredential) {
  passkey.hidden = false;
  passkey.addEventListener('click', async () => {
    const failed = document.getElementById('passkey-failed');
    failed.hidden = true;
    passkey.disabled = true;
    try {
      await signIn();
    } catch {
      failed.hidden = false;
      passkey.disabled = false;
      passkey.focus();
    }
  });
}
`;

/** Changes with the assets, so that a browser may keep them for long. */
export const ASSETS_VERSION: string = createHash('sha256')
  .update(STYLE)
  .update(SCRIPT)
  .digest('base64url')
  .slice(0, 8);
