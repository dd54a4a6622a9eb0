/** `npx tsx load-tests/micro/run.ts [PATTERN] [--json]`: the hot functions one by one; PATTERN picks by name. */
import { readdirSync } from 'node:fs';
import { isatty } from 'node:tty';
import { run } from 'mitata';

const words = process.argv.slice(2);
const pattern = words.find((word) => !word.startsWith('--'));
const folder = new URL('.', import.meta.url);
const files = readdirSync(folder).filter((name) => name.endsWith('.bench.ts'));
for (const file of files.toSorted()) await import(new URL(file, folder).href);
await run({
  ...(pattern === undefined ? {} : { filter: new RegExp(pattern) }),
  colors: isatty(1),
  format: words.includes('--json') ? { json: { samples: false, debug: false } } : 'mitata',
});
