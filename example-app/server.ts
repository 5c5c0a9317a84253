import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Settings, settingsOf, storageOf } from './settings.js';

/** How long requests under way may take when the server stops, in milliseconds. */
const PATIENCE = 3_000;

let settings: Settings;
try {
  settings = settingsOf(process.env);
} catch (error) {
  console.error(`The example cannot start: ${(error as Error).message}`);
  process.exit(1);
}
console.log(`The identity server runs on ${storageOf(settings)}`);

// Loaded after the first line is out, so that nothing that a library says comes before it.
const { createExample } = await import('./app.js');

const server = createServer();
server.on('error', (error: NodeJS.ErrnoException) => {
  const taken = error.code === 'EADDRINUSE' && `port ${settings.port} is in use: set PORT to another one`;
  console.error(`The example cannot start: ${taken || error.message}`);
  process.exit(1);
});
server.listen(settings.port, '127.0.0.1', () => {
  // With PORT=0 the port, and with it the issuer, is known only now.
  const { port } = server.address() as AddressInfo;
  const example = createExample({ ...process.env, PORT: String(port) });
  server.on('request', example.app);

  const here = `http://localhost:${port}`;
  console.log(`Issuer: ${example.issuer}`);
  console.log(`Till:   ${here}/till`);
  console.log(`Phone:  ${here}/phone`);
  console.log(`Ping:   ${example.callbacks.ping.url}`);
  console.log(`Push:   ${example.callbacks.push.url}`);
  if (example.mailbox) console.log(`Mail:   ${here}${example.mailbox}`);
  if (example.queue) console.log(`Queue:  ${here}${example.queue}`);

  const stop = (): void => {
    example.stop();
    closed(server)
      .then(() => example.close())
      .catch((error: unknown) => {
        console.error(error);
        process.exitCode = 1;
      });
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
});

/** Waits for the requests under way, but not for connections that only idle. */
async function closed(server: Server): Promise<void> {
  const sweep = setInterval(() => server.closeIdleConnections(), 50);
  // A browser opens connections ahead, which count as busy although nothing was asked on them.
  const impatience = setTimeout(() => server.closeAllConnections(), PATIENCE);
  await new Promise((resolve) => server.close(resolve));
  clearInterval(sweep);
  clearTimeout(impatience);
}
