import { byId, element, timeOfDay } from './dom.js';

let shown;

const events = new EventSource('/mailbox/events');
events.addEventListener('mails', ({ data }) => showAll(JSON.parse(data).mails));
events.addEventListener('error', () => {
  byId('trouble').textContent = 'The connection is lost. This page keeps trying.';
  byId('trouble').hidden = false;
});

function showAll(mails) {
  byId('trouble').hidden = true;
  byId('empty').hidden = mails.length > 0;
  byId('mail').hidden = mails.length === 0;
  byId('list').replaceChildren(...mails.map(line));
  // What is being read stays open while others come.
  const open = mails.find(({ id }) => id === shown) ?? mails[0];
  if (open && open.id !== shown) show(open);
  mark();
}

function line(mail) {
  const button = element(
    'button',
    { type: 'button', class: 'person', value: mail.id },
    element('strong', {}, mail.subject),
    element('span', {}, `to ${mail.to}, ${timeOfDay(new Date(mail.at))}`),
  );
  button.addEventListener('click', () => {
    show(mail);
    mark();
    byId('subject').focus();
  });
  return element('li', {}, button);
}

function show({ id, subject, to, at, text, html }) {
  shown = id;
  byId('subject').textContent = subject;
  byId('about').textContent = `to ${to}, ${timeOfDay(new Date(at))}`;
  byId('text').replaceChildren(...withLinks(text));
  // No script of a mail's runs, and a link in it opens beside the mailbox.
  byId('html').srcdoc = `<base target="_blank">${html}`;
}

/** Which of the list is open. */
function mark() {
  for (const button of byId('list').querySelectorAll('button')) {
    button.setAttribute('aria-current', String(button.value === shown));
  }
}

/** A text, with the web addresses in it as links. */
function withLinks(text) {
  return text.split(/(https?:\/\/\S+)/).map((part, index) => {
    const isLink = index % 2 === 1 && URL.canParse(part);
    return isLink ? element('a', { href: part, target: '_blank', rel: 'noopener' }, part) : part;
  });
}
