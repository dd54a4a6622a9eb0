/** The block of columns: built at the edge, compressed for the queue, read by the worker. */
import { bench, do_not_optimize, group } from 'mitata';
import { decodeEventsBody } from '../../src/ingest/decode-events.ts';
import { EventBatch } from '../../src/ingest/event-batch.ts';
import { EventBlock } from '../../src/metering/event-block.ts';
import { contentDigest, eventIdentity } from '../../src/metering/identity.ts';
import { decodePayload, encodePayload } from '../../src/queue/payload-codec.ts';
import { sealedBatches, stageBodies } from '../stage-bodies.ts';
import { inTurn } from './in-turn.ts';

const rows = 1_000;
const sealed = sealedBatches(rows, 5);
const payloads = Array.from({ length: 20 }, () => sealed.next().value);
const compressed = await Promise.all(
  payloads.map(async (payload) => ({ bytes: await encodePayload(payload), contentBytes: payload.length })),
);
const tokens = Buffer.from('tokens');
const facts = stageBodies(100, 20, 5).flatMap((body) => {
  const decoded = decodeEventsBody(body, 'application/json', {}, Date.now());
  return 'refusal' in decoded ? [] : decoded.events;
});

group('one event', () => {
  const next = inTurn(facts);
  bench('identity of a fact', () => do_not_optimize(eventIdentity(next())));
  bench('content digest of a fact', () => do_not_optimize(contentDigest(next().dimensions)));
});

group(`a block of ${rows} events`, () => {
  const batch = new EventBatch();
  const calls = inTurn(
    Array.from({ length: 2 }, (_, index) => facts.slice(index * rows, (index + 1) * rows)),
  );
  bench('build from facts', () => {
    batch.append(calls());
    do_not_optimize(batch.finish());
  });
  const next = inTurn(payloads);
  bench('read', () => do_not_optimize(new EventBlock(next())));
  bench('read all identities', () => do_not_optimize(new EventBlock(next()).identities()));
  bench('read every customer', () => {
    const block = new EventBlock(next());
    for (let row = 0; row < block.count; row += 1) do_not_optimize(block.text('customer_id', row));
  });
  bench('read one dimension', () => {
    const block = new EventBlock(next());
    for (let row = 0; row < block.count; row += 1) do_not_optimize(block.dimension(row, tokens));
  });
});

group(`lz4 of ${rows} events`, () => {
  const next = inTurn(payloads);
  bench('compress', async () => do_not_optimize(await encodePayload(next())));
  const nextCompressed = inTurn(compressed);
  bench('decompress', async () => {
    const { bytes, contentBytes } = nextCompressed();
    do_not_optimize(await decodePayload(bytes, contentBytes));
  });
});
