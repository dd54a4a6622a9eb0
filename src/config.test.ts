import { describe, expect, it } from 'vitest';
import { readConfig, settings } from './config.ts';

describe('readConfig', () => {
  it('needs nothing', () => {
    const read = readConfig({});
    expect(read).toMatchObject({
      config: {
        host: '127.0.0.1',
        apiPort: 4000,
        ingestPort: 4100,
        ackTimeoutMs: 10_000,
        dedupeWindowMs: 86_400_000,
      },
    });
    if (!('config' in read)) throw new Error('the defaults are refused');
    expect([read.config.redisUrl, read.config.clickhouseUrl, read.config.serverApiKey]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('takes an empty value as unset', () => {
    expect(readConfig({ REDIS_URL: '', API_PORT: '' })).toMatchObject({ config: { apiPort: 4000 } });
  });

  it.each([
    ['API_PORT', '0'],
    ['API_PORT', '65536'],
    ['API_PORT', '4000.5'],
    ['API_PORT', ' 4000'],
    ['INGEST_PORT', '4000'],
    ['HOST', 'a host'],
    ['REDIS_URL', 'localhost:6379'],
    ['REDIS_URL', 'http://localhost:6379'],
    ['CLICKHOUSE_URL', 'clickhouse'],
    ['PAYMENT_PROVIDER', 'some'],
    ['LOG_LEVEL', 'loud'],
    ['ACK_TIMEOUT_MS', '10'],
    ['DEDUPE_WINDOW', '24'],
    ['DEDUPE_WINDOW', '31d'],
    ['DEDUPE_ENTRIES_MAX', '1e9'],
    ['BACKLOG_BYTES_MAX', '1'],
    ['INGEST_PROCESSES', '65'],
  ])('refuses %s=%s in one line that says what is allowed', (name, value) => {
    const read = readConfig({ [name]: value });
    if (!('problems' in read)) throw new Error('it is taken');
    expect(read.problems).toHaveLength(1);
    expect(read.problems[0]).toMatch(new RegExp(`^${name} is "${value}"[;,]`));
    expect(read.problems[0]).toContain('allowed: ');
    expect(read.problems[0]).not.toContain('\n');
  });

  it('shows no secrets', () => {
    const read = readConfig({ SERVER_API_KEY: 'too short', CLICKHOUSE_URL: 'ftp://user:hunter2@host' });
    if (!('problems' in read)) throw new Error('it is taken');
    expect(read.problems).toHaveLength(2);
    expect(read.problems.join('\n')).not.toMatch(/too short|hunter2/);
  });

  it('has a default that is allowed, or none, for every setting', () => {
    const environment = Object.fromEntries(settings.map(({ name, fallback }) => [name, fallback]));
    expect(readConfig(environment)).toHaveProperty('config');
  });
});
