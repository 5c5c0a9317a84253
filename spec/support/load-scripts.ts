import type { Redis } from 'ioredis';
import { scripts } from '../../lib/store/scripts.js';

/** Lets a server know all scripts: so the first call of one is its only one. */
export async function loadScripts(server: Redis): Promise<void> {
  for (const { lua } of Object.values(scripts)) await server.script('LOAD', lua);
}
