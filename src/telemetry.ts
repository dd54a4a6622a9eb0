/** Logs and metrics of one process. Logs never carry keys, e-mails, billing data or event content (I10). */
import { pino } from 'pino';
import { collectDefaultMetrics, Registry } from 'prom-client';
import type { LogLevel } from './config.ts';

export type { Logger } from 'pino';

/** JSON lines on standard error, so that standard output stays for what the user asked for. */
export function makeLogger(role: string, level: LogLevel): import('pino').Logger {
  return pino(
    {
      level,
      base: { role, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      // A last line of defence: nothing is meant to hand these to the logger in the first place.
      redact: { paths: ['apiKey', '*.apiKey', 'headers', '*.headers', 'email', '*.email'], remove: true },
    },
    pino.destination({ dest: 2, sync: true }),
  );
}

export function makeRegistry(role: string): Registry {
  const registry = new Registry();
  registry.setDefaultLabels({ role });
  collectDefaultMetrics({ register: registry, prefix: 'tollgate_process_' });
  return registry;
}
