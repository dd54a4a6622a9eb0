/**
 * Loaded into every process of an installation (`NODE_OPTIONS=--import`): the first SIGUSR2 starts V8's profiler of
 * processor time, the second one writes what it found to PROFILE_FOLDER. `--cpu-prof` itself may not stand in
 * NODE_OPTIONS, and would have the start in it.
 */
import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { join } from 'node:path';

const session = new Session();
const samplingMicros = 500;
let running = false;

process.on('SIGUSR2', () => {
  running = !running;
  void (running ? start() : stop());
});

async function start() {
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.setSamplingInterval', { interval: samplingMicros });
  await session.post('Profiler.start');
}

async function stop() {
  const { profile } = await session.post('Profiler.stop');
  session.disconnect();
  const name = `${process.argv[2]}-${process.pid}.cpuprofile`;
  writeFileSync(join(process.env['PROFILE_FOLDER'] ?? '.', name), JSON.stringify(profile));
}
