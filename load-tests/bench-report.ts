/** The results as a table on the terminal and as a bar chart. */
import type { Scenario } from './scenario.ts';

export function printTable(
  scenarios: Readonly<Record<string, Scenario>>,
  ratios: Readonly<Record<string, number>>,
): void {
  const rows = Object.entries(scenarios).map(([name, scenario]) => ({
    scenario: name,
    'events/s': figure(scenario.eventsPerSecond),
    'requests/s': figure(scenario.requestsPerSecond),
    'ack p50 ms': figure(scenario.ackMs.p50),
    'ack p99 ms': figure(scenario.ackMs.p99),
    'fresh p50 ms': figure(scenario.freshMs?.p50),
    'fresh p99 ms': figure(scenario.freshMs?.p99),
    'CPU µs an event': list(scenario.cpuMicrosPerEvent),
    'RSS MB': list(scenario.rssMbMax),
    exact: scenario.exact ? 'yes' : 'NO',
  }));
  const heads = Object.keys(rows[0] ?? {}) as (keyof (typeof rows)[number])[];
  const table = [heads, ...rows.map((row) => heads.map((head) => row[head]))];
  const widths = heads.map((_, column) => Math.max(...table.map((cells) => (cells[column] ?? '').length)));
  for (const cells of table) {
    console.log(
      cells
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    );
  }
  for (const [name, value] of Object.entries(ratios)) console.log(`${name}: ${figure(value)}`);
}

/** Events a second of each scenario that has them, on a logarithmic scale: the designs lie powers of ten apart. */
export function chart(scenarios: Readonly<Record<string, Scenario>>): string {
  const bars = Object.entries(scenarios).flatMap(([name, { eventsPerSecond }]) =>
    eventsPerSecond === undefined ? [] : [{ name, eventsPerSecond }],
  );
  const largest = Math.max(...bars.map(({ eventsPerSecond }) => eventsPerSecond), 10);
  const width = (value: number) => Math.max(2, (Math.log10(Math.max(1, value)) / Math.log10(largest)) * 480);
  const rows = bars.map(({ name, eventsPerSecond }, index) => {
    const y = 44 + index * 30;
    const colour = name.startsWith('naive') ? '#9aa4b2' : '#2f6feb';
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

function figure(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return '–';
  return value >= 100 ? Math.round(value).toLocaleString('en-US') : value.toPrecision(2);
}

function list(values: Readonly<Record<string, number>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name} ${figure(value)}`)
    .join(', ');
}
