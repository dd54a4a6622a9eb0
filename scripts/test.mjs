/** `npm test`: the same set-up as `npm start`, then the whole suite; words behind `--` go to vitest. */
import { spawn } from 'node:child_process';
import { prepare } from './prepare.mjs';

const help = `npm test [-- FILTER …]: sets up what is missing, then runs the test suite on a Redis and a ClickHouse
of its own, on free ports in a temporary folder. Words behind -- go to vitest, such as part of a file's name.`;

if (process.argv.includes('--help')) {
  console.log(help);
} else {
  await prepare({ redis: true });
  const words = ['node_modules/vitest/vitest.mjs', 'run', ...process.argv.slice(2)];
  const child = spawn(process.execPath, words, { stdio: 'inherit' });
  child.once('exit', (code) => process.exit(code ?? 1));
}
