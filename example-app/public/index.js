import { byId } from './dom.js';

const { queue, mailbox } = await (await fetch('/till/setup')).json();
byId('queue').hidden = !queue;
byId('mailbox').hidden = !mailbox;
