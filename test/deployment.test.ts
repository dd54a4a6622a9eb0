/** What is written for operators stays in step with the settings and the commands. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { readConfig, settings } from '../src/config.ts';

interface Service {
  readonly image?: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly volumes?: readonly string[];
  readonly depends_on?: Readonly<Record<string, unknown>>;
}

const compose = parse(readFileSync('docker-compose.yml', 'utf8'), { merge: true }) as {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
};
const roles = ['ingest', 'aggregate', 'api'];
const names = new Set(settings.map(({ name }) => name));

describe('.env.example', () => {
  const lines = readFileSync('.env.example', 'utf8').split('\n');
  const assignments = lines.filter((line) => /^[A-Z]/.test(line));

  it('lists every setting in order with its default', () => {
    expect(assignments).toEqual(settings.map(({ name, fallback }) => `${name}=${fallback}`));
  });

  it('says what each means and allows', () => {
    const comments = lines
      .filter((line) => line.startsWith('#'))
      .join(' ')
      .replaceAll(/ ?# ?/g, ' ');
    for (const { meaning, allowed } of settings) {
      expect(comments).toContain(meaning);
      expect(comments).toContain(`Allowed: ${allowed}.`);
    }
  });

  it('is itself a valid configuration', () => {
    const environment = Object.fromEntries(assignments.map((line) => line.split('=') as [string, string]));
    expect(readConfig(environment)).toHaveProperty('config');
  });
});

describe('docker-compose.yml', () => {
  it('runs every role, Redis and ClickHouse, each with a health check', () => {
    expect(Object.keys(compose.services).toSorted()).toEqual([...roles, 'clickhouse', 'redis'].toSorted());
    for (const [name, service] of Object.entries(compose.services)) {
      expect(service.healthcheck?.test[0], name).toBe('CMD');
    }
    expect(roles.map((role) => compose.services[role]?.command)).toEqual(roles.map((role) => [role]));
  });

  it('sets nothing that is no setting, and all that a role needs, to allowed values', () => {
    for (const role of roles) {
      const environment = compose.services[role]?.environment ?? {};
      expect(Object.keys(environment).filter((name) => !names.has(name))).toEqual([]);
      expect(Object.keys(environment)).toEqual(
        expect.arrayContaining(['REDIS_URL', 'CLICKHOUSE_URL', 'SERVER_API_KEY']),
      );
      const filled = Object.entries(environment).map(([name, value]) => [name, fill(value)]);
      expect(readConfig(Object.fromEntries(filled))).toHaveProperty('config');
    }
  });

  it('keeps the data of Redis and ClickHouse in named volumes, and Redis as durable as promised', () => {
    for (const name of ['redis', 'clickhouse']) {
      expect(compose.services[name]?.volumes?.[0]?.split(':')[0]).toBe(name);
      expect(compose.volumes).toHaveProperty(name);
    }
    const command = compose.services['redis']?.command?.join(' ');
    expect(command).toContain('--appendonly yes --appendfsync always');
    expect(command).toContain('--maxmemory-policy noeviction');
  });
});

describe('Dockerfile', () => {
  const lines = readFileSync('Dockerfile', 'utf8').split('\n');

  it('runs as a user without privileges on a glibc base', () => {
    const bases = lines.filter((line) => line.startsWith('FROM '));
    expect(bases.length).toBeGreaterThan(0);
    for (const base of bases) expect(base).toMatch(/^FROM node:20-bookworm/);
    const user = lines.findLast((line) => line.startsWith('USER '));
    expect(user).toBe('USER node');
    expect(lines.indexOf(user ?? '')).toBeLessThan(lines.findIndex((line) => line.startsWith('ENTRYPOINT')));
  });

  it('sets nothing that is no setting, exposes the default ports and starts what package.json builds', () => {
    const set = lines.filter((line) => line.startsWith('ENV ')).flatMap((line) => line.slice(4).split(' '));
    const unknown = set.map((pair) => pair.split('=')[0] ?? '').filter((name) => !names.has(name));
    expect(unknown).toEqual(['NODE_ENV']);
    const ports = settings.filter(({ name }) => name.endsWith('_PORT')).map(({ fallback }) => fallback);
    expect(lines.find((line) => line.startsWith('EXPOSE '))).toBe(`EXPOSE ${ports.join(' ')}`);
    expect(lines.find((line) => line.startsWith('ENTRYPOINT'))).toBe('ENTRYPOINT ["node", "dist/main.js"]');
  });
});

/** `${NAME:-default}` and `${NAME:?message}` as compose would fill them. */
function fill(value: string): string {
  return value.replaceAll(/\$\{[A-Z_]+:([-?])([^}]*)\}/g, (_all, kind: string, rest: string) =>
    kind === '-' ? rest : 'a-secret-of-many-characters',
  );
}
