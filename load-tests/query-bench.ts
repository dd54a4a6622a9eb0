/** Stored history alone: `npx tsx load-tests/query-bench.ts 1000000 10000000`. */
import { type HistoryFigures, measureQueries } from './stored-queries.ts';

const help = `npx tsx load-tests/query-bench.ts EVENTS…: fills a history of each size in a temporary folder, asks
questions about usage of all of them in turn, prints how long the answers took, and removes the folder. It needs a
build (npm run build) and some 100 bytes of disk an event while it runs. 100,000,000 events take some eight minutes on two cores.`;

const sizes = process.argv.slice(2).map(Number);
if (sizes.length === 0 || sizes.some((size) => !(size >= 1_000))) console.log(help);
else {
  const progress = (text: string): void => void process.stderr.write(`${text}\n`);
  const figures = await measureQueries({ sizes, quick: false, seconds: 0, seed: 0, progress });
  for (const [name, history] of Object.entries(figures.histories)) report(name, history);
  console.log(`queryGrowth: ${figures.queryGrowth.toFixed(2)}`);
}

function report(name: string, history: HistoryFigures): void {
  const { rows, parts, bytesPerEvent, columns, fillSeconds, fillCpuMicrosPerEvent, exact } = history;
  console.log(
    `\n${name}: ${rows} events in ${parts} parts, ${bytesPerEvent.toFixed(1)} bytes each, filled in ` +
      `${fillSeconds.toFixed(0)} s (${fillCpuMicrosPerEvent.toFixed(2)} µs of processor an event); exact: ${exact}`,
  );
  console.log(`bytes by column: ${Object.entries(columns).flat().join(' ')}`);
  console.table(
    Object.fromEntries(
      Object.entries(history.questions).map(([question, { ms, cpuMs, rowsCounted }]) => [
        question,
        {
          'p50 ms': ms.p50.toFixed(1),
          'p99 ms': ms.p99.toFixed(1),
          'cpu ms': cpuMs.toFixed(1),
          'events counted p50': rowsCounted.p50,
          'events counted p99': rowsCounted.p99,
        },
      ]),
    ),
  );
}
