import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { belongingsIn, CLIENTS } from './belongings.js';
import { type FapiSettings, fapiSettingsOf } from './settings.js';

let settings: FapiSettings;
try {
  settings = fapiSettingsOf(process.env);
} catch (error) {
  console.error(`The FAPI example cannot start: ${(error as Error).message}`);
  process.exit(1);
}

const made = await belongingsIn(settings.folder);
const { createFapiExample } = await import('./app.js');

// Everybody may come without a certificate, and with any: who it is of, and whether that is enough, is judged for each client.
const server = createServer({
  ...made.server,
  ca: made.ca,
  requestCert: true,
  rejectUnauthorized: false,
  minVersion: 'TLSv1.2',
});
server.on('error', (error: NodeJS.ErrnoException) => {
  const taken = error.code === 'EADDRINUSE' && `port ${settings.port} is in use: set PORT to another one`;
  console.error(`The FAPI example cannot start: ${taken || error.message}`);
  process.exit(1);
});
server.listen(settings.port, '127.0.0.1', () => {
  // With PORT=0 the port, and with it the issuer, is known only now.
  const { port } = server.address() as AddressInfo;
  settings = fapiSettingsOf({ ...process.env, PORT: String(port) });
  const { app, ciba } = createFapiExample(settings, made);
  server.on('request', app);
  console.log(`Issuer:   ${settings.issuer}`);
  console.log(`Approve:  POST ${settings.issuer}/demo/decide?auth_req_id=…&action=allow|deny`);
  console.log(`Resource: GET ${settings.issuer}/resource`);
  console.log(`Clients:  ${CLIENTS.join(', ')}; their keys and certificates are in ${settings.folder}`);

  const stop = (): void => {
    server.close(() => void ciba.close());
    server.closeAllConnections();
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
});
