// Hears push messages while the phone's page is closed, and says so where the page cannot be had.

const SHELL = 'shell-1';
const OFFLINE = '/offline.html';
const SHELL_FILES = [OFFLINE, '/style.css', '/favicon.svg'];

addEventListener('install', (event) => {
  skipWaiting();
  event.waitUntil(caches.open(SHELL).then((cache) => cache.addAll(SHELL_FILES)));
});

addEventListener('activate', (event) => {
  const old = caches.keys().then((names) => names.filter((name) => name !== SHELL));
  event.waitUntil(old.then((names) => Promise.all(names.map((name) => caches.delete(name)))));
});

// A page that was kept would show what is over: without the network there is only a page that says so.
addEventListener('fetch', (event) => {
  const { request } = event;
  if (request.mode === 'navigate') {
    event.respondWith(fetch(request).catch(() => caches.match(OFFLINE)));
  } else if (SHELL_FILES.includes(new URL(request.url).pathname)) {
    event.respondWith(fetch(request).catch(() => caches.match(request)));
  }
});

addEventListener('push', (event) => {
  const message = event.data.json();
  event.waitUntil(message.type === 'dismiss' ? dismiss(message) : show(message));
});

/** The tag is the request's: the same message twice is one notification. */
function show({ handle, title, body, link }) {
  return registration.showNotification(title, {
    tag: handle,
    body,
    icon: '/icons/phone-192.png',
    badge: '/icons/badge-96.png',
    requireInteraction: true,
    data: { link },
  });
}

/**
 * Browsers take the right away from a worker that hears messages and shows nothing: so the notification is replaced, without a sound,
 * before it is closed.
 */
async function dismiss({ handle }) {
  await registration.showNotification('Nothing to decide any more', { tag: handle, silent: true });
  for (const notification of await registration.getNotifications({ tag: handle })) notification.close();
}

addEventListener('notificationclick', (event) => {
  event.notification.close();
  event.waitUntil(open(event.notification.data?.link));
});

/** The link of the prompt, or where there is none, or it leads elsewhere, the phone's page. */
async function open(link) {
  const own = link && URL.canParse(link) && new URL(link).origin === location.origin;
  if (own) return clients.openWindow(link);
  const windows = await clients.matchAll({ type: 'window', includeUncontrolled: true });
  const phone = windows.find(({ url }) => new URL(url).pathname === '/phone');
  return phone ? phone.focus() : clients.openWindow('/phone');
}
