import { byId } from './dom.js';

const { queue } = await (await fetch('/till/setup')).json();
byId('queue').hidden = !queue;
