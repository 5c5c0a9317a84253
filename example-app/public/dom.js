/** The element with this id. */
export const byId = (id) => document.getElementById(id);

/** A new element. Text is put in as text: nothing that a server or a client said becomes markup. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) made.setAttribute(key, value === true ? '' : value);
  }
  made.append(...children.filter((child) => child !== undefined));
  return made;
}

/** Asks for JSON, and throws as `post` does. */
export const get = (url) => send('GET', url);

/** Sends JSON; gives the answer's JSON, or throws an error with its code and a sentence for the person. */
export const post = (url, body = {}) => send('POST', url, body);

/** The same with DELETE. */
export const remove = (url, body = {}) => send('DELETE', url, body);

async function send(method, url, body) {
  const response = await fetch(url, {
    method,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  }).catch(() => {
    throw new Error('The server does not answer. Try again.');
  });
  const answer = response.status === 204 ? {} : await response.json().catch(() => ({}));
  if (response.ok) return answer;
  throw Object.assign(new Error(sentence(answer, response.status)), { code: answer.error });
}

function sentence({ error_description: description, error }, status) {
  const text = String(description ?? error ?? `the server answered ${status}`);
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

/** Counts down from a number of seconds, which the server gave: the two clocks may differ. Returns how to stop it. */
export function countDown(seconds, show) {
  const end = performance.now() + seconds * 1000;
  const tick = () => show(Math.max(0, Math.ceil((end - performance.now()) / 1000)));
  tick();
  const timer = setInterval(tick, 500);
  return () => clearInterval(timer);
}

/** 75 becomes 1:15. */
export const minutes = (seconds) => `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;

/** The time of day, to the second. */
export const timeOfDay = (date) => new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' }).format(date);
