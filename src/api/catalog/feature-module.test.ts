import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { aggregationFunctions, filterOperations } from '../../catalog/meter.ts';
import { codesOf, dataOf, type RunningApi, startApi, startOfTests } from '../api.fixture.ts';

let api: RunningApi;

beforeAll(async () => {
  api = await startApi(inject('redisUrl'));
});

afterAll(() => api.stop());

const createFeature = `mutation ($input: CreateFeatureInput!) { createFeature(input: $input) {
  id refId displayName description featureType meterType featureUnits featureUnitsPlural featureStatus
  enumConfiguration { value displayName } unitTransformation { divide round featureUnits featureUnitsPlural }
  meter { aggregation { function field } filters { conditions { field operation value values } } }
  additionalMetaData createdAt updatedAt
} }`;

const calls = { refId: 'api-calls', displayName: 'API calls', featureType: 'NUMBER' };

describe('createFeature', () => {
  it('answers the feature as it is kept', async () => {
    const input = {
      ...calls,
      refId: 'traffic',
      description: 'Bytes sent',
      meterType: 'INCREMENTAL',
      featureUnits: 'GB',
      featureUnitsPlural: 'GB',
      unitTransformation: { divide: 1_000_000_000, round: 'DOWN' },
      additionalMetaData: { team: 'core' },
      meter: {
        aggregation: { function: 'SUM', field: 'bytes' },
        filters: [{ conditions: [{ field: 'eventName', operation: 'EQUALS', value: 'http_request' }] }],
      },
    };
    const { createFeature: created } = dataOf(await api.ask(createFeature, { input }));
    expect(created).toEqual({
      ...input,
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      featureStatus: 'NEW',
      enumConfiguration: null,
      unitTransformation: {
        divide: '1000000000',
        round: 'DOWN',
        featureUnits: null,
        featureUnitsPlural: null,
      },
      meter: {
        aggregation: { function: 'SUM', field: 'bytes' },
        filters: [
          { conditions: [{ field: 'eventName', operation: 'EQUALS', value: 'http_request', values: null }] },
        ],
      },
      createdAt: new Date(startOfTests).toISOString(),
      updatedAt: new Date(startOfTests).toISOString(),
    });
    const found = dataOf(
      await api.ask('{ feature(refId: "traffic") { id meter { aggregation { field } } } }'),
    );
    expect(found).toMatchObject({ feature: { meter: { aggregation: { field: 'bytes' } } } });
  });

  it.each(aggregationFunctions)('takes the aggregation %s', async (name) => {
    const meter = { aggregation: { function: name, field: 'size' }, filters: [] };
    const input = { ...calls, refId: `by-${name}`, meter };
    expect(dataOf(await api.ask(createFeature, { input }))).toMatchObject({
      createFeature: { meter: { aggregation: { function: name, field: name === 'COUNT' ? null : 'size' } } },
    });
  });

  it.each(filterOperations)('takes the operation %s', async (operation) => {
    const condition = { field: 'size', operation, value: '5', values: ['5', 'x'] };
    const input = {
      ...calls,
      refId: `where-${operation}`,
      meter: { aggregation: { function: 'COUNT' }, filters: [{ conditions: [condition] }] },
    };
    expect(dataOf(await api.ask(createFeature, { input }))).toMatchObject({
      createFeature: { meter: { filters: [{ conditions: [{ field: 'size', operation }] }] } },
    });
  });

  it('refuses a refId that is taken', async () => {
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => api.ask(createFeature, { input: { ...calls, refId: 'wanted' } })),
    );
    const codes = answers.flatMap(codesOf);
    expect(codes).toEqual(['DUPLICATE_ENTITY', 'DUPLICATE_ENTITY', 'DUPLICATE_ENTITY', 'DUPLICATE_ENTITY']);
  });

  it.each([
    ['a meter that lacks its field', { meter: { aggregation: { function: 'SUM' } } }],
    ['metadata that is no object', { additionalMetaData: ['a'] }],
    ['metadata beyond 16 KiB', { additionalMetaData: { a: 'x'.repeat(17_000) } }],
    ['a type that does not exist', { featureType: 'TEXT' }],
    ['a field that does not exist', { color: 'red' }],
    ['a divisor that is no number', { meterType: 'INCREMENTAL', unitTransformation: { divide: 'x' } }],
  ])('refuses %s', async (_, fault) => {
    const answer = await api.ask(createFeature, { input: { ...calls, refId: 'faulty', ...fault } });
    expect(codesOf(answer)).toEqual(['VALIDATION_ERROR']);
    expect(codesOf(await api.ask('{ feature(refId: "faulty") { id } }'))).toEqual(['FEATURE_NOT_FOUND']);
  });
});

describe('feature', () => {
  it('is found by refId and by id', async () => {
    await api.ask(createFeature, { input: { ...calls, refId: 'found' } });
    const byRefId = dataOf(await api.ask('{ feature(refId: "found") { id } }'));
    const { id } = byRefId['feature'] as { id: string };
    expect(dataOf(await api.ask(`{ feature(id: "${id}") { refId } }`))).toEqual({
      feature: { refId: 'found' },
    });
  });

  it('needs a name', async () => {
    expect(codesOf(await api.ask('{ feature { id } }'))).toEqual(['VALIDATION_ERROR']);
  });
});

const updateFeature = `mutation ($input: UpdateFeatureInput!) { updateFeature(input: $input) {
  refId displayName description meterType updatedAt meter { aggregation { function field } }
  enumConfiguration { value displayName } unitTransformation { divide } additionalMetaData
} }`;

