/** How long questions about usage take when much is stored, asked over GraphQL as everybody asks them. */
import { createClickhouseClient } from '../src/store/clickhouse-client.ts';
import { migrateClickhouse } from '../src/store/migrations.ts';
import { customerCount, customerName } from './event-shapes.ts';
import type { MeasureOptions, Percentiles, QueryFigures } from './figures.ts';
import { percentile } from './load.ts';
import { processFigures } from './process-figures.ts';
import { fillEvents, mergesDone, rowsOf, type StoredSize, storedSize } from './stored-events.ts';
import { type AskApi, StoredInstallation } from './stored-installation.ts';
import { monthByDay, type Question, questions, storedFeatures } from './stored-questions.ts';

export interface StoredQueryFigures extends QueryFigures {
  /** p99 of one customer's month by day over the largest history ÷ over the smallest. */
  readonly queryGrowth: number;
  readonly histories: Readonly<Record<string, HistoryFigures>>;
}

export interface HistoryFigures extends StoredSize {
  readonly fillSeconds: number;
  /** Processor time of ClickHouse while it was filled, merges included. */
  readonly fillCpuMicrosPerEvent: number;
  readonly questions: Readonly<Record<string, QuestionFigures>>;
  /** Sampled answers equal a count of the rows by a query of our own. */
  readonly exact: boolean;
}

export interface QuestionFigures {
  readonly ms: Percentiles;
  /** Of ClickHouse and the API together. */
  readonly cpuMs: number;
  /** Of the history that the question is about. */
  readonly rowsCounted: Percentiles;
}

export interface QueryOptions extends MeasureOptions {
  /** How many events are stored; each size is a history of its own. */
  readonly sizes?: readonly number[];
}

/** Of the question that growth is measured by, and of the others. */
const customersAsked = 240;
const customersAskedBriefly = 60;
const warmUpAsked = 20;

/**
 * Fills a history of each size and asks the same questions of all of them in turn, so that what else the machine
 * does meanwhile is in the figures of every size alike. The folder is removed at the end.
 */
export async function measureQueries(options: QueryOptions): Promise<StoredQueryFigures> {
  const sizes = options.sizes ?? (options.quick ? [1e6] : [1e6, 1e7, 1e8]);
  const installation = await StoredInstallation.start();
  try {
    const histories: History[] = [];
    for (const events of sizes) histories.push(await makeHistory(installation, events, options));
    await prepare(histories);
    const figures = await askAll(histories, options.progress);
    return { ...summary(figures), histories: figures };
  } finally {
    await installation.remove();
  }
}

/** `1M`, `250k`. */
export function sizeName(events: number): string {
  return events >= 1e6 ? `${events / 1e6}M` : `${events / 1e3}k`;
}

function summary(figures: Readonly<Record<string, HistoryFigures>>): Omit<StoredQueryFigures, 'histories'> {
  const monthByDayMs = Object.fromEntries(
    Object.entries(figures).flatMap(([name, { questions: asked }]) => {
      const month = asked[monthByDay];
      return month === undefined ? [] : [[name, month.ms] as const];
    }),
  );
  const p99 = Object.values(monthByDayMs).map((ms) => ms.p99);
  return {
    monthByDayMs,
    bytesPerEvent: Object.values(figures).at(-1)?.bytesPerEvent ?? Number.NaN,
    queryGrowth: (p99.at(-1) ?? Number.NaN) / (p99[0] ?? Number.NaN),
  };
}

interface History {
  readonly events: number;
  readonly database: string;
  readonly client: ReturnType<typeof createClickhouseClient>;
  readonly ask: AskApi;
  readonly size: StoredSize;
  readonly fillSeconds: number;
  readonly fillCpuMicrosPerEvent: number;
}

async function makeHistory(
  installation: StoredInstallation,
  events: number,
  { progress }: QueryOptions,
): Promise<History> {
  const database = `stored_${events}`;
  const target = { url: installation.databaseUrl(database), requestTimeoutMs: 120_000 };
  await migrateClickhouse(target);
  const client = createClickhouseClient(target);
  const startedAt = performance.now();
  const cpuBefore = cpuSeconds('clickhouse');
  let told = 0;
  await fillEvents(client, events, (stored) => {
    if (stored < told + events / 10) return;
    told = stored;
    progress(`${sizeName(events)} events: ${Math.floor((stored / events) * 100)} % stored`);
  });
  await mergesDone(client);
  return {
    events,
    database,
    client,
    size: await storedSize(client),
    fillSeconds: (performance.now() - startedAt) / 1_000,
    fillCpuMicrosPerEvent: ((cpuSeconds('clickhouse') - cpuBefore) * 1e6) / events,
    ask: await installation.startApi(database),
  };
}

