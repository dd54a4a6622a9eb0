/** The README's commands and queries, pasted one after another into a new installation, answer what it says. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, Installation } from './installation.ts';

interface Block {
  readonly language: string;
  readonly text: string;
}

const blocks: readonly Block[] = [
  ...readFileSync('README.md', 'utf8').matchAll(/^```(graphql|sh)\n(.*?)^```$/gms),
].map(([, language = '', text = '']) => ({ language, text }));
const commands = blocks.filter(({ language, text }) => language === 'graphql' || text.startsWith('curl '));

let tollgate: Installation;

beforeAll(async () => {
  tollgate = await Installation.create();
  await tollgate.start();
});
afterAll(() => tollgate.remove());

/** A shell as the reader's, with the key and on the ports of this installation. */
function shell(text: string): ChildProcess & { output(): string } {
  const script = text
    .replaceAll('http://127.0.0.1:4000', tollgate.apiUrl)
    .replaceAll('http://127.0.0.1:4100', tollgate.ingestUrl);
  const child = spawn('/bin/sh', ['-c', script.replace('curl ', 'exec curl ')], {
    env: { PATH: process.env['PATH'], KEY: tollgate.apiKey },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
    });
  }
  return Object.assign(child, { output: () => output });
}

/** The remark under a command is its answer; `…` stands for whatever is left out. */
function answerTold(text: string): RegExp {
  const told = /^# (.*)$/m.exec(text)?.[1] ?? expect.unreachable('a command without its answer');
  const parts = told.replaceAll(/,?…,?/g, '…').split('…');
  return new RegExp(parts.map((part) => part.replaceAll(/[^\w\s"]/g, String.raw`\$&`)).join('.*'));
}

async function runCommand(text: string): Promise<string> {
  const child = shell(text);
  await new Promise((resolve) => child.once('close', resolve));
  return child.output();
}

/** A stream tells what happens while it is open, so usage goes up and down until it has told the answer. */
async function watchStream(text: string): Promise<string> {
  const child = shell(text);
  let value = 3;
  try {
    await eventually(async () => {
      value = value === 3 ? 4 : 3;
      const usages = [{ customerId: 'globex', featureId: 'projects', value, updateBehavior: 'SET' }];
      await tollgate.send('/api/v1/usage', { usages });
      return answerTold(text).test(child.output());
    }, 'the stream to tell of usage');
  } finally {
    child.kill();
  }
  return child.output();
}

describe('the README', () => {
  it('shows every command with a way to try it', () => {
    expect(commands.filter(({ language }) => language === 'sh').length).toBeGreaterThanOrEqual(5);
    expect(commands.filter(({ language }) => language === 'graphql').length).toBeGreaterThanOrEqual(5);
  });

  it('has commands and queries that work as they stand, in their order', { timeout: 120_000 }, async () => {
    let reservationId = '';
    for (const { language, text } of commands) {
      if (language === 'graphql') {
        const answer = await tollgate.graphql(
          text.replace('reservationId: "…"', `reservationId: "${reservationId}"`),
        );
        expect(answer).not.toHaveProperty('errors');
        reservationId = answer.data.reserveUsage?.reservationId ?? reservationId;
      } else if (text.includes('/graphql/stream')) expect(await watchStream(text)).toMatch(answerTold(text));
      else expect(await runCommand(text)).toMatch(answerTold(text));
    }
  });
});
