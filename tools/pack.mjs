// Packs the package as `npm publish` would.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Packs what `npm run build` has made into this folder, and gives the path of the tarball. */
export async function packInto(folder) {
  const { stdout } = await promisify(execFile)('npm', ['pack', '--json', '--pack-destination', folder], {
    cwd: root,
  });
  // A list up to npm 10, an object by name from npm 11.
  const [{ filename }] = Object.values(JSON.parse(stdout));
  return join(folder, filename);
}
