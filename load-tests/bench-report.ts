/** Results for people: a table on the terminal, and a chart. */
import type { Scenario } from './figures.ts';
import { isReached, ratioNames, ratioOf } from './ratios.ts';
import type { Change } from './compare.ts';
import type { Results } from './results.ts';

export function printResults(results: Results): void {
  const { scenarios, stages } = results;
  print(
    ['scenario', 'per second', 'ack p50 / p99 ms', 'fresh p50 / p99 ms', 'CPU µs each', 'RSS MB', 'exact'],
    Object.entries(scenarios).map(([name, scenario]) => [
      name,
      rateOf(scenario),
      pair(scenario.ackMs),
      pair(scenario.freshMs),
      list(scenario.cpuMicrosPerEvent),
      list(scenario.rssMbMaxOf ?? {}),
      scenario.exact ? 'yes' : 'NO',
    ]),
  );
  print(
    ['stage', 'per second', 'cores', 'CPU µs each'],
    Object.entries(stages).map(([name, stage]) => [
      name,
      figure(stage.rowsPerSecond ?? stage.eventsPerSecond ?? stage.requestsPerSecond),
      String(stage.cores),
      figure(stage.cpuMicrosPerEvent),
    ]),
  );
  print(
    ['ratio', 'is', 'goal', '', 'what'],
    ratioNames.map((name) => {
      const [ratio, value] = [ratioOf(name), results.ratios[name]];
      const state =
        value === null ? (results.missing[name] ?? '') : isReached(ratio, value) ? 'reached' : 'not reached';
      return [name, figure(value ?? undefined), goalOf(name), state, ratio.what];
    }),
  );
}

export function printChanges(changes: readonly Change[], compared: string): void {
  if (changes.length === 0) {
    console.log(`${compared}: no figure changed beyond noise`);
    return;
  }
  print(
    ['figure', 'before', 'after', 'factor', ''],
    changes.map(({ figure: name, before, after, factor, verdict }) => [
      name,
      figure(before.median),
      figure(after.median),
      factor.toFixed(2),
      verdict,
    ]),
  );
}

export function goalOf(name: (typeof ratioNames)[number]): string {
  const { goal } = ratioOf(name);
  return 'atLeast' in goal ? `≥ ${goal.atLeast}` : `≤ ${goal.atMost}`;
}

export function rateOf({ eventsPerSecond, requestsPerSecond }: Scenario): string {
  return eventsPerSecond === undefined
    ? `${figure(requestsPerSecond)} requests`
    : `${figure(eventsPerSecond)} events`;
}

export function pair(of: Scenario['freshMs']): string {
  return of === undefined ? '' : `${figure(of.p50)} / ${figure(of.p99)}`;
}

export function figure(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return '–';
  if (value >= 100) return Math.round(value).toLocaleString('en-US');
  return String(Number(value.toPrecision(value >= 10 ? 3 : 2)));
}

/** Events a second of each scenario that has them, on a logarithmic scale: the designs lie powers of ten apart. */
export function chart(scenarios: Readonly<Record<string, Scenario>>): string {
  const bars = Object.entries(scenarios).flatMap(([name, { eventsPerSecond }]) =>
    eventsPerSecond === undefined ? [] : [{ name, eventsPerSecond }],
  );
  const largest = Math.max(...bars.map(({ eventsPerSecond }) => eventsPerSecond), 10);
  const width = (value: number): number =>
    Math.max(2, (Math.log10(Math.max(1, value)) / Math.log10(largest)) * 460);
  const rows = bars.map(({ name, eventsPerSecond }, index) => {
    const y = 44 + index * 30;
    const colour = isBeside(name) ? '#9aa4b2' : '#2f6feb';
    return [
      `<text x="130" y="${y + 15}" text-anchor="end">${name}</text>`,
      `<rect x="140" y="${y}" width="${width(eventsPerSecond).toFixed(1)}" height="20" rx="3" fill="${colour}"/>`,
      `<text x="${(146 + width(eventsPerSecond)).toFixed(1)}" y="${y + 15}">${figure(eventsPerSecond)}</text>`,
    ].join('');
  });
  const height = 60 + bars.length * 30;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 ${height}" font-family="system-ui, sans-serif" font-size="13">`,
    `<rect width="720" height="${height}" fill="#ffffff"/>`,
    '<text x="20" y="26" font-weight="600">Events a second, logarithmic scale</text>',
    ...rows,
    '</svg>\n',
  ].join('\n');
}

/** Designs that Tollgate is measured against, whose faults are not its own. */
export function isBeside(scenario: string): boolean {
  return scenario === 'jobPerEvent' || scenario === 'fullyNaive';
}

function list(values: Readonly<Record<string, number>>): string {
  return Object.entries(values)
    .filter(([, value]) => value >= 0.005)
    .map(([name, value]) => `${name} ${figure(value)}`)
    .join(', ');
}

function print(heads: readonly string[], rows: readonly (readonly string[])[]): void {
  const table = [heads, ...rows];
  const widths = heads.map((_, column) => Math.max(...table.map((cells) => (cells[column] ?? '').length)));
  for (const cells of table) {
    const padded = cells.map((cell, column) => cell.padEnd(widths[column] ?? 0));
    console.log(padded.join('  ').trimEnd());
  }
  console.log();
}
