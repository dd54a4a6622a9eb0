/**
 * What a fresh clone lacks, done once: npm packages by the lockfile, redis-server, the build.
 * Plain JavaScript on Node.js alone, since nothing is installed yet when it runs.
 */
import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');

/** Each step is skipped when its result is there already, so that a second start takes no time. */
export async function prepare({ redis }) {
  requireNode();
  process.chdir(root);
  await step('npm packages', packagesInstalled, installPackages);
  if (redis) await step('redis-server', redisInstalled, installRedis);
  await step('build', built, build);
}

function requireNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  stop(`Tollgate needs Node.js 20.19 or newer; this is ${process.versions.node}.`);
}

async function step(name, done, work) {
  if (await done()) return;
  const started = Date.now();
  process.stdout.write(`${name} … `);
  await work();
  process.stdout.write(`done (${((Date.now() - started) / 1000).toFixed(1)} s)\n`);
}

const packagesStamp = join(root, 'node_modules', '.tollgate-lockfile');

/**
 * The lockfile's versions. Not `npm ci`: it refuses a lockfile that lacks native packages of other platforms, and
 * those cannot be locked from a registry mirror that does not carry them.
 */
async function installPackages() {
  await run('npm', ['install', '--no-save', '--no-audit', '--no-fund'], 'npm install');
  writeFileSync(packagesStamp, lockfileHash());
}

function packagesInstalled() {
  return existsSync(packagesStamp) && readFileSync(packagesStamp, 'utf8') === lockfileHash();
}

function lockfileHash() {
  return createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
}

/** redis-check-rdb is the same program as redis-server on Debian, and acts by the name it is called by. */
async function redisInstalled() {
  return (await onPath('redis-server')) || (await onPath('redis-check-rdb'));
}

function onPath(name) {
  return new Promise((resolve) => {
    execFile('/bin/sh', ['-c', 'command -v "$0"', name], (error) => resolve(error === null));
  });
}

/** Debian's redis-tools holds the program; the package redis-server would start a system service besides. */
async function installRedis() {
  if (process.platform === 'darwin' && (await onPath('brew'))) {
    await run('brew', ['install', 'redis']);
    return;
  }
  const byHand = 'sudo apt-get install redis-server';
  if (!(await onPath('apt-get'))) {
    stop(`redis-server is needed: install it with the system's package manager, or set REDIS_URL.`);
  }
  const isRoot = process.getuid?.() === 0;
  if (!isRoot && !(await allowed('sudo', ['-n', 'true']))) {
    stop(
      `redis-server is needed and may not be installed from here. Run this one command, then start again:\n\n  ${byHand}\n\nor set REDIS_URL to a Redis that runs.`,
    );
  }
  const apt = (...words) => [isRoot ? [] : ['sudo', '-n'], 'apt-get', ...words].flat();
  const install = apt('install', '-y', '-qq', '--no-install-recommends', 'redis-tools');
  const [command, ...words] = install;
  if (await allowed(command, words)) return;
  const [update, ...updateWords] = apt('update', '-qq');
  await run(update, updateWords);
  await run(command, words, byHand);
}

function allowed(command, words) {
  return new Promise((resolve) => {
    execFile(command, words, { env: aptEnvironment() }, (error) => resolve(error === null));
  });
}

function aptEnvironment() {
  return { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
}

const buildStamp = join(root, 'dist', '.stamp');

function built() {
  return existsSync(buildStamp) && readFileSync(buildStamp, 'utf8') === sourcesStamp();
}

async function build() {
  await run('npm', ['run', '--silent', 'build']);
  writeFileSync(buildStamp, sourcesStamp());
}

/** Names, sizes and times of all that the build reads: cheap to make, and different when any of it changed. */
function sourcesStamp() {
  const hash = createHash('sha256');
  const files = ['src', 'scripts'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true }).map((name) => join(folder, name)),
  );
  for (const file of [
    ...files,
    'package.json',
    'package-lock.json',
    'tsconfig.json',
    'tsconfig.build.json',
  ].sort()) {
    const { size, mtimeMs } = statSync(join(root, file));
    hash.update(`${file} ${size} ${mtimeMs}\n`);
  }
  return hash.digest('hex');
}

/** Output is shown only when the command fails. */
function run(command, words, advice) {
  return new Promise((resolve) => {
    const child = spawn(command, words, { stdio: ['ignore', 'pipe', 'pipe'], env: aptEnvironment() });
    const output = [];
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => output.push(chunk));
    child.once('error', (error) => stop(`${command} could not be run: ${error.message}`));
    child.once('close', (code) => {
      if (code === 0) {
        resolve();
        return;
      }
      process.stdout.write(`failed\n${Buffer.concat(output).toString()}\n`);
      stop(`\`${[command, ...words].join(' ')}\` failed${advice ? `; to see more, run: ${advice}` : ''}`);
    });
  });
}

function stop(message) {
  process.stderr.write(`\n${message}\n`);
  process.exit(1);
}
