/** What it costs the worker when identities of the dedupe window are not in its memory. */
import { createClickhouseClient } from '../src/store/clickhouse-client.ts';
import { ClickhouseFlushStore } from '../src/store/clickhouse-flush-store.ts';
import { migrateClickhouse } from '../src/store/migrations.ts';
import { customerCount, customerName, eventNames } from './event-shapes.ts';
import { processFigures } from './process-figures.ts';
import { seededRandom, zipfRanks } from './seeded-random.ts';
import { fillEvents, historyEnd, historyStart, mergesDone } from './stored-events.ts';
import { StoredInstallation } from './stored-installation.ts';

const help = `npx tsx load-tests/lookup-bench.ts EVENTS…: fills histories of these sizes in a temporary folder and looks identities
up in each that were never stored, as the worker does for every event once more of them lie in DEDUPE_WINDOW than
DEDUPE_ENTRIES_MAX. Prints the processor time of ClickHouse for one. It needs a build (npm run build).`;

const keysPerLookup = 2_000;
const lookups = 4;
const dayMs = 86_400_000;

const sizes = process.argv.slice(2).map(Number);
if (sizes.length === 0 || sizes.some((size) => !(size >= 1_000))) console.log(help);
else await measure();

async function measure(): Promise<void> {
  const installation = await StoredInstallation.start();
  try {
    for (const events of sizes) {
      const url = installation.databaseUrl(`stored_${events}`);
      await migrateClickhouse({ url });
      const client = createClickhouseClient({ url, requestTimeoutMs: 120_000 });
      await fillEvents(client, events, () => undefined);
      await mergesDone(client);
      const store = new ClickhouseFlushStore(client);
      for (const days of [1, 30, (historyEnd - historyStart) / dayMs]) {
        const inWindow = Math.round((events * days * dayMs) / (historyEnd - historyStart));
        const micros = await cpuMicrosOfLookup(store, days * dayMs);
        console.log(
          `${inWindow} events in the window, ${events} stored: ${micros.toFixed(0)} µs for each event`,
        );
      }
      await client.close();
    }
  } finally {
    await installation.remove();
  }
}

/** Customers and names as the events have them, and keys that nobody has. */
async function cpuMicrosOfLookup(store: ClickhouseFlushStore, windowMs: number): Promise<number> {
  const random = seededRandom(1);
  const customer = zipfRanks(customerCount, random);
  const name = zipfRanks(eventNames.length, random);
  const before = clickhouseSeconds();
  for (let lookup = 0; lookup < lookups; lookup += 1) {
    const keys = Array.from({ length: keysPerLookup }, (_, key) => ({
      kind: 'event' as const,
      customerId: customerName(customer()),
      name: eventNames[name()] ?? '',
      resourceId: '',
      idempotencyKey: `new-${lookup}-${key}`,
      source: '',
      identity: `${lookup} ${key}`,
      timestamp: historyEnd - 1_000,
      receivedAt: historyEnd,
      scope: 'window' as const,
    }));
    await store.lookupStored(keys, windowMs);
  }
  return ((clickhouseSeconds() - before) * 1e6) / (lookups * keysPerLookup);
}

function clickhouseSeconds(): number {
  return processFigures(process.pid).get('clickhouse')?.cpuSeconds ?? 0;
}
