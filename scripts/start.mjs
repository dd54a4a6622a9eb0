/** `npm start`: the set-up that is still missing, then every role on the embedded default. */
import { prepare } from './prepare.mjs';

if (!process.argv.includes('--help')) await prepare({ redis: !process.env.REDIS_URL });

// npm runs this below itself, and its kill -9 must not leave Tollgate running behind it. `exec` in package.json
// spares the shell in between, which would neither pass a signal on nor die of npm's death.
const npm = process.ppid;
if (process.env.npm_lifecycle_event === 'start') {
  setInterval(() => {
    if (process.ppid !== npm) process.kill(process.pid, 'SIGTERM');
  }, 500).unref();
}

process.argv.splice(2, 0, 'all');
await import('../dist/main.js');
