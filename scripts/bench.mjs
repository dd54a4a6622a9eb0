/** `npm run bench`: the same set-up as `npm start`, then the load tests; words behind `--` go to them. */
import { spawn } from 'node:child_process';
import { prepare } from './prepare.mjs';

await prepare({ redis: true });
const words = ['--import', 'tsx', 'load-tests/bench.ts', ...process.argv.slice(2)];
const child = spawn(process.execPath, words, { stdio: 'inherit' });
child.once('exit', (code) => process.exit(code ?? 1));
