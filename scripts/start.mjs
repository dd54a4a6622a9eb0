/** `npm start`: the set-up that is still missing, then every role on the embedded default. */
import { prepare } from './prepare.mjs';

const help = `npm start: installs what is missing (npm packages by the lockfile, redis-server through the system's package
manager unless REDIS_URL is set), builds, starts every role, and prints the URLs, the API key and three commands to
paste. Ctrl-C finishes what is in hand and stops everything. Settings are environment variables: see .env.example.`;

if (process.argv.includes('--help')) console.log(help);
else await start();

async function start() {
  await prepare({ redis: !process.env.REDIS_URL });
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
}
