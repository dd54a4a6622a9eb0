/** Redis with its log, as Tollgate starts it, taking sealed batches as entries of a stream. */
import { Redis } from 'ioredis';
import { encodePayload } from '../src/queue/payload-codec.ts';
import { cpuSecondsOf } from './child-process.ts';
import type { StageFigures } from './figures.ts';
import { sealedBatches } from './stage-bodies.ts';
import { startRedis } from './stage-engines.ts';

/** A batch under load: what comes in 3 ms at some 300,000 events a second. */
const eventsPerBatch = 1_000;
/** As the edge has them when Redis is what it waits for. */
const batchesInFlight = 16;
/** The stream is kept short, since it is its log that costs. */
const entriesMax = 256;

export async function measureRedis(folder: string, seconds: number, seed: number): Promise<StageFigures> {
  const sealed = sealedBatches(eventsPerBatch, seed);
  const payloads = await Promise.all(Array.from({ length: 64 }, () => encodePayload(sealed.next().value)));
  const engine = await startRedis(folder);
  const redis = new Redis(engine.url);
  try {
    const cpu = cpuSecondsOf(engine.pid);
    const started = performance.now();
    const deadline = started + seconds * 1_000;
    let sent = 0;
    const lane = async (): Promise<void> => {
      while (performance.now() < deadline) {
        const payload = payloads[sent++ % payloads.length] ?? Buffer.alloc(0);
        await redis.xadd('batches', 'MAXLEN', '~', entriesMax, '*', 'payload', payload);
      }
    };
    await Promise.all(Array.from({ length: batchesInFlight }, lane));
    const elapsedSeconds = (performance.now() - started) / 1_000;
    const events = sent * eventsPerBatch;
    return {
      eventsPerSecond: events / elapsedSeconds,
      cpuMicrosPerEvent: ((cpuSecondsOf(engine.pid) - cpu) * 1e6) / events,
      // Redis works on one; fsync and the client have the other.
      cores: 1,
    };
  } finally {
    redis.disconnect();
    await engine.stop();
  }
}
