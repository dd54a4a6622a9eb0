import { serverAudits } from 'graphql-http';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type RunningApi, serverKey, startApi } from '../api.fixture.ts';

let api: RunningApi;

beforeAll(async () => {
  api = await startApi(inject('redisUrl'));
});

afterAll(() => api.stop());

describe('the GraphQL over HTTP specification', () => {
  const audits = serverAudits({ url: () => `${api.url}/graphql`, fetchFn: fetchWithKey });

  it('is audited in full', () => {
    expect(audits.length).toBeGreaterThan(55);
  });

  it.each(audits.map((audit) => [audit.name, audit.id, audit] as const))('%s (%s)', async (_, __, audit) => {
    expect(await audit.fn()).toMatchObject({ status: 'ok' });
  });
});

function fetchWithKey(url: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  headers.set('X-API-KEY', serverKey);
  return fetch(url, { ...init, headers });
}
