import { afterAll, afterEach, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { parseQuantity, type Quantity } from '../../quantity.ts';
import type { ReportedItem } from '../../usage/usage.ts';
import { codesOf, dataOf, type RunningApi, startApi, startOfTests } from '../api.fixture.ts';

let api: RunningApi;

beforeAll(async () => {
  api = await startApi(inject('redisUrl'));
  dataOf(
    await api.ask(`mutation {
      provisionCustomer(input: { customerId: "acme" }) { customer { id } }
      createFeature(input: { refId: "seats", displayName: "Seats", featureType: NUMBER, meterType: FLUCTUATING }) { id }
    }`),
  );
});

afterAll(() => api.stop());

afterEach(() => {
  api.intake.refusal = undefined;
});

const reportUsage = `mutation ($input: ReportUsageInput!) { reportUsage(input: $input) {
  id measurementId customerId featureId resourceId value timestamp currentUsage usageLimit usagePeriodStart
  usagePeriodEnd nextResetDate duplicate } }`;
const reportBulk = `mutation ($input: ReportUsageBulkInput!) {
  reportUsageBulk(input: $input) { customerId currentUsage } }`;
const reportEvents = 'mutation ($events: UsageEventsReportInput!) { reportEvent(events: $events) }';

describe('reportUsage', () => {
  it('answers the acknowledgement', async () => {
    const input = {
      customerId: 'acme',
      featureId: 'seats',
      value: 2.5,
      createdAt: '2026-05-01T10:00:00+02:00',
    };
    const { reportUsage: answer } = dataOf(await api.ask(reportUsage, { input }));
    const { id } = answer as { id: string };
    expect(answer).toEqual({
      id,
      measurementId: id,
      customerId: 'acme',
      featureId: 'seats',
      resourceId: null,
      value: '2.5',
      timestamp: '2026-05-01T08:00:00.000Z',
      currentUsage: '2.5',
      duplicate: false,
      usageLimit: null,
      usagePeriodStart: null,
      usagePeriodEnd: null,
      nextResetDate: null,
    });
  });

  it.each([
    ['a JSON number beyond a double', '12345678901234567890.123456789', '12345678901234567890.123456789'],
    ['a decimal string', '"0.10"', '0.1'],
    ['a number with an exponent', '1e3', '1000'],
  ])('takes %s exactly', async (_, value, text) => {
    const answer = await api.send(
      `{"query":${JSON.stringify(reportUsage)},"variables":{"input":{"customerId":"acme","featureId":"f${value.length}","value":${value}}}}`,
    );
    expect(dataOf(answer)).toMatchObject({ reportUsage: { value: text, currentUsage: text } });
  });

  it('takes a number inside the document exactly', async () => {
    const literal = '98765432109876543210.000000001';
    const mutation = `mutation { reportUsage(input: { customerId: "acme", featureId: "inline", value: ${literal} }) { value } }`;
    expect(dataOf(await api.ask(mutation))).toEqual({ reportUsage: { value: literal } });
  });

  it('adds up 0.1 ten times to 1', async () => {
    const one =
      'reportUsage(input: { customerId: "acme", featureId: "tenths", value: 0.1 }) { currentUsage }';
    const mutation = `mutation { ${Array.from({ length: 10 }, (_, at) => `u${at}: ${one}`).join(' ')} }`;
    expect(dataOf(await api.ask(mutation))['u9']).toEqual({ currentUsage: '1' });
  });

  it('tells a failure by its code', async () => {
    const answer = await api.ask(reportUsage, {
      input: { customerId: 'nobody', featureId: 'seats', value: 1 },
    });
    expect(codesOf(answer)).toEqual(['CUSTOMER_NOT_FOUND']);
    expect(answer.errors[0]?.path).toEqual(['reportUsage']);
    expect(answer.data).toEqual({ reportUsage: null });
  });

  it('tells usage and limit where the limit refused', async () => {
    const [code, message] = ['ENTITLEMENT_LIMIT_EXCEEDED', 'past the limit'] as const;
    const refusal = { error: { code, message, currentUsage: '9.5', usageLimit: '10' } };
    vi.spyOn(api.intake, 'acceptMeasurements').mockResolvedValueOnce([refusal]);
    const input = { customerId: 'acme', featureId: 'seats', value: 1, rejectIfExceeded: true };
    const answer = await api.ask(reportUsage, { input });
    expect(answer.errors[0]).toMatchObject({
      message,
      extensions: { code, currentUsage: '9.5', usageLimit: '10' },
    });
  });

  it.each([
    ['no value', { customerId: 'acme', featureId: 'seats' }],
    ['a value that is no number', { customerId: 'acme', featureId: 'seats', value: 'two' }],
    [
      'a time without a zone',
      { customerId: 'acme', featureId: 'seats', value: 1, createdAt: '2026-05-01T10:00:00' },
    ],
    [
      'a dimension that is an object',
      { customerId: 'acme', featureId: 'seats', value: 1, dimensions: { a: {} } },
    ],
    ['an empty customerId', { customerId: '', featureId: 'seats', value: 1 }],
  ])('refuses %s', async (_, input) => {
    const answer = await api.ask(reportUsage, { input });
    expect(codesOf(answer)).toEqual(['VALIDATION_ERROR']);
    expect(answer.errors[0]?.message).not.toContain('usages[');
  });

  it('refuses a measurement larger than 1 MiB', async () => {
    const input = {
      customerId: 'acme',
      featureId: 'seats',
      value: 1,
      dimensions: { a: 'x'.repeat(1_100_000) },
    };
    expect(codesOf(await api.ask(reportUsage, { input }))).toEqual(['PAYLOAD_TOO_LARGE']);
    const bulk = await api.ask(reportBulk, { input: { usages: [{ ...input, dimensions: {} }, input] } });
    expect(codesOf(bulk)).toEqual(['PAYLOAD_TOO_LARGE']);
    expect(bulk.data).toMatchObject({ reportUsageBulk: [{ customerId: 'acme' }, null] });
  });

  it.each(['ACK_PENDING', 'OVERLOADED', 'RATE_LIMITED', 'QUEUE_UNAVAILABLE'] as const)(
    'tells %s with the time to wait',
    async (code) => {
      api.intake.refusal = { code, message: 'later', retryAfterSeconds: 3 };
      const answer = await api.ask(reportUsage, {
        input: { customerId: 'acme', featureId: 'seats', value: 1 },
      });
      expect(answer.errors[0]).toMatchObject({
        message: 'later',
        extensions: { code, retryAfterSeconds: 3 },
      });
    },
  );
});

describe('reportUsageBulk', () => {
  it('answers in the order sent, with null and an error in the place of what failed', async () => {
    const usages = [
      { customerId: 'acme', featureId: 'bulk', value: 1 },
      { customerId: 'nobody', featureId: 'bulk', value: 1 },
      { customerId: 'acme', featureId: 'bulk', value: 1, dimensions: { bad: null } },
      { customerId: 'acme', featureId: 'bulk', value: 2 },
    ];
    const answer = await api.ask(reportBulk, { input: { usages } });
    expect(answer.data).toEqual({
      reportUsageBulk: [
        { customerId: 'acme', currentUsage: '1' },
        null,
        null,
        { customerId: 'acme', currentUsage: '3' },
      ],
    });
    expect(answer.errors.map(({ path }) => path)).toEqual([
      ['reportUsageBulk', 1],
      ['reportUsageBulk', 2],
    ]);
    expect(codesOf(answer)).toEqual(['CUSTOMER_NOT_FOUND', 'VALIDATION_ERROR']);
  });

  it.each([0, 1_001])('refuses %d measurements', async (count) => {
    const usages = Array.from({ length: count }, () => ({ customerId: 'acme', featureId: 'x', value: 1 }));
    expect(codesOf(await api.ask(reportBulk, { input: { usages } }))).toEqual(['VALIDATION_ERROR']);
  });
});

describe('reportEvent', () => {
  const event = { customerId: 'later', eventName: 'http_request', idempotencyKey: 'k1' };

  it('answers null once all are taken', async () => {
    const before = api.intake.events.length;
    const events = [
      { ...event, timestamp: '2026-05-01', resourceId: 'r', dimensions: { bytes: 12, ok: true, s: 'x' } },
    ];
    expect(dataOf(await api.ask(reportEvents, { events: { events } }))).toEqual({ reportEvent: null });
    expect(api.intake.events.slice(before)).toEqual([
      {
        ...event,
        resourceId: 'r',
        source: '',
        timestamp: Date.UTC(2026, 4, 1),
        receivedAt: startOfTests,
        dimensions: [
          ['bytes', '12'],
          ['ok', 'true'],
          ['s', 'x'],
        ],
      },
    ]);
  });

  it('takes the good ones and lists the others', async () => {
    const before = api.intake.events.length;
    const events = [
      { ...event, idempotencyKey: '' },
      event,
      { ...event, timestamp: new Date(startOfTests + 25 * 3_600_000).toISOString() },
    ];
    const answer = await api.ask(reportEvents, { events: { events } });
    expect(answer.errors[0]?.extensions).toMatchObject({
      code: 'VALIDATION_ERROR',
      accepted: 1,
      details: [
        { index: 0, code: 'VALIDATION_ERROR' },
        { index: 2, code: 'TIMESTAMP_IN_FUTURE' },
      ],
    });
    expect(api.intake.events).toHaveLength(before + 1);
  });

  it('rejects an event larger than 1 MiB alone', async () => {
    const before = api.intake.events.length;
    const events = [{ ...event, dimensions: { text: 'x'.repeat(1_100_000) } }, event];
    const answer = await api.ask(reportEvents, { events: { events } });
    expect(answer.errors[0]?.extensions['details']).toMatchObject([{ index: 0, code: 'PAYLOAD_TOO_LARGE' }]);
    expect(api.intake.events).toHaveLength(before + 1);
  });

  it.each([0, 10_001])('refuses %d events', async (count) => {
    const events = Array.from({ length: count }, () => event);
    expect(codesOf(await api.ask(reportEvents, { events: { events } }))).toEqual(['VALIDATION_ERROR']);
  });

  it('takes nothing of a call that is refused', async () => {
    api.intake.refusal = { code: 'OVERLOADED', message: 'later', retryAfterSeconds: 1 };
    expect(codesOf(await api.ask(reportEvents, { events: { events: [event] } }))).toEqual(['OVERLOADED']);
  });
});

describe('usageHistoryV2', () => {
  const history = `query ($input: UsageHistoryV2Input!) { usageHistoryV2(input: $input) {
    totalUsage periods { periodStart periodEnd usage } truncated markers { timestamp type }
    series { tags { key value } points { timestamp value isResetPoint } } } }`;
  const input = { customerId: 'acme', featureId: 'seats', startDate: '2026-04-01', endDate: '2026-05-01' };

  it('asks the reader and answers its numbers', async () => {
    api.usage.historyAnswer = {
      totalUsage: quantity('3.5'),
      periods: [{ start: Date.UTC(2026, 3, 1), end: Date.UTC(2026, 4, 1), usage: quantity('3.5') }],
      series: [
        {
          tags: [{ key: 'status', value: '200' }],
          points: [{ timestamp: Date.UTC(2026, 3, 1), value: quantity('3.5') }],
        },
      ],
      truncated: false,
    };
    const asked = {
      ...input,
      groupBy: 'status',
      interval: 'WEEK',
      timezone: 'europe/berlin',
      resourceId: 'r1',
    };
    expect(dataOf(await api.ask(history, { input: asked }))).toEqual({
      usageHistoryV2: {
        totalUsage: '3.5',
        periods: [
          { periodStart: '2026-04-01T00:00:00.000Z', periodEnd: '2026-05-01T00:00:00.000Z', usage: '3.5' },
        ],
        series: [
          {
            tags: [{ key: 'status', value: '200' }],
            points: [{ timestamp: '2026-04-01T00:00:00.000Z', value: '3.5', isResetPoint: false }],
          },
        ],
        markers: [],
        truncated: false,
      },
    });
    expect(api.usage.asked.at(-1)).toMatchObject({
      customerId: 'acme',
      resourceId: 'r1',
      groupBy: 'status',
      interval: 'WEEK',
      timezone: 'Europe/Berlin',
      start: Date.UTC(2026, 3, 1),
      end: Date.UTC(2026, 4, 1),
      feature: { refId: 'seats' },
    });
  });

  it('ends now, by days of UTC, where nothing is said', async () => {
    const { endDate: _, ...open } = input;
    dataOf(await api.ask(history, { input: open }));
    expect(api.usage.asked.at(-1)).toMatchObject({
      end: startOfTests,
      interval: 'DAY',
      timezone: 'UTC',
      groupBy: null,
      resourceId: '',
    });
  });

  it.each([
    ['an unknown customer', { customerId: 'nobody' }, 'CUSTOMER_NOT_FOUND'],
    ['an unknown feature', { featureId: 'nothing' }, 'FEATURE_NOT_FOUND'],
    ['an empty span', { endDate: input.startDate }, 'VALIDATION_ERROR'],
    ['a span that runs backward', { endDate: '2026-03-01' }, 'VALIDATION_ERROR'],
    ['a zone that does not exist', { timezone: 'Mars/Olympus' }, 'VALIDATION_ERROR'],
    ['an offset for a zone', { timezone: '+01:00' }, 'VALIDATION_ERROR'],
    ['too many intervals', { startDate: '2020-01-01', interval: 'HOUR' }, 'VALIDATION_ERROR'],
    [
      'one interval too many, the first and the last of which are parts',
      {
        startDate: '2025-01-01T00:30:00Z',
        endDate: new Date(Date.UTC(2025, 0, 1, 0, 30) + 10_000 * 3_600_000).toISOString(),
        interval: 'HOUR',
      },
      'VALIDATION_ERROR',
    ],
    ['too many intervals with groupBy', { startDate: '2022-01-01', groupBy: 'x' }, 'VALIDATION_ERROR'],
    ['a start before 1900', { startDate: '1800-01-01', interval: 'MONTH' }, 'VALIDATION_ERROR'],
    ['a dimension without a name', { groupBy: '' }, 'VALIDATION_ERROR'],
  ])('refuses %s', async (_, fault, code) => {
    expect(codesOf(await api.ask(history, { input: { ...input, ...fault } }))).toEqual([code]);
  });
});

describe('measurements', () => {
  const log = `query ($filter: ReportedUsageFilter, $paging: CursorPaging) {
    measurements(filter: $filter, paging: $paging) {
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      edges { node { id kind state resourceId eventName featureId idempotencyKey value timestamp dimensions } } } }`;

  it('is walked page by page to its end', async () => {
    api.usage.items = Array.from({ length: 4 }, (_, at) => itemAt(at));
    const first = dataOf(await api.ask(log, { paging: { first: 2 } }))['measurements'] as LogAnswer;
    expect(first.edges[0]?.node).toEqual({
      id: 'item-0',
      kind: 'MEASUREMENT',
      state: 'COUNTED',
      resourceId: null,
      eventName: null,
      featureId: 'seats',
      idempotencyKey: null,
      value: '0.5',
      dimensions: { a: 'b' },
      timestamp: new Date(startOfTests).toISOString(),
    });
    expect(first.pageInfo.hasNextPage).toBe(true);
    const paging = { first: 2, after: first.pageInfo.endCursor };
    const second = dataOf(await api.ask(log, { paging }))['measurements'] as LogAnswer;
    expect(second.edges.map(({ node }) => node.id)).toEqual(['item-2', 'item-3']);
    expect(second.pageInfo.hasNextPage).toBe(false);
  });

  it('hands the filter to the reader', async () => {
    const filter = {
      customerId: 'acme',
      featureId: 'seats',
      eventName: 'x',
      from: '2026-04-01',
      to: '2026-05-01',
    };
    dataOf(await api.ask(log, { filter }));
    expect(api.usage.asked).toContainEqual({
      ...filter,
      from: Date.UTC(2026, 3, 1),
      to: Date.UTC(2026, 4, 1),
      after: null,
      before: null,
      end: 'first',
      limit: 20,
    });
  });

  it('is walked backward from its end', async () => {
    api.usage.items = Array.from({ length: 5 }, (_, at) => itemAt(at));
    const pages: unknown[] = [];
    for (let before: string | null = null, more = true; more; ) {
      const answer = dataOf(await api.ask(log, { paging: { last: 2, before } }))['measurements'] as LogAnswer;
      const { hasNextPage, hasPreviousPage, startCursor } = answer.pageInfo;
      pages.push([answer.edges.map(({ node }) => node.id), hasNextPage]);
      [before, more] = [startCursor, hasPreviousPage];
    }
    expect(pages).toEqual([
      [['item-3', 'item-4'], false],
      [['item-1', 'item-2'], true],
      [['item-0'], true],
    ]);
  });

  it('takes epoch milliseconds for an instant', async () => {
    dataOf(await api.ask(log, { filter: { from: startOfTests } }));
    dataOf(await api.ask(`{ measurements(filter: { from: ${startOfTests} }) { edges { cursor } } }`));
    expect(api.usage.asked.slice(-2)).toMatchObject([{ from: startOfTests }, { from: startOfTests }]);
    expect(codesOf(await api.ask(log, { filter: { from: 1.5 } }))).toEqual(['VALIDATION_ERROR']);
  });
});

interface LogAnswer {
  readonly edges: readonly { readonly node: { readonly id: string } }[];
  readonly pageInfo: {
    readonly hasNextPage: boolean;
    readonly hasPreviousPage: boolean;
    readonly startCursor: string;
    readonly endCursor: string;
  };
}

function itemAt(at: number): ReportedItem {
  return {
    id: `item-${at}`,
    kind: 'MEASUREMENT',
    state: 'COUNTED',
    customerId: 'acme',
    resourceId: '',
    eventName: null,
    featureId: 'seats',
    idempotencyKey: '',
    value: quantity('0.5'),
    updateBehavior: 'DELTA',
    timestamp: startOfTests - at,
    receivedAt: startOfTests,
    dimensions: { a: 'b' },
  };
}

function quantity(text: string): Quantity {
  const parsed = parseQuantity(text);
  if (parsed === undefined) throw new Error('no quantity');
  return parsed;
}
