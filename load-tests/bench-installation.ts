/** An installation as `npm start` runs it, with the catalog and the customers that load tests ask about. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { createClickhouseClient } from '../src/store/clickhouse-client.ts';
import { Installation } from '../test/installation.ts';
import { customerName } from './event-shapes.ts';
import { ExpectedUsage } from './expected-usage.ts';
import type { LoadTarget } from './http-lane.ts';
import { limitedFeature, reportedFeature } from './load-jobs.ts';
import { meteredFeatures } from './metered-features.ts';
import { environmentOf } from './process-figures.ts';

export interface BenchInstallationOptions {
  readonly seed: number;
  readonly poolSize: number;
  /** The busiest so many customers are provisioned and have a plan; events of the others wait for theirs. */
  readonly customers: number;
  /** The busiest so many have live counters, as if their applications had asked. */
  readonly counted: number;
  /** False: no features, so no meters, no plans, no customers, and a worker that takes no event for a duplicate. */
  readonly metered: boolean;
  readonly settings?: Readonly<Record<string, string>>;
}

/** A plan of these tests: what `live` runs against. */
export const livePlan = {
  planId: 'live',
  featureId: 'live-calls',
  eventName: 'live.call',
  limit: 100,
} as const;

const customersAMutation = 50;
const mutationsAtOnce = 4;
const questionsAtOnce = 16;
/** Larger than any usage of a run. */
const noRealLimit = 1_000_000_000_000;

export class BenchInstallation {
  readonly tollgate: Installation;
  readonly expected: ExpectedUsage;
  readonly options: BenchInstallationOptions;
  #streams = 0;

  private constructor(tollgate: Installation, options: BenchInstallationOptions) {
    this.tollgate = tollgate;
    this.options = options;
    this.expected = new ExpectedUsage(options.seed, options.poolSize);
  }

  static async start(options: BenchInstallationOptions): Promise<BenchInstallation> {
    const tollgate = await Installation.create({ ...options.settings });
    const bench = new BenchInstallation(tollgate, options);
    try {
      await tollgate.start();
      if (options.metered) await bench.#prepare();
    } catch (error) {
      await tollgate.remove();
      throw error;
    }
    return bench;
  }

  remove(): Promise<void> {
    return this.tollgate.remove();
  }

  /** A number that no other load on this installation has. */
  nextStream(): number {
    this.#streams += 1;
    return this.#streams;
  }

  ingest(path: string): LoadTarget {
    return target(this.tollgate.ingestUrl, path, this.tollgate.apiKey);
  }

  get graphql(): LoadTarget {
    return target(this.tollgate.apiUrl, '/graphql', this.tollgate.apiKey);
  }

  /** Of its own Redis, while it runs; it starts with `always`. */
  async setAppendFsync(policy: 'always' | 'everysec'): Promise<void> {
    const folder = join(this.tollgate.folder, 'data', 'redis');
    const { port } = JSON.parse(await readFile(join(folder, 'running.json'), 'utf8')) as { port: number };
    const password = (await readFile(join(folder, 'password'), 'utf8')).trim();
    const redis = new Redis({ port, password });
    await redis.config('SET', 'appendfsync', policy);
    redis.disconnect();
  }

  /** Every customer with a plan asks for what it may use, as applications do: that makes live counters. */
  async makeCounters(): Promise<void> {
    await eachOf(this.options.counted, questionsAtOnce, async (rank) => {
      await this.entitlements(customerName(rank));
    });
  }

  /** Usage of each entitlement, as a check answers it. */
  async entitlements(customerId: string): Promise<ReadonlyMap<string, string>> {
    const response = await fetch(`${this.tollgate.ingestUrl}/api/v1/customers/${customerId}/entitlements`, {
      headers: { 'x-api-key': this.tollgate.apiKey },
    });
    const { data } = (await response.json()) as { data: { featureId: string; currentUsage: string }[] };
    return new Map(data.map(({ featureId, currentUsage }) => [featureId, currentUsage]));
  }

  /** One row of figures, straight from the database; undefined where its address cannot be found out. */
  async row(sql: string): Promise<readonly string[] | undefined> {
    const url = environmentOf(this.tollgate.pid, 'clickhouse', 'CLICKHOUSE_URL');
    if (url === undefined) return undefined;
    const client = createClickhouseClient({ url });
    try {
      const result = await client.query({ query: sql, format: 'JSONCompactEachRow' });
      const [row = []] = await result.json<(string | number)[]>();
      return row.map(String);
    } finally {
      await client.close();
    }
  }

  /** Customers with a subscription to the plan, by mutations of fifty. */
  async provision(names: readonly string[], planId: string): Promise<void> {
    const mutations = Math.ceil(names.length / customersAMutation);
    await eachOf(mutations, mutationsAtOnce, async (at) => {
      const some = names.slice(at * customersAMutation, (at + 1) * customersAMutation);
      const fields = some.map(
        (name, index) =>
          `c${index}: provisionCustomer(input: {customerId: "${name}", subscriptionParams: {planId: "${planId}"}}) { customer { id } }`,
      );
      await this.tollgate.data(`mutation { ${fields.join(' ')} }`);
    });
  }

  async #prepare(): Promise<void> {
    const { tollgate, options } = this;
    for (const { refId, meter } of meteredFeatures) await tollgate.createFeature(refId, meter);
    await tollgate.createFeature(reportedFeature);
    const { eventName } = livePlan;
    const filters = [{ conditions: [{ field: 'eventName', operation: 'EQUALS', value: eventName }] }];
    await tollgate.createFeature(livePlan.featureId, { aggregation: { function: 'COUNT' }, filters });
    await tollgate.data('mutation { createProduct(input: {refId: "app", displayName: "App"}) { refId } }');
    await this.#createPlan('standard', [
      `{featureId: "${limitedFeature}", usageLimit: ${noRealLimit}}`,
      `{featureId: "tokens", usageLimit: ${noRealLimit}, resetPeriod: MONTH}`,
      `{featureId: "${reportedFeature}", usageLimit: ${noRealLimit}}`,
    ]);
    await this.#createPlan(livePlan.planId, [
      `{featureId: "${livePlan.featureId}", usageLimit: ${livePlan.limit}}`,
    ]);
    const names = Array.from({ length: options.customers }, (_, rank) => customerName(rank));
    await this.provision(names, 'standard');
    await this.makeCounters();
  }

  async #createPlan(refId: string, entitlements: readonly string[]): Promise<void> {
    await this.tollgate.data(`mutation {
      createPlan(input: {refId: "${refId}", displayName: "${refId}", productId: "app"}) { refId }
      setPackageEntitlements(input: {packageId: "${refId}", entitlements: [${entitlements.join(' ')}]}) { refId }
      setPackagePricing(input: {packageId: "${refId}", pricingType: FREE, prices: []}) { refId }
      publishPackage(input: {packageId: "${refId}"}) { versionNumber }
    }`);
  }
}

/** Works through 0 … count - 1, so many at once. */
export async function eachOf(
  count: number,
  atOnce: number,
  work: (index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) await work(index);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, count) }, lane));
}

function target(url: string, path: string, apiKey: string): LoadTarget {
  return { port: Number(new URL(url).port), path, apiKey };
}
