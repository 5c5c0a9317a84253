import express, { type Response } from 'express';
import type { Contender } from './contender.js';

/** An Express handler that holds every request and does nothing else. */
export function holding(): Contender {
  const held = new Set<Response>();
  const app = express();
  app.post('/token', express.urlencoded(), (_req, res) => {
    held.add(res);
    res.on('close', () => held.delete(res));
  });
  return { listener: app, held: () => held.size };
}
