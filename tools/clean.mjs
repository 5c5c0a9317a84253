// Removes the last build, so that a file deleted from lib/ is not shipped from dist/.
import { rmSync } from 'node:fs';

rmSync(new URL('../dist', import.meta.url), { recursive: true, force: true });