/** Ranks spread evenly over all customers: a question is asked of large and small ones alike. */
function ranksOf(question: Question): readonly number[] {
  if (question.ranks !== undefined) return question.ranks;
  const asked = question.name === monthByDay ? customersAsked : customersAskedBriefly;
  return Array.from({ length: asked }, (_, at) => Math.floor(((at + 0.5) * customerCount) / asked));
}

/** What the APIs share is made once. */
async function prepare(histories: readonly History[]): Promise<void> {
  const [first] = histories;
  if (first === undefined) return;
  for (const input of storedFeatures) {
    await first.ask('mutation ($input: CreateFeatureInput!) { createFeature(input: $input) { id } }', input);
  }
  for (const rank of new Set(questions.flatMap(ranksOf))) {
    await first.ask(
      'mutation ($input: ProvisionCustomerInput!) { provisionCustomer(input: $input) { customer { id } } }',
      { customerId: customerName(rank) },
    );
  }
}

async function askAll(
  histories: readonly History[],
  progress: (text: string) => void,
): Promise<Record<string, HistoryFigures>> {
  const answers = new Map(histories.map((history) => [history, new Map<string, QuestionFigures>()]));
  for (const question of questions) {
    progress(`asking: ${question.name}`);
    const ranks = ranksOf(question);
    for (const rank of ranks.slice(0, warmUpAsked)) {
      for (const history of histories) await askOnce(history, question, rank);
    }
    const timings = histories.map((history) => ({ history, ms: [] as number[], rows: [] as number[] }));
    for (const rank of ranks) {
      for (const timing of timings) {
        const startedAt = performance.now();
        const usage = await askOnce(timing.history, question, rank);
        timing.ms.push(performance.now() - startedAt);
        if (question.counts) timing.rows.push(usage);
      }
    }
    for (const { history, ms, rows } of timings) {
      const cpuMs = await cpuOf(history, question, ranks.slice(0, warmUpAsked));
      answers
        .get(history)
        ?.set(question.name, { ms: percentilesOf(ms), cpuMs, rowsCounted: percentilesOf(rows) });
    }
  }
  const figures: Record<string, HistoryFigures> = {};
  for (const [history, asked] of answers) {
    figures[sizeName(history.events)] = {
      ...history.size,
      fillSeconds: history.fillSeconds,
      fillCpuMicrosPerEvent: history.fillCpuMicrosPerEvent,
      questions: Object.fromEntries(asked),
      exact: await isExact(history),
    };
    await history.client.close();
  }
  return figures;
}

/** The usage that was answered. */
async function askOnce(history: History, question: Question, rank: number): Promise<number> {
  const { totalUsage } = await history.ask<{ totalUsage: string }>(usageHistory, {
    customerId: customerName(rank),
    ...question.input,
  });
  return Number(totalUsage);
}

const usageHistory = `query ($input: UsageHistoryV2Input!) { usageHistoryV2(input: $input) {
  totalUsage series { tags { key value } points { timestamp value } } } }`;

/** Processor time of one answer; the kernel counts it in hundredths of a second, so it is taken over many. */
async function cpuOf(history: History, question: Question, ranks: readonly number[]): Promise<number> {
  const before = cpuSeconds('clickhouse') + cpuSeconds('api');
  for (const rank of ranks) await askOnce(history, question, rank);
  return ((cpuSeconds('clickhouse') + cpuSeconds('api') - before) * 1_000) / ranks.length;
}

async function isExact(history: History): Promise<boolean> {
  const question = questions.find(({ counts }) => counts);
  if (question === undefined) return false;
  const { startDate, endDate } = question.input;
  for (const rank of [0, 7, ...ranksOf(question).slice(0, 10)]) {
    const [row] = await rowsOf<{ rows: string }>(
      history.client,
      `SELECT count() AS rows FROM events WHERE customer_id = '${customerName(rank)}'
       AND timestamp >= parseDateTimeBestEffort('${startDate}') AND timestamp < parseDateTimeBestEffort('${endDate}')`,
    );
    if (Number(row?.rows) !== (await askOnce(history, question, rank))) return false;
  }
  return history.size.rows === history.events;
}

function percentilesOf(values: readonly number[]): Percentiles {
  const sorted = [...values].sort((a, b) => a - b);
  return { p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99) };
}

function cpuSeconds(role: string): number {
  return processFigures(process.pid).get(role)?.cpuSeconds ?? 0;
}
