import { post, remove } from './dom.js';

const WORKER = '/phone-worker.js';
const SCOPE = '/phone';

/** Whether this browser can be notified. On some systems only once the page is installed. */
export const canBeNotified = () =>
  ['PushManager', 'Notification'].every((name) => name in window) && 'serviceWorker' in navigator;

/** The worker that hears push messages and stands in for the page where the network is away. */
export async function startWorker() {
  if ('serviceWorker' in navigator) await navigator.serviceWorker.register(WORKER, { scope: SCOPE });
}

/** `on`, `off`, or `blocked` where the person has told the browser so. */
export async function notificationState() {
  if (Notification.permission === 'denied') return 'blocked';
  return (await subscription()) ? 'on' : 'off';
}

/** Subscribes this browser for whoever is signed in. Called again it tells the server again, which may have forgotten. */
export async function getNotified(vapidPublicKey) {
  if ((await Notification.requestPermission()) !== 'granted') {
    throw new Error('The browser does not allow this page to notify you.');
  }
  const { pushManager } = await navigator.serviceWorker.ready;
  const key = bytesOf(vapidPublicKey);
  const found = await pushManager.getSubscription();
  // One for another server key is of no use: this server's messages would be refused.
  if (found && !isFor(found, key)) await found.unsubscribe();
  const options = { userVisibleOnly: true, applicationServerKey: key };
  const subscribed = await pushManager.subscribe(options).catch(() => {
    throw new Error('The browser’s push service cannot be reached.');
  });
  await post('/phone/subscriptions', subscribed.toJSON());
}

/** Ends the subscription of this browser: at the server first, and here also where the server does not answer. */
export async function stopNotifying() {
  const found = await subscription();
  if (!found) return;
  try {
    await remove('/phone/subscriptions', { endpoint: found.endpoint });
  } finally {
    await found.unsubscribe();
  }
}

async function subscription() {
  return (await navigator.serviceWorker.getRegistration(SCOPE))?.pushManager.getSubscription();
}

function isFor({ options }, key) {
  const bytes = new Uint8Array(options?.applicationServerKey ?? []);
  return bytes.length === key.length && bytes.every((byte, index) => byte === key[index]);
}

function bytesOf(base64url) {
  const text = atob(base64url.replaceAll('-', '+').replaceAll('_', '/'));
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
