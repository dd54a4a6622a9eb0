import type { Config } from '../config.ts';

/** What the user needs next: where it is, the key, and three commands that work as they stand. */
export function welcome({ host, apiPort, ingestPort }: Config, apiKey: string): string {
  const reachable = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  const authority = reachable.includes(':') ? `[${reachable}]` : reachable;
  const api = `http://${authority}:${apiPort}`;
  const ingest = `http://${authority}:${ingestPort}`;
  return `
Tollgate is ready.

  GraphQL   ${api}/graphql
  Explorer  ${api}/explorer
  Ingest    ${ingest}
  API key   ${apiKey}

Send an event:

  ${curl(apiKey, `${ingest}/api/v1/events`, sampleEvent)}

Report usage of a feature (the first line makes the customer and the features that these commands use):

  ${curl(apiKey, `${api}/graphql`, { query: setUp })} > /dev/null; ${curl(apiKey, `${ingest}/api/v1/usage`, sampleUsage)}

Ask for usage:

  ${curl(apiKey, `${api}/graphql`, { query: question })}

Ctrl-C stops it.
`;
}

const sampleEvent = {
  customerId: 'acme',
  eventName: 'api_call',
  idempotencyKey: 'first-call',
  dimensions: { region: 'eu', tokens: 120 },
};

const sampleUsage = { usages: [{ customerId: 'acme', featureId: 'seats', value: 3 }] };

/** Aliased fields run one after another; one that exists already says so and stops none of the others. */
const setUp = `mutation {
 customer: provisionCustomer(input: {customerId: "acme", name: "Acme"}) { customer { id } }
 calls: createFeature(input: {refId: "api-calls", displayName: "API calls", featureType: NUMBER, meterType: INCREMENTAL,
  meter: {aggregation: {function: COUNT}, filters: [{conditions: [{field: "eventName", operation: EQUALS, value: "api_call"}]}]}}) { id }
 seats: createFeature(input: {refId: "seats", displayName: "Seats", featureType: NUMBER, meterType: FLUCTUATING}) { id }
}`.replaceAll('\n', '');

const question = `{
 calls: usageHistoryV2(input: {customerId: "acme", featureId: "api-calls", startDate: "2020-01-01T00:00:00Z", interval: MONTH}) { totalUsage }
 seats: usageHistoryV2(input: {customerId: "acme", featureId: "seats", startDate: "2020-01-01T00:00:00Z", interval: MONTH}) { totalUsage }
}`.replaceAll('\n', '');

/** One line that a POSIX shell takes as it stands; the samples contain no single quote. */
function curl(apiKey: string, url: string, body: unknown): string {
  return `curl -sS ${url} -H 'X-API-KEY: ${apiKey}' -H 'Content-Type: application/json' -d '${JSON.stringify(body)}'`;
}
