import { showDevice } from './device.js';
import { byId, element, get, post } from './dom.js';
import { canBeNotified, startWorker, stopNotifying } from './notifications.js';
import { showPrompt } from './prompt.js';
import { offerSignIn } from './sign-in.js';

const WORDS = { approved: 'Approved', denied: 'Denied', expired: 'Expired', cancelled: 'Taken back' };
const KEPT = 5;

let events;
/** The prompts on the screen, by handle. */
const prompts = new Map();

const begin = () => start().catch(trouble);

async function start() {
  const { person, people, ...device } = await get('/phone/session');
  byId('sign-in').hidden = Boolean(person);
  byId('inbox').hidden = !person;
  byId('sign-out').hidden = !person;
  byId('who').textContent = person ? `${person.name}’s phone` : 'Phone';
  if (person) {
    listen();
    showDevice(byId('device'), device);
  } else {
    offerSignIn(byId('people'), people, begin);
  }
}

function listen() {
  events = new EventSource('/phone/events');
  events.addEventListener('pending', ({ data }) => showPending(JSON.parse(data).requests));
  events.addEventListener('ended', ({ data }) => remember(JSON.parse(data)));
  events.addEventListener('blocked', ({ data }) => showBlocked(JSON.parse(data).clients));
  events.addEventListener('trouble', () =>
    trouble(new Error('The server cannot look for requests now. This page keeps trying.')),
  );
  events.addEventListener('error', () => {
    if (events.readyState === EventSource.CLOSED) location.reload();
    else trouble(new Error('The connection is lost. This page keeps trying.'));
  });
}

function showPending(requests) {
  byId('trouble').hidden = true;
  const waiting = new Set(requests.map(({ handle }) => handle));
  for (const [handle, prompt] of prompts) {
    if (!waiting.has(handle)) takeAway(handle, prompt);
  }
  for (const request of requests) {
    if (prompts.has(request.handle)) continue;
    const prompt = showPrompt(request, tell);
    prompts.set(request.handle, prompt);
    byId('prompts').append(prompt.card);
    byId('told').hidden = true;
    say(`${request.client} asks: ${request.bindingMessage ?? 'for your approval'}`);
  }
  byId('nothing').hidden = prompts.size > 0;
  document.title = prompts.size > 0 ? `(${prompts.size}) Phone – CIBA example` : 'Phone – CIBA example';
}

function takeAway(handle, { card, stop }) {
  const focused = card.contains(document.activeElement);
  stop();
  card.remove();
  prompts.delete(handle);
  // The focus must not fall off the page with the button that was pressed.
  if (focused) byId('inbox-title').focus();
}

function remember({ outcome, title }) {
  const word = WORDS[outcome] ?? outcome;
  say(`${word}: ${title}`);
  byId('past').hidden = false;
  const list = byId('past-list');
  list.prepend(
    element('li', {}, element('span', {}, title), element('strong', { class: `tag ${outcome}` }, word)),
  );
  while (list.children.length > KEPT) list.lastElementChild.remove();
}

function showBlocked(clients) {
  byId('blocked').hidden = clients.length === 0;
  byId('blocked-list').replaceChildren(
    ...clients.map(({ id, name }) => {
      const button = element('button', { type: 'button', class: 'secondary small' }, 'Allow again');
      button.addEventListener('click', () => post('/phone/unblock', { client: id }).catch(trouble));
      return element('li', {}, element('span', {}, name), button);
    }),
  );
}

/** For a screen reader alone: everybody else sees it happen. */
function say(text) {
  byId('news').textContent = text;
}

/** What came of a decision, where that is not what was wanted. It stays until the next request. */
function tell(text) {
  byId('told').textContent = text;
  byId('told').hidden = false;
}

function trouble({ message }) {
  byId('trouble').textContent = message;
  byId('trouble').hidden = false;
}

byId('sign-out').addEventListener('click', async () => {
  events?.close();
  // Whoever has this device next is not to be shown what this person is asked.
  if (canBeNotified()) await stopNotifying().catch(() => {});
  await post('/phone/logout').catch(() => {});
  location.reload();
});

startWorker().catch(trouble);
begin();
