import { byId, element, post } from './dom.js';
import { showPrompt } from './prompt.js';

const WORDS = { approved: 'Approved', denied: 'Denied', expired: 'Expired', cancelled: 'Taken back' };
const KEPT = 5;

let events;
/** The prompts on the screen, by handle. */
const prompts = new Map();

async function start() {
  const { person, people } = await (await fetch('/phone/session')).json();
  byId('sign-in').hidden = Boolean(person);
  byId('inbox').hidden = !person;
  byId('sign-out').hidden = !person;
  byId('who').textContent = person ? `${person.name}’s phone` : 'Phone';
  if (person) listen();
  else offer(people);
}

function offer(people) {
  byId('people').replaceChildren(
    ...people.map(({ id, name, email }) => {
      const button = element(
        'button',
        { type: 'button', class: 'person', value: id },
        element('strong', {}, name),
        element('span', {}, email),
      );
      button.addEventListener('click', () => post('/phone/login', { account: id }).then(start, trouble));
      return button;
    }),
  );
}

function listen() {
  events = new EventSource('/phone/events');
  events.addEventListener('pending', ({ data }) => showPending(JSON.parse(data).requests));
  events.addEventListener('ended', ({ data }) => remember(JSON.parse(data)));
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
    const prompt = showPrompt(request);
    prompts.set(request.handle, prompt);
    byId('prompts').append(prompt.card);
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

function say(text) {
  byId('news').textContent = text;
}

function trouble({ message }) {
  byId('trouble').textContent = message;
  byId('trouble').hidden = false;
}

byId('sign-out').addEventListener('click', async () => {
  events?.close();
  await post('/phone/logout').catch(() => {});
  location.reload();
});

start();
