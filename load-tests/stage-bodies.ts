/** Bodies for the bare stages: those of the scenarios' own generator, made before anything is measured. */
import { EventBatch } from '../src/ingest/event-batch.ts';
import { scanEventsBody } from '../src/ingest/scan-events.ts';
import { EventBodies } from './event-bodies.ts';

export function stageBodies(eventsPerBody: number, count: number, seed: number): Buffer[] {
  const bodies = new EventBodies(eventsPerBody, seed, Date.now());
  return Array.from({ length: count }, () => bodies.take().bytes);
}

/** As the edge seals them, with so many events in each. Never ends. */
export function* sealedBatches(events: number, seed: number): Generator<Buffer, never> {
  const now = Date.now();
  const bodies = new EventBodies(eventsPerCall, seed, now);
  const batch = new EventBatch();
  for (;;) {
    const scanned = scanEventsBody(bodies.take().bytes, 'application/json', {}, now);
    if (scanned === undefined) throw new Error('the generator made a body that is not in the common form');
    batch.append(scanned.events);
    if (batch.count >= events) yield batch.finish();
  }
}

const eventsPerCall = 100;
