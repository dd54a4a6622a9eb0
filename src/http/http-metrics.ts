/** What the HTTP server tells Prometheus about the requests it answered and what it holds. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Answered, HttpServer } from './uws-server.ts';

/** From a loop's turn to the contract's ACK_TIMEOUT_MS, in seconds. */
const latencyBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export class HttpMetrics {
  readonly #registry: Registry;
  readonly #seconds: Histogram<'method' | 'route' | 'status'>;
  readonly #aborted: Counter<'route'>;

  constructor(registry: Registry) {
    this.#registry = registry;
    this.#seconds = new Histogram({
      name: 'tollgate_http_request_seconds',
      help: 'Time from the head of a request to its answer.',
      labelNames: ['method', 'route', 'status'],
      buckets: latencyBuckets,
      registers: [registry],
    });
    this.#aborted = new Counter({
      name: 'tollgate_http_aborted_total',
      help: 'Requests whose client was gone before the answer.',
      labelNames: ['route'],
      registers: [registry],
    });
  }

  /** Give it to the server as `onAnswered`. */
  readonly record = ({ method, route, status, durationMs }: Answered): void => {
    if (status === 'aborted') this.#aborted.inc({ route });
    else this.#seconds.observe({ method, route, status }, durationMs / 1_000);
  };

  watch(server: HttpServer): void {
    const gauge = (name: string, help: string, read: () => number): Gauge =>
      new Gauge({
        name,
        help,
        registers: [this.#registry],
        collect() {
          this.set(read());
        },
      });
    gauge('tollgate_http_requests_in_hand', 'Requests not yet answered.', () => server.load().requests);
    gauge('tollgate_http_body_bytes_in_hand', 'Bytes of unanswered bodies.', () => server.load().bodyBytes);
  }
}
