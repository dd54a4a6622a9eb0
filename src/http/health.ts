/** `/healthz`, `/readyz` and `/metrics`: the same on every port, without a key. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Registry } from 'prom-client';
import type { HttpResponse, Route } from './message.ts';
import { jsonResponse } from './message.ts';

export interface ReadinessCheck {
  /** Shown to whoever asks, such as `redis`. */
  readonly name: string;
  /** Resolves when the thing can be used, rejects when not. It is given up after `timeoutMs`. */
  readonly check: (signal: AbortSignal) => Promise<unknown>;
}

export interface HealthOptions {
  readonly checks: readonly ReadinessCheck[];
  /** How long each check may take, ms. */
  readonly timeoutMs?: number;
  readonly registry: Pick<Registry, 'metrics' | 'contentType'>;
}

const timeoutMsDefault = 2_000;

export function healthRoutes(options: HealthOptions): readonly Route[] {
  return [
    { method: 'GET', path: '/healthz', handle: () => jsonResponse(200, { status: 'alive' }) },
    { method: 'GET', path: '/readyz', handle: () => answerReadiness(options) },
    { method: 'GET', path: '/metrics', handle: () => answerMetrics(options) },
  ];
}

/** 200 when every check passes; else 503, with the state of each one: a reason's text stays in the logs. */
async function answerReadiness(options: HealthOptions): Promise<HttpResponse> {
  const timeoutMs = options.timeoutMs ?? timeoutMsDefault;
  const states = await Promise.all(options.checks.map((check) => stateOf(check, timeoutMs)));
  const ready = states.every((state) => state === 'ok');
  const checks = Object.fromEntries(options.checks.map(({ name }, at) => [name, states[at]]));
  const answer = jsonResponse(ready ? 200 : 503, { status: ready ? 'ready' : 'unready', checks });
  return ready ? answer : { ...answer, headers: { 'Retry-After': '1' } };
}

async function stateOf({ check }: ReadinessCheck, timeoutMs: number): Promise<'ok' | 'failed' | 'timeout'> {
  const controller = new AbortController();
  const timeout = delay(timeoutMs, 'timeout' as const, { signal: controller.signal });
  timeout.catch(() => undefined);
  const outcome = Promise.resolve()
    .then(() => check(controller.signal))
    .then(
      () => 'ok' as const,
      () => 'failed' as const,
    );
  const state = await Promise.race([outcome, timeout]);
  controller.abort();
  return state;
}

async function answerMetrics({ registry }: HealthOptions): Promise<HttpResponse> {
  return { status: 200, headers: { 'Content-Type': registry.contentType }, body: await registry.metrics() };
}
