import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts', 'load-tests/**/*.test.ts'],
    // One redis-server and one embedded ClickHouse serve the whole run; every test file keeps to a key
    // namespace and a database of its own, so files may run side by side.
    globalSetup: ['test/services.ts'],
    // Two cores: more workers only make the engines wait for the processor.
    maxWorkers: 2,
    // Else Vitest gives our code graphql's ES modules and graphql-http its CommonJS ones, and each takes the other's
    // schemas and errors for strangers. Node.js itself loads one copy for both.
    server: { deps: { inline: ['graphql-http'] } },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: ['default'],
  },
});
