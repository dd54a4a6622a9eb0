/** What a load sends, and how its answers are judged; each kind keeps books of what it was told is counted. */
import { EventBodies, type EventTally } from './event-bodies.ts';
import { customerName } from './event-shapes.ts';
import type { LoadTarget, Status } from './http-lane.ts';
import type { LoadRequest } from './load.ts';
import { seededRandom, zipfRanks } from './seeded-random.ts';

export interface LoadJob {
  readonly target: LoadTarget;
  /** In an open loop the bound of requests on their way. */
  readonly connections: number;
  readonly seconds: number;
  /** Requests a second; undefined: a closed loop. */
  readonly rate: number | undefined;
  readonly seed: number;
  /** Another one for each load of a run, so that no two send the same keys. */
  readonly stream: number;
  readonly content: LoadContent;
}

export type LoadContent =
  | { readonly kind: 'events'; readonly eventsPerBody: number; readonly pool: number }
  | { readonly kind: 'usage'; readonly customers: number }
  /** `usages`: what each customer's usage is while nothing else runs; every twentieth answer is compared. */
  | { readonly kind: 'checks'; readonly customers: number; readonly usages: Float64Array | undefined }
  | { readonly kind: 'graphqlChecks'; readonly customers: number; readonly usages: Float64Array | undefined }
  | { readonly kind: 'usageQueries'; readonly customers: number };

/** What was acknowledged, and so has to be found. */
export interface Acknowledged {
  readonly events?: EventTally;
  readonly usage?: UsageTally;
}

export interface UsageTally {
  /** By customer. */
  readonly counted: Uint32Array;
  /** Reports that were sent once more, and count no more. */
  readonly repeats: number;
}

export interface JobRun {
  readonly next: () => LoadRequest;
  readonly acknowledged: () => Acknowledged;
}

/** The features that customers of the load tests have limits of. */
export const limitedFeature = 'requests';
export const reportedFeature = 'seats';

export function startJob(job: LoadJob): JobRun {
  const { content } = job;
  if (content.kind === 'events') return sendEvents(job, content.eventsPerBody, content.pool);
  if (content.kind === 'usage') return reportUsage(job, content.customers);
  if (content.kind === 'checks') return ask(job, content, checkRequest);
  if (content.kind === 'graphqlChecks') return ask(job, content, graphqlCheckRequest);
  return ask(job, { ...content, usages: undefined }, usageRequest);
}

function sendEvents(job: LoadJob, eventsPerBody: number, pool: number): JobRun {
  const bodies = new EventBodies(eventsPerBody, job.seed, Date.now(), job.stream, pool);
  const right = Buffer.from(`"accepted":${eventsPerBody},"rejected":[]`);
  return {
    next: () => {
      const { bytes, index } = bodies.take();
      return {
        body: bytes,
        answered: (status, answer) => status !== 202 || answer.includes(right),
        succeeded: () => bodies.accepted(index),
      };
    },
    acknowledged: () => ({ events: bodies.tally() }),
  };
}

/** One in so many reports is sent again once it was acknowledged. */
const reportsToARepeat = 100;

function reportUsage(job: LoadJob, customers: number): JobRun {
  const customer = zipfRanks(customers, seededRandom(job.seed + job.stream));
  const counted = new Uint32Array(customers);
  let sent = 0;
  let repeats = 0;
  let acknowledged: Buffer | undefined;
  const repeat = (body: Buffer): LoadRequest => ({
    body,
    answered: acknowledges(true),
    succeeded: () => void (repeats += 1),
  });
  return {
    next: () => {
      sent += 1;
      if (sent % reportsToARepeat === 0 && acknowledged !== undefined) return repeat(acknowledged);
      const rank = customer();
      const key = `report-${job.seed}-${job.stream}-${sent}`;
      const body = Buffer.from(
        `{"usages":[{"customerId":"${customerName(rank)}","featureId":"${reportedFeature}","value":1,"idempotencyKey":"${key}"}]}`,
      );
      return {
        body,
        answered: acknowledges(false),
        succeeded: () => {
          counted[rank] = (counted[rank] as number) + 1;
          acknowledged = body;
        },
      };
    },
    acknowledged: () => ({ usage: { counted, repeats } }),
  };
}

/** A report that is sent again because its first answer was lost may be a repeat, though none was meant. */
function acknowledges(isRepeat: boolean): NonNullable<LoadRequest['answered']> {
  return (status, answer) =>
    status !== 200 ||
    (answer.includes('"currentUsage":"') && (!isRepeat || answer.includes('"duplicate":true')));
}

interface Questions {
  readonly customers: number;
  readonly usages: Float64Array | undefined;
}

/** One in so many answers is read; to read all would cost the sender more than the server. */
const answersToACheck = 20;

function ask(job: LoadJob, { customers, usages }: Questions, of: (rank: number) => Question): JobRun {
  const customer = zipfRanks(customers, seededRandom(job.seed + job.stream));
  const questions = Array.from({ length: customers }, (_, rank) => of(rank));
  let asked = 0;
  return {
    next: () => {
      const rank = customer();
      const { request, usageIn } = questions[rank] as Question;
      asked += 1;
      if (asked % answersToACheck !== 0) return request;
      return { ...request, answered: (status, answer) => isRight(status, answer, usageIn, usages?.[rank]) };
    },
    acknowledged: () => ({}),
  };
}

interface Question {
  readonly request: LoadRequest;
  /** The usage that an answer tells; undefined when it does not answer the question. */
  readonly usageIn: (answer: string) => string | undefined;
}

function isRight(
  status: Status,
  answer: Buffer,
  usageIn: Question['usageIn'],
  usage: number | undefined,
): boolean {
  if (status !== 200) return true;
  const told = usageIn(answer.toString());
  return told !== undefined && (usage === undefined || Number(told) === usage);
}

function checkRequest(rank: number): Question {
  const path = `/api/v1/customers/${customerName(rank)}/entitlements/check?featureId=${limitedFeature}`;
  return {
    request: { path },
    usageIn: (answer) => /"isGranted":true.*"currentUsage":"([^"]*)"/.exec(answer)?.[1],
  };
}

function graphqlCheckRequest(rank: number): Question {
  const query =
    'query ($query: FetchEntitlementQuery!) { entitlement(query: $query) { isGranted currentUsage } }';
  const variables = { query: { customerId: customerName(rank), featureId: limitedFeature } };
  return {
    request: { body: Buffer.from(JSON.stringify({ query, variables })) },
    usageIn: (answer) => /"isGranted":true,"currentUsage":"?([0-9.]+)/.exec(answer)?.[1],
  };
}

/** The customer's last month by day, as a dashboard asks for it. */
function usageRequest(rank: number): Question {
  const query = 'query ($input: UsageHistoryV2Input!) { usageHistoryV2(input: $input) { totalUsage } }';
  const monthMs = 30 * 86_400_000;
  const startDate = new Date(Math.floor(Date.now() / 86_400_000) * 86_400_000 - monthMs).toISOString();
  const input = { customerId: customerName(rank), featureId: limitedFeature, startDate, interval: 'DAY' };
  return {
    request: { body: Buffer.from(JSON.stringify({ query, variables: { input } })) },
    usageIn: (answer) => /"totalUsage":"([^"]*)"/.exec(answer)?.[1],
  };
}
