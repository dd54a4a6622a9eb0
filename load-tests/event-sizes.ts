/** What an event of the load tests weighs on its way: `npx tsx load-tests/event-sizes.ts`. */
import { encodePayload } from '../src/queue/payload-codec.ts';
import { EventBodies } from './event-bodies.ts';
import { sealedBatches } from './stage-bodies.ts';

const events = 100_000;
const seed = 1;

const bodies = new EventBodies(100, seed, Date.now());
let jsonBytes = 0;
for (let sent = 0; sent < events; sent += 100) jsonBytes += bodies.take().bytes.length;
console.log(`as JSON, 100 a request: ${perEvent(jsonBytes, events)} bytes`);
for (const batch of [100, 1_000, 5_000]) {
  const { columns, compressed, count } = await batchBytes(batch);
  console.log(
    `in a batch of ${batch}: ${perEvent(columns, count)} bytes as columns, ${perEvent(compressed, count)} compressed in Redis`,
  );
}

async function batchBytes(eventsPerBatch: number) {
  const batches = sealedBatches(eventsPerBatch, seed);
  const sum = { columns: 0, compressed: 0, count: 0 };
  while (sum.count < Math.min(events, eventsPerBatch * 200)) {
    const { value } = batches.next();
    sum.columns += value.length;
    sum.compressed += (await encodePayload(value)).length;
    sum.count += eventsPerBatch;
  }
  return sum;
}

function perEvent(bytes: number, count: number): string {
  return (bytes / count).toFixed(0);
}
