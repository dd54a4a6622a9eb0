/** Compares what an installation says with the generator's own books, once nothing is on its way. */
import type { BenchInstallation } from './bench-installation.ts';
import { customerName } from './event-shapes.ts';
import { limitedFeature, reportedFeature } from './load-jobs.ts';
import { meteredFeatures } from './metered-features.ts';

const states = ['stored', 'duplicate', 'conflict', 'refused', 'dead_lettered', 'in_flight'] as const;

/** The counts of `/metrics`: accepted, and where everything accepted is. */
export type Books = Readonly<Record<(typeof states)[number] | 'accepted', number>>;

export async function readBooks({ tollgate }: BenchInstallation): Promise<Books> {
  const text = await (await fetch(`${tollgate.ingestUrl}/metrics`)).text();
  const read = (state: string): number =>
    Number(new RegExp(`^tollgate_events\\{.*state="${state}".*\\} (\\d+)`, 'm').exec(text)?.[1]);
  return Object.fromEntries(['accepted', ...states].map((state) => [state, read(state)])) as Books;
}

/** What has to hold of the books of one load: how many it sent that were accepted, and how many of them count. */
export interface BookedLoad {
  readonly before: Books;
  readonly after: Books;
  readonly accepted: number;
  readonly stored: number;
}

/** In words; empty when all is as it has to be. */
export function bookProblems({ before, after, accepted, stored }: BookedLoad): string[] {
  const problems: string[] = [];
  const compare = (what: string, told: number, counted: number): void => {
    if (told !== counted) problems.push(`${what}: ${told} by /metrics, ${counted} by the generator`);
  };
  const sum = states.reduce((total, state) => total + after[state], 0);
  if (after.accepted !== sum) problems.push(`accepted is ${after.accepted}, and its parts sum up to ${sum}`);
  compare('accepted', after.accepted - before.accepted, accepted);
  compare('stored', after.stored - before.stored, stored);
  compare('duplicates', after.duplicate - before.duplicate, accepted - stored);
  for (const state of ['conflict', 'refused', 'dead_lettered'] as const) {
    compare(state, after[state] - before[state], 0);
  }
  return problems;
}

/** Customers asked one by one: the busiest, and some by chance. */
const busiestAsked = 3;

/** Every metered feature over all customers, and of sampled ones by every door. */
export async function usageProblems(bench: BenchInstallation, sampled: number): Promise<string[]> {
  const { counted, customers } = bench.options;
  const problems = await totalProblems(bench);
  const spread = Math.max(1, Math.floor((customers - busiestAsked) / Math.max(1, sampled - busiestAsked)));
  for (let at = 0; at < sampled && at < customers; at += 1) {
    const rank = at < busiestAsked ? at : busiestAsked + (at - busiestAsked) * spread;
    problems.push(...(await historyProblems(bench, rank)));
    if (rank < counted) problems.push(...(await checkProblems(bench, rank)));
  }
  return problems;
}

async function totalProblems(bench: BenchInstallation): Promise<string[]> {
  const columns = meteredFeatures.map(({ sql }) => `toString(${sql})`).join(', ');
  const row = await bench.row(`SELECT ${columns} FROM events WHERE startsWith(customer_id, 'customer-')`);
  if (row === undefined) return [];
  return meteredFeatures.flatMap((feature, at) =>
    unequal(`${feature.refId} of all customers`, row[at], bench.expected.usage(feature)),
  );
}

async function historyProblems({ tollgate, expected }: BenchInstallation, rank: number): Promise<string[]> {
  const customerId = customerName(rank);
  const span = 'startDate: "2000-01-01T00:00:00Z", endDate: "2050-01-01T00:00:00Z", interval: MONTH';
  const fields = meteredFeatures.map(
    ({ refId }, at) =>
      `f${at}: usageHistoryV2(input: {customerId: "${customerId}", featureId: "${refId}", ${span}}) { totalUsage }`,
  );
  const data = (await tollgate.data(`query { ${fields.join(' ')} }`)) as Record<
    string,
    { totalUsage: string }
  >;
  return meteredFeatures.flatMap((feature, at) =>
    unequal(`${feature.refId} of ${customerId}`, data[`f${at}`]?.totalUsage, expected.usage(feature, rank)),
  );
}

/** By live counters: all of usage, usage of this month since the subscription began, and reported usage. */
async function checkProblems(bench: BenchInstallation, rank: number): Promise<string[]> {
  const { expected } = bench;
  const usages = await bench.entitlements(customerName(rank));
  const feature = (refId: string) => meteredFeatures.find((each) => each.refId === refId);
  const [limited, tokens] = [feature(limitedFeature), feature('tokens')];
  if (limited === undefined || tokens === undefined) throw new Error('a limited feature is not metered');
  return [
    ...unequal(`${limitedFeature} in a check`, usages.get(limitedFeature), expected.usage(limited, rank)),
    ...unequal('tokens in a check', usages.get('tokens'), expected.usage(tokens, rank, 'late')),
    ...unequal('seats in a check', usages.get(reportedFeature), String(expected.reported(rank))),
  ];
}

function unequal(what: string, told: string | undefined, counted: string): string[] {
  return (told ?? '0') === counted ? [] : [`${what}: ${told} is told, ${counted} was acknowledged`];
}