describe('updateFeature', () => {
  it('changes the given fields, the meter included, and leaves the others', async () => {
    const meter = { aggregation: { function: 'SUM', field: 'bytes' } };
    const made = { ...calls, refId: 'changing', description: 'old', meter };
    const created = dataOf(await api.ask(createFeature, { input: made }))['createFeature'] as { id: string };
    const input = {
      refId: created.id,
      description: null,
      meter: { aggregation: { function: 'COUNT' } },
      unitTransformation: { divide: 1000 },
    };
    expect(dataOf(await api.ask(updateFeature, { input }))['updateFeature']).toMatchObject({
      refId: 'changing',
      displayName: 'API calls',
      description: null,
      meterType: 'INCREMENTAL',
      meter: { aggregation: { function: 'COUNT', field: null } },
      unitTransformation: { divide: '1000' },
    });
  });

  it('only adds values of an ENUM feature', async () => {
    const values = [{ value: 'eu', displayName: 'Europe' }];
    const made = { refId: 'region', displayName: 'Region', featureType: 'ENUM', enumConfiguration: values };
    dataOf(await api.ask(createFeature, { input: made }));
    const more = [
      { value: 'us', displayName: 'USA' },
      { value: 'eu', displayName: 'EU' },
    ];
    const set = (enumConfiguration: unknown): ReturnType<RunningApi['ask']> =>
      api.ask(updateFeature, { input: { refId: 'region', enumConfiguration } });
    expect(dataOf(await set(more))['updateFeature']).toMatchObject({ enumConfiguration: more });
    expect(codesOf(await set(values))).toEqual(['VALIDATION_ERROR']);
    expect(codesOf(await set(null))).toEqual(['VALIDATION_ERROR']);
  });

  it('refuses what createFeature refuses, and features that do not exist', async () => {
    dataOf(await api.ask(createFeature, { input: { ...calls, refId: 'strict' } }));
    const faults = [
      { displayName: null },
      { displayName: '' },
      { meter: { aggregation: { function: 'SUM' } } },
    ];
    for (const fault of faults) {
      const answer = await api.ask(updateFeature, { input: { refId: 'strict', ...fault } });
      expect(codesOf(answer)).toEqual(['VALIDATION_ERROR']);
    }
    expect(codesOf(await api.ask(updateFeature, { input: { refId: 'none' } }))).toEqual([
      'FEATURE_NOT_FOUND',
    ]);
  });
});

describe('archiveFeature', () => {
  it('suspends the feature, once and for all', async () => {
    dataOf(await api.ask(createFeature, { input: { ...calls, refId: 'ending' } }));
    const archive = 'mutation { archiveFeature(input: { refId: "ending" }) { featureStatus } }';
    expect(dataOf(await api.ask(archive))).toEqual({ archiveFeature: { featureStatus: 'SUSPENDED' } });
    expect(dataOf(await api.ask(archive))).toEqual({ archiveFeature: { featureStatus: 'SUSPENDED' } });
    const late = await api.ask(updateFeature, { input: { refId: 'ending', description: 'x' } });
    expect(codesOf(late)).toEqual(['VALIDATION_ERROR']);
  });
});

describe('features', () => {
  const list = `query ($filter: FeatureFilter, $paging: CursorPaging, $sorting: [FeatureSort!]) {
    features(filter: $filter, paging: $paging, sorting: $sorting) {
      totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { cursor node { refId } }
    }
  }`;

  it('are paged forward and backward, in both directions', async () => {
    const own = await startApi(inject('redisUrl'));
    for (const refId of ['a', 'b', 'c', 'd', 'e']) {
      await own.ask(createFeature, { input: { ...calls, refId } });
      own.clock.advance(refId === 'b' ? 0 : 10);
    }
    const page = async (variables: unknown): Promise<{ refIds: string; page: ConnectionAnswer }> => {
      const answer = dataOf(await own.ask(list, variables))['features'] as ConnectionAnswer;
      return { refIds: answer.edges.map(({ node }) => node.refId).join(''), page: answer };
    };
    const first = await page({ paging: { first: 2 } });
    expect(first.refIds).toBe('ab');
    expect(first.page).toMatchObject({
      totalCount: 5,
      pageInfo: { hasNextPage: true, hasPreviousPage: false },
    });
    const second = await page({ paging: { first: 2, after: first.page.pageInfo.endCursor } });
    expect(second.refIds).toBe('cd');
    const back = await page({ paging: { last: 1, before: second.page.pageInfo.startCursor } });
    expect(back.refIds).toBe('b');
    const newest = await page({ sorting: [{ field: 'createdAt', direction: 'DESC' }], paging: { first: 2 } });
    expect(newest.refIds).toBe('ed');
    expect((await page({ filter: { refId: { eq: 'c' } } })).refIds).toBe('c');
    expect((await page({ filter: { featureType: { eq: 'ENUM' } } })).refIds).toBe('');
    await own.stop();
  });

  it.each([
    ['first and last together', { first: 1, last: 1 }],
    ['a page beyond 1,000', { first: 1_001 }],
    ['an empty page', { last: 0 }],
    ['a cursor that is none', { after: 'abc' }],
  ])('refuse %s', async (_, paging) => {
    expect(codesOf(await api.ask(list, { paging }))).toEqual(['VALIDATION_ERROR']);
  });
});

interface ConnectionAnswer {
  readonly edges: readonly { readonly node: { readonly refId: string } }[];
  readonly pageInfo: { readonly startCursor: string; readonly endCursor: string };
}
