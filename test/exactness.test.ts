/** Exactly once and exact amounts, seen from outside on a whole installation. */
import { OpenMeter } from '@openmeter/sdk';
import { CloudEvent, HTTP } from 'cloudevents';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Installation } from './installation.ts';

let tollgate: Installation;
const calls = {
  aggregation: { function: 'COUNT' },
  filters: [{ conditions: [{ field: 'eventName', operation: 'EQUALS', value: 'call' }] }],
};
const tokens = { aggregation: { function: 'SUM', field: 'tokens' }, filters: calls.filters };

beforeAll(async () => {
  tollgate = await Installation.create();
  await tollgate.start();
  await tollgate.createFeature('calls', calls);
  await tollgate.createFeature('tokens', tokens);
  await tollgate.createFeature('seats');
});
afterAll(() => tollgate.remove());

function event(customerId: string, idempotencyKey: string, dimensions: Record<string, unknown> = {}) {
  return { customerId, eventName: 'call', idempotencyKey, dimensions };
}

describe('an event counts once', () => {
  it('when two clients send the same identity at the same moment', async () => {
    await tollgate.provision('twins');
    const body = { events: Array.from({ length: 50 }, (_, index) => event('twins', `key-${index}`)) };
    const answers = await Promise.all(Array.from({ length: 8 }, () => tollgate.send('/api/v1/events', body)));
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 202));
    await tollgate.settled();
    expect(await tollgate.totalUsage('twins', 'calls')).toBe('50');
  });

  it('when usage with the same identity is reported at the same moment, and tells the original', async () => {
    await tollgate.provision('usage-twins');
    const usages = [{ customerId: 'usage-twins', featureId: 'seats', value: 3, idempotencyKey: 'once' }];
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => tollgate.send('/api/v1/usage', { usages })),
    );
    const acks = answers.map(({ body }) => body.data[0]);
    expect(acks.map(({ currentUsage }) => currentUsage)).toEqual(Array.from({ length: 8 }, () => '3'));
    expect(new Set(acks.map(({ id }) => id)).size).toBe(1);
    expect(acks.filter(({ duplicate }) => !duplicate)).toHaveLength(1);
  });

  it('and the same identity with other content is a conflict that `measurements` shows', async () => {
    await tollgate.provision('torn');
    const first = await tollgate.metric('tollgate_events', 'state="conflict"');
    await tollgate.send('/api/v1/events', event('torn', 'same', { tokens: 5 }));
    await tollgate.settled();
    await tollgate.send('/api/v1/events', event('torn', 'same', { tokens: 6 }));
    await tollgate.settled();
    expect(await tollgate.totalUsage('torn', 'tokens')).toBe('5');
    expect(await tollgate.metric('tollgate_events', 'state="conflict"')).toBe((first ?? 0) + 1);
    const data = await tollgate.data(
      '{ measurements(filter: {customerId: "torn"}) { edges { node { state idempotencyKey } } } }',
    );
    const states = data.measurements.edges.map((edge: { node: { state: string } }) => edge.node.state);
    expect(states.toSorted()).toEqual(['CONFLICT', 'COUNTED']);
  });
});

describe('amounts are exact', () => {
  it('0.1 reported ten times is 1, as usage and as events', async () => {
    await tollgate.provision('tenths');
    for (let index = 0; index < 10; index++) {
      const answer = await tollgate.send('/api/v1/usage', {
        usages: [{ customerId: 'tenths', featureId: 'seats', value: 0.1 }],
      });
      expect(answer.status).toBe(200);
    }
    const events = Array.from({ length: 10 }, (_, index) => event('tenths', `k${index}`, { tokens: 0.1 }));
    await tollgate.send('/api/v1/events', events);
    await tollgate.settled();
    expect(await tollgate.totalUsage('tenths', 'seats')).toBe('1');
    expect(await tollgate.totalUsage('tenths', 'tokens')).toBe('1');
  });

  it('keeps 20 digits before the point and 9 after', async () => {
    await tollgate.provision('large');
    const body =
      '{"usages":[{"customerId":"large","featureId":"seats","value":12345678901234567890.123456789}]}';
    const answer = await tollgate.send('/api/v1/usage', body);
    expect(answer.body.data[0].currentUsage).toBe('12345678901234567890.123456789');
    const more = await tollgate.send('/api/v1/usage', {
      usages: [{ customerId: 'large', featureId: 'seats', value: '0.000000001' }],
    });
    expect(more.body.data[0].currentUsage).toBe('12345678901234567890.12345679');
  });

  it('a SET replaces what was before it, and an older SET that comes late does not undo it', async () => {
    await tollgate.provision('office');
    const report = async (usage: Record<string, unknown>) => {
      const answer = await tollgate.send('/api/v1/usage', {
        usages: [{ customerId: 'office', featureId: 'seats', ...usage }],
      });
      return answer.body.data[0].currentUsage;
    };
    expect(await report({ value: 4, createdAt: '2024-01-01T00:00:00Z' })).toBe('4');
    expect(await report({ value: 10, updateBehavior: 'SET', createdAt: '2024-01-02T00:00:00Z' })).toBe('10');
    expect(await report({ value: 2, createdAt: '2024-01-03T00:00:00Z' })).toBe('12');
    expect(await report({ value: 99, updateBehavior: 'SET', createdAt: '2024-01-01T12:00:00Z' })).toBe('12');
    expect(await tollgate.totalUsage('office', 'seats')).toBe('12');
  });
});

describe('clients of other vendors, as they come from npm', () => {
  it('the OpenMeter SDK', async () => {
    await tollgate.provision('openmeter');
    const client = new OpenMeter({ baseUrl: tollgate.ingestUrl, apiKey: tollgate.apiKey });
    const sent = { type: 'call', subject: 'openmeter', source: 'sdk', data: { tokens: '7' } };
    await client.events.ingest({ ...sent, id: 'om-1' });
    await client.events.ingest([
      { ...sent, id: 'om-1' },
      { ...sent, id: 'om-2' },
    ]);
    await tollgate.settled();
    expect(await tollgate.totalUsage('openmeter', 'calls')).toBe('2');
    expect(await tollgate.totalUsage('openmeter', 'tokens')).toBe('14');
  });

  it('the cloudevents package, structured, binary and batched', async () => {
    await tollgate.provision('cloud');
    const cloudEvent = (id: string) =>
      new CloudEvent({
        id,
        type: 'call',
        source: '/tests',
        subject: 'cloud',
        data: { tokens: 3, text: 'grüße 💡' },
      });
    for (const message of [
      HTTP.structured(cloudEvent('ce-1')),
      HTTP.binary(cloudEvent('ce-2')),
      HTTP.binary(cloudEvent('ce-1')),
    ]) {
      const headers = Object.fromEntries(
        Object.entries(message.headers).map(([name, value]) => [name, String(value)]),
      );
      const answer = await tollgate.send('/api/v1/events', message.body, headers);
      expect(answer).toMatchObject({ status: 202, body: { data: { accepted: 1 } } });
    }
    const batch = JSON.stringify([cloudEvent('ce-2'), cloudEvent('ce-3')]);
    await tollgate.send('/api/v1/events', batch, { 'content-type': 'application/cloudevents-batch+json' });
    await tollgate.settled();
    expect(await tollgate.totalUsage('cloud', 'tokens')).toBe('9');
  });
});
