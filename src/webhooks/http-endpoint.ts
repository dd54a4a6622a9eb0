/** A program of somebody else's that is told of something: one signed POST at a time. */
import { createHmac } from 'node:crypto';
import type { Clock } from '../clock.ts';

export interface HttpEndpointOptions {
  /** http or https; a user and password in it are sent as basic authentication. */
  readonly url: string;
  /** Signs what is sent; known to the receiver too. */
  readonly secret: string;
  readonly clock: Clock;
  /** How long the receiver may take to answer. */
  readonly timeoutMs?: number;
}

export class HttpEndpoint {
  readonly #url: URL;
  readonly #authorization: Readonly<Record<string, string>>;
  readonly #options: HttpEndpointOptions;

  constructor(options: HttpEndpointOptions) {
    this.#options = options;
    const url = new URL(options.url);
    const { username, password } = url;
    const credentials = `${decoded(username)}:${decoded(password)}`;
    this.#authorization =
      credentials === ':' ? {} : { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` };
    url.username = '';
    url.password = '';
    this.#url = url;
  }

  /**
   * Undefined once the receiver answered with a 2xx; else what went wrong, in words that hold nothing of what was
   * sent or answered. Redirects are not followed: they would carry the body to where nobody chose to send it.
   */
  async post(messageId: string, body: string): Promise<string | undefined> {
    const { secret, clock, timeoutMs = 10_000 } = this.#options;
    const seconds = Math.floor(clock.now() / 1_000);
    try {
      const response = await fetch(this.#url, {
        method: 'POST',
        redirect: 'manual',
        signal: AbortSignal.timeout(timeoutMs),
        headers: {
          ...this.#authorization,
          'content-type': 'application/json',
          'user-agent': 'Tollgate',
          'tollgate-message-id': messageId,
          'tollgate-signature': `t=${seconds},v1=${signatureOf(secret, seconds, body)}`,
        },
        body,
      });
      await response.body?.cancel();
      return response.ok ? undefined : `HTTP ${response.status}`;
    } catch (error) {
      return failureOf(error, timeoutMs);
    }
  }
}

/** A percent sign that begins no escape stands for itself. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function signatureOf(secret: string, seconds: number, body: string): string {
  return createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex');
}

function failureOf(error: unknown, timeoutMs: number): string {
  if (!(error instanceof Error)) return 'no connection';
  if (error.name === 'TimeoutError') return `no answer within ${timeoutMs} ms`;
  const cause: unknown = error.cause;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : error.name;
  return `no connection (${code})`;
}
