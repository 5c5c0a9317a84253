// The lines of `npm run test:matrix`. The oldest that is supported is read where the package says it.
import { readFileSync } from 'node:fs';

const { peerDependencies } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));

/** The first version of a range: `4.21.0` of `^4.21.0 || ^5.0.0`. */
const firstOf = (range) => /\d+(?:\.\d+)*/.exec(range)[0];

const oldest = (...names) => Object.fromEntries(names.map((name) => [name, firstOf(peerDependencies[name])]));

/**
 * What a line installs in place of what the lock file has: the newest of everything on the oldest and on the newest Node, and the
 * oldest packages together. The first line is what `npm test` runs on Node 20.
 */
export const lines = [{ node: '20' }, { node: '22', ...oldest('oidc-provider', 'express') }, { node: '24' }];

/** The types that belong to a line. Those of oidc-provider are always the newest: the build needs them. */
export const typesOf = ({ express = '5' }) => (express.startsWith('4.') ? { '@types/express': '4' } : {});
