/** Events, usage and checks of some customers, each report repeated until it is acknowledged, as good clients do. */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Answer, Installation } from './installation.ts';

interface Report {
  readonly customerId: string;
  readonly featureId: 'calls' | 'seats';
  readonly path: string;
  readonly body: unknown;
}

const itemsPerReport = 20;
const pauseMs = 25;

/** Features `calls`, of which each event `call` is one, and `seats`, both with a limit of a million. */
export class RepeatedTraffic {
  /** Answers that say what is not so: that somebody is not there, or may not. */
  readonly wrongAnswers: unknown[] = [];
  acknowledged = 0;
  readonly #tollgate: Installation;
  readonly #customers: readonly string[];
  readonly #sums = new Map<string, number>();
  readonly #sent: Report[] = [];
  #stopping = false;
  #run: Promise<unknown> = Promise.resolve();

  constructor(tollgate: Installation, customers: readonly string[]) {
    this.#tollgate = tollgate;
    this.#customers = customers;
  }

  start(): void {
    this.#stopping = false;
    this.#run = Promise.all([this.#reportOn('calls'), this.#reportOn('seats'), this.#checkAll()]);
  }

  /** Everything that was begun is acknowledged then. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#run;
  }

  /** Some of the same once more, which must change nothing. */
  async sendAgain(): Promise<void> {
    for (const report of this.#sent.slice(-40)) await this.#untilAcknowledged(report);
  }

  /** A line for each customer and feature: the figure three times, the limit, and that it is granted. */
  expected(): string {
    const lines = this.#customers.flatMap((customerId) =>
      ['calls', 'seats'].map((featureId) => {
        const sum = this.#sums.get(`${customerId} ${featureId}`) ?? 0;
        return [customerId, featureId, sum, sum, sum, 1_000_000, true].join(' ');
      }),
    );
    return lines.join('\n');
  }

  async check(customerId: string, featureId: string): Promise<Pick<Answer, 'status' | 'body'>> {
    const { ingestUrl, apiKey } = this.#tollgate;
    const url = `${ingestUrl}/api/v1/customers/${customerId}/entitlements/check?featureId=${featureId}`;
    const response = await fetch(url, { headers: { 'x-api-key': apiKey } });
    return { status: response.status, body: await response.json() };
  }

  async #reportOn(featureId: 'calls' | 'seats'): Promise<void> {
    while (!this.#stopping) {
      const customerId = this.#anybody();
      const report = { customerId, featureId, ...reportOf(customerId, featureId) };
      await this.#untilAcknowledged(report);
      const name = `${customerId} ${featureId}`;
      this.#sums.set(name, (this.#sums.get(name) ?? 0) + itemsPerReport);
      this.#sent.push(report);
      this.acknowledged += itemsPerReport;
      await delay(pauseMs);
    }
  }

  async #untilAcknowledged({ path, body }: Report): Promise<void> {
    for (;;) {
      const { status, body: told } = await this.#tollgate.send(path, body);
      if (status === 200 || status === 202) {
        const items = status === 200 ? told.data : [];
        this.wrongAnswers.push(...items.filter((item: { error?: unknown }) => item.error !== undefined));
        return;
      }
      // Nothing was taken, or it is not known yet; both ask to send the same again.
      if (![429, 503, 504].includes(status)) this.wrongAnswers.push(told);
      await delay(pauseMs);
    }
  }

  async #checkAll(): Promise<void> {
    while (!this.#stopping) {
      const { status, body } = await this.check(this.#anybody(), 'calls');
      if (status !== 503 && body.data?.isGranted !== true) this.wrongAnswers.push(body);
      await delay(pauseMs);
    }
  }

  #anybody(): string {
    return this.#customers[Math.floor(Math.random() * this.#customers.length)] ?? '';
  }
}

function reportOf(customerId: string, featureId: 'calls' | 'seats'): Pick<Report, 'path' | 'body'> {
  const keys = Array.from({ length: itemsPerReport }, () => randomUUID());
  if (featureId === 'calls') {
    const events = keys.map((idempotencyKey) => ({ customerId, eventName: 'call', idempotencyKey }));
    return { path: '/api/v1/events', body: { events } };
  }
  const usages = keys.map((idempotencyKey) => ({ customerId, featureId, value: 1, idempotencyKey }));
  return { path: '/api/v1/usage', body: { usages } };
}
