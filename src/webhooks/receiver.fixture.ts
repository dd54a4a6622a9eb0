/** A program on a free port that takes webhooks, and answers them as a test tells it to. */
import { createHmac } from 'node:crypto';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

export interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly json: Readonly<Record<string, unknown>>;
}

export interface Receiver {
  readonly url: string;
  readonly received: readonly Received[];
  /** The status of the next answers; 'silence' answers nothing. After the last one it is 204 again. */
  answerNext(...answers: readonly (number | 'silence')[]): void;
  /** From now on every answer is this. */
  answerAlways(answer: number): void;
}

export async function startReceiver(): Promise<Receiver> {
  const received: Received[] = [];
  let planned: (number | 'silence')[] = [];
  let always = 204;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString('utf8');
      received.push({ headers: request.headers, body, json: JSON.parse(body) as Received['json'] });
      const answer = planned.shift() ?? always;
      if (answer !== 'silence') response.writeHead(answer, { location: '/elsewhere' }).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hooks`,
    received,
    answerNext: (...answers) => {
      planned = [...answers];
    },
    answerAlways: (answer) => {
      always = answer;
    },
  };
}

/** As the README tells receivers to do it. */
export function isSignedWith(secret: string, { headers, body }: Received): boolean {
  const [, at = '', given = ''] =
    /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers['tollgate-signature'])) ?? [];
  return given === createHmac('sha256', secret).update(`${at}.${body}`).digest('hex');
}
