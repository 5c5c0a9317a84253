// Runs before the specs: brings what they need beside npm packages, or says in one sentence how to. Nothing is skipped.
//
// The specs start, freeze, kill and cluster their own Redis servers, which no server at a REDIS_URL stands; so they need the
// program `redis-server`. Where it cannot be had and REDIS_URL is set, only the specs that need no server of their own can
// be run (npm test -- spec/request, say), so a full run stops here too.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { findChromium, findRedisServer } from './programs.mjs';

const needed = [
  {
    find: findRedisServer,
    debianPackage: 'redis-server',
    otherwise: process.env.REDIS_URL
      ? 'The specs start servers of their own, so the Redis at REDIS_URL is not enough: install redis-server (Debian: apt-get install redis-server; macOS: brew install redis) and have it on PATH.'
      : 'The specs need a Redis server: install redis-server (Debian: apt-get install redis-server; macOS: brew install redis) and have it on PATH.',
  },
  {
    find: findChromium,
    debianPackage: 'chromium',
    otherwise: process.env.CHROMIUM_PATH
      ? 'The browser specs need Chrome or Chromium, and CHROMIUM_PATH does not lead to one.'
      : 'The browser specs need Chrome or Chromium: install one (Debian: apt-get install chromium) or set CHROMIUM_PATH to where it is.',
  },
];

const missing = needed.filter(({ find }) => !find());
// A redis-server that apt would also start as a service is harmless: the specs never use its port.
if (missing.length > 0 && process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
  const packages = missing.map(({ debianPackage }) => debianPackage);
  try {
    aptGet('update');
    aptGet('install', '-y', '--no-install-recommends', ...packages);
  } catch {
    // What is still missing is said below.
  }
}
const sentences = missing.filter(({ find }) => !find()).map(({ otherwise }) => otherwise);
if (sentences.length > 0) {
  console.error(sentences.join('\n'));
  process.exit(1);
}

function aptGet(...args) {
  execFileSync('apt-get', ['-qq', ...args], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
}
