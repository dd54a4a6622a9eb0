/**
 * Load in two modes. Closed loop: each connection sends its next request when the last one is answered; what comes out
 * is what the server can do. Open loop: requests fall due at a constant rate, whether answers come or not, and their
 * latency counts from then, so that a server that stalls cannot keep the generator from seeing it (coordinated
 * omission).
 */
import { getHead, HttpLane, type LoadTarget, postHead, type Status } from './http-lane.ts';

export interface LoadRequest {
  /** Of a POST to the target's path. */
  readonly body?: Buffer;
  /** A GET of this path instead. */
  readonly path?: string;
  /** Told when it was answered with 2xx. */
  readonly succeeded?: () => void;
  /** Told of every answer; false when the answer is not the right one. The body is good during the call only. */
  readonly answered?: (status: Status, body: Buffer) => boolean;
}

export interface LoadOptions {
  /** In an open loop the bound of requests on their way: those that fall due beyond it are late. */
  readonly connections: number;
  readonly seconds: number;
  /** Requests a second that fall due; undefined: a closed loop. */
  readonly rate: number | undefined;
  readonly next: () => LoadRequest;
}

export interface LoadResult {
  /** Requests answered 2xx and right, and those answered otherwise or not at all. */
  readonly succeeded: number;
  readonly failed: number;
  /** Answers by status; 0: none. */
  readonly statuses: Readonly<Record<number, number>>;
  /** Until the last answer. */
  readonly seconds: number;
  /** Milliseconds from when a request was due until its answer, sorted. */
  readonly latenciesMs: Float64Array;
  /** Requests of an open loop that were sent over 2 ms after they were due, and those that were never sent. */
  readonly late: number;
  readonly unsent: number;
}

const lateMs = 2;
/** Requests that are due and wait for a connection; more are given up, and counted. */
const waitingMax = 20_000;
/** Behind the end of the load, for answers that are still to come. */
const graceMs = 30_000;

/** Runs the load to its end; requests on their way at the end are still waited for and counted. */
export async function runLoad(target: LoadTarget, options: LoadOptions): Promise<LoadResult> {
  const lanes = await Promise.all(
    Array.from({ length: options.connections }, () => HttpLane.open(target.port)),
  );
  return new Promise((resolve, reject) => {
    const load = new Load(target, options, lanes);
    load.run().then(resolve, reject);
  });
}

export function percentile(sorted: ArrayLike<number>, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

class Load {
  readonly #options: LoadOptions;
  readonly #target: LoadTarget;
  readonly #lanes: HttpLane[];
  readonly #free: number[];
  /** When requests were due that found no lane; from `#waitingFrom` on. */
  #waiting: number[] = [];
  #waitingFrom = 0;
  readonly #latencies: number[] = [];
  readonly #statuses: Record<number, number> = {};
  #succeeded = 0;
  #late = 0;
  #unsent = 0;
  #started = 0;
  #deadline = 0;
  #nextDue = 0;
  /** Lanes that nobody answers any more. */
  #lost = 0;
  #givenUp = false;
  #finished: () => void = () => {};

  constructor(target: LoadTarget, options: LoadOptions, lanes: HttpLane[]) {
    this.#options = options;
    this.#target = target;
    this.#lanes = lanes;
    this.#free = lanes.map((_, index) => index);
  }

  async run(): Promise<LoadResult> {
    const done = new Promise<void>((resolve) => {
      this.#finished = resolve;
    });
    this.#started = performance.now();
    this.#deadline = this.#started + this.#options.seconds * 1_000;
    this.#nextDue = this.#started;
    const giveUp = setTimeout(() => this.#giveUp(), this.#options.seconds * 1_000 + graceMs);
    if (this.#options.rate === undefined)
      for (const lane of this.#free.splice(0)) this.#send(lane, this.#started);
    else this.#tick(1_000 / this.#options.rate);
    await done;
    clearTimeout(giveUp);
    const seconds = (performance.now() - this.#started) / 1_000;
    for (const lane of this.#lanes) lane.close();
    return {
      succeeded: this.#succeeded,
      failed: this.#latencies.length - this.#succeeded,
      statuses: this.#statuses,
      seconds,
      latenciesMs: Float64Array.from(this.#latencies).sort(),
      late: this.#late,
      unsent: this.#unsent,
    };
  }

  /** A timer is as fine as a millisecond: what fell due since the last one is sent at once. */
  #tick(everyMs: number): void {
    const now = performance.now();
    for (; this.#nextDue <= now && this.#nextDue < this.#deadline; this.#nextDue += everyMs) {
      const lane = this.#free.pop();
      if (lane !== undefined) this.#send(lane, this.#nextDue);
      else if (this.#waiting.length - this.#waitingFrom < waitingMax) this.#waiting.push(this.#nextDue);
      else this.#unsent += 1;
    }
    if (this.#nextDue < this.#deadline) {
      setTimeout(() => this.#tick(everyMs), Math.max(1, this.#nextDue - performance.now()));
    } else this.#finishIfIdle();
  }

  #send(place: number, dueAt: number): void {
    const lane = this.#lanes[place] as HttpLane;
    if (this.#options.rate !== undefined && performance.now() - dueAt > lateMs) this.#late += 1;
    const request = this.#options.next();
    const { body, path } = request;
    const head = path === undefined ? postHead(this.#target, body?.length ?? 0) : getHead(this.#target, path);
    lane.request(head, body, (status, answer) => {
      this.#note(request, status, answer, performance.now() - dueAt);
      if (lane.usable) this.#goOn(place);
      else void this.#reopen(place, lane);
    });
  }

  #note({ succeeded, answered }: LoadRequest, status: Status, answer: Buffer, latencyMs: number): void {
    this.#latencies.push(latencyMs);
    this.#statuses[status] = (this.#statuses[status] ?? 0) + 1;
    const right = answered?.(status, answer) ?? true;
    if (status < 200 || status >= 300 || !right) return;
    this.#succeeded += 1;
    succeeded?.();
  }

  #goOn(place: number): void {
    const now = performance.now();
    if (this.#options.rate === undefined) {
      if (now < this.#deadline) this.#send(place, now);
      else this.#freed(place);
      return;
    }
    const due = this.#waiting[this.#waitingFrom];
    if (due === undefined) {
      this.#freed(place);
      return;
    }
    this.#waitingFrom += 1;
    if (this.#waitingFrom === this.#waiting.length || this.#waitingFrom > waitingMax) {
      this.#waiting = this.#waiting.slice(this.#waitingFrom);
      this.#waitingFrom = 0;
    }
    this.#send(place, due);
  }

  async #reopen(place: number, ended: HttpLane): Promise<void> {
    const lane = this.#givenUp ? undefined : await ended.again().catch(() => undefined);
    if (lane === undefined) {
      this.#lost += 1;
      this.#finishIfIdle();
      return;
    }
    this.#lanes[place] = lane;
    this.#goOn(place);
  }

  #freed(place: number): void {
    this.#free.push(place);
    this.#finishIfIdle();
  }

  #finishIfIdle(): void {
    const over = this.#options.rate === undefined || this.#nextDue >= this.#deadline;
    if (this.#lost === this.#lanes.length) this.#giveUp();
    if (over && this.#free.length + this.#lost === this.#lanes.length) this.#finished();
  }

  #giveUp(): void {
    this.#givenUp = true;
    this.#unsent += this.#waiting.length - this.#waitingFrom;
    this.#waiting = [];
    this.#waitingFrom = 0;
    for (const lane of this.#lanes) lane.close();
  }
}
