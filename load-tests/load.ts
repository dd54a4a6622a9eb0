/** Load over raw keep-alive sockets: what a request costs the sender must not hide what it costs the server. */
import { connect, type Socket } from 'node:net';

export interface LoadTarget {
  readonly port: number;
  readonly path: string;
  readonly apiKey: string;
}

export interface LoadResult {
  /** Requests answered 2xx, and those answered otherwise or not at all. */
  readonly succeeded: number;
  readonly failed: number;
  readonly seconds: number;
  /** Milliseconds from when a request was due until its answer, sorted. */
  readonly latenciesMs: readonly number[];
}

export interface LoadOptions {
  readonly connections: number;
  readonly seconds: number;
  /** Requests a second, arriving whether answers come or not; undefined: each connection sends as fast as it can. */
  readonly rate: number | undefined;
  /** The body of one request, and what to note once it is answered with 2xx. */
  readonly next: () => { readonly body: Buffer; readonly succeeded: () => void };
}

/** Runs the load to its end; a request in hand at the end is still waited for and counted. */
export async function runLoad(target: LoadTarget, options: LoadOptions): Promise<LoadResult> {
  const lanes = await Promise.all(Array.from({ length: options.connections }, () => Lane.open(target)));
  const tally = { succeeded: 0, failed: 0, latencies: [] as number[] };
  const started = performance.now();
  const deadline = started + options.seconds * 1_000;
  const due = options.rate === undefined ? undefined : arrivals(started, deadline, 1_000 / options.rate);
  const work = async (lane: Lane): Promise<void> => {
    for (;;) {
      const dueAt = due === undefined ? performance.now() : due();
      if (dueAt === undefined || dueAt >= deadline) return;
      await until(dueAt);
      const { body, succeeded } = options.next();
      const status = await lane.request(body);
      tally.latencies.push(performance.now() - dueAt);
      if (status >= 200 && status < 300) {
        tally.succeeded += 1;
        succeeded();
      } else tally.failed += 1;
    }
  };
  await Promise.all(lanes.map(work));
  const seconds = (performance.now() - started) / 1_000;
  for (const lane of lanes) lane.close();
  const latenciesMs = tally.latencies.sort((a, b) => a - b);
  return { succeeded: tally.succeeded, failed: tally.failed, seconds, latenciesMs };
}

export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/**
 * Arrival times of an open loop. A lane that is late takes the next arrival all the same and its latency counts
 * from when it was due, so that a slow answer is not left out of the figures (coordinated omission).
 */
function arrivals(start: number, end: number, everyMs: number): () => number | undefined {
  let next = start;
  return () => {
    const due = next;
    next += everyMs;
    return due < end ? due : undefined;
  };
}

async function until(time: number): Promise<void> {
  const wait = time - performance.now();
  if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
}

class Lane {
  readonly #socket: Socket;
  readonly #head: string;
  #received = '';
  #answered: ((status: number) => void) | undefined;

  private constructor(socket: Socket, target: LoadTarget) {
    this.#socket = socket;
    this.#head = [
      `POST ${target.path} HTTP/1.1`,
      'Host: 127.0.0.1',
      `X-API-KEY: ${target.apiKey}`,
      'Content-Type: application/json',
      'Content-Length: ',
    ].join('\r\n');
    socket.setEncoding('latin1').on('data', (text) => this.#read(String(text)));
    socket.on('error', () => undefined).on('close', () => this.#answer(0));
  }

  static open(target: LoadTarget): Promise<Lane> {
    return new Promise((resolve, reject) => {
      const socket = connect(target.port, '127.0.0.1');
      socket.setNoDelay(true).once('error', reject);
      socket.once('connect', () => resolve(new Lane(socket, target)));
    });
  }

  /** The answer's status; 0 when the connection ended instead. */
  request(body: Buffer): Promise<number> {
    return new Promise((resolve) => {
      this.#answered = resolve;
      this.#socket.cork();
      this.#socket.write(`${this.#head}${body.length}\r\n\r\n`, 'latin1');
      this.#socket.write(body);
      this.#socket.uncork();
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(text: string): void {
    this.#received += text;
    const headEnd = this.#received.indexOf('\r\n\r\n');
    if (headEnd < 0) return;
    const length = Number(/content-length: (\d+)/i.exec(this.#received)?.[1] ?? 0);
    if (this.#received.length < headEnd + 4 + length) return;
    const status = Number(this.#received.slice(9, 12));
    this.#received = this.#received.slice(headEnd + 4 + length);
    this.#answer(status);
  }

  #answer(status: number): void {
    const answered = this.#answered;
    this.#answered = undefined;
    answered?.(status);
  }
}
