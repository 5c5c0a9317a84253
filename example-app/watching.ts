import { metrics } from '@opentelemetry/api';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import { Router } from 'express';
import type { Ciba } from 'oidc-provider-ciba';
import { telemetry } from 'oidc-provider-ciba/telemetry';
import { handled } from './http.js';

/** `/health/live` and `/health/ready` for whoever starts and stops processes, `/metrics` for Prometheus. A server keeps all of it in its own network. */
export function watching(ciba: Ciba, production: boolean): Router {
  const router = Router();
  router.get('/health/live', (_req, res) => void res.sendStatus(204));
  router.get(
    '/health/ready',
    handled(async (_req, res) => {
      const health = await ciba.health();
      res.set('Cache-Control', 'no-store');
      res.status(health.ready ? 200 : 503).json(production ? { ready: health.ready } : health);
    }),
  );
  if (production) return router;
  const exporter = new PrometheusExporter({ preventServerStart: true });
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [exporter] }));
  telemetry(ciba);
  router.get('/metrics', (req, res) => exporter.getMetricsRequestHandler(req, res));
  return router;
}
