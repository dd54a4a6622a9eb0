/** Who may call. Keys are compared as SHA-256 digests in constant time, and kept nowhere as text. */
import { hash, timingSafeEqual } from 'node:crypto';
import type { PlainResponse, RequestHead } from './message.ts';
import { problemResponse } from './message.ts';

/** What a key may do: report events and usage, or everything that GraphQL offers. */
export type KeyScope = 'ingest' | 'api';

export interface ApiKey {
  readonly key: string;
  readonly scopes: readonly KeyScope[];
}

export type KeyVerdict = 'granted' | 'unauthenticated' | 'forbidden';

export class ApiKeys {
  readonly #known: readonly { readonly digest: Buffer; readonly scopes: ReadonlySet<KeyScope> }[];

  constructor(keys: readonly ApiKey[]) {
    this.#known = keys.map(({ key, scopes }) => ({ digest: digestOf(key), scopes: new Set(scopes) }));
  }

  check(presented: string, scope: KeyScope): KeyVerdict {
    if (presented === '') return 'unauthenticated';
    const digest = digestOf(presented);
    let verdict: KeyVerdict = 'unauthenticated';
    // Every known key is compared, so that the time taken does not tell which one was close.
    for (const known of this.#known) {
      if (timingSafeEqual(known.digest, digest)) verdict = known.scopes.has(scope) ? 'granted' : 'forbidden';
    }
    return verdict;
  }

  /** A route's guard: undefined when the request's key has the scope, else the answer that says it has not. */
  guard(head: RequestHead, scope: KeyScope): PlainResponse | undefined {
    const verdict = this.check(presentedKey(head), scope);
    return verdict === 'granted' ? undefined : keyProblem(verdict, head.traceId);
  }
}

/** A key's short name, for the change log: tells keys apart, and nothing of the key. */
export function keyId(key: string): string {
  return digestOf(key).toString('hex', 0, 4);
}

/** `X-API-KEY`, else `Authorization: Bearer`, else (only where the caller allows it) the query's `apiKey`. */
export function presentedKey(head: RequestHead, options: { readonly queryAllowed?: boolean } = {}): string {
  const header = head.header('x-api-key');
  if (header !== '') return header;
  const bearer = /^Bearer +(\S+) *$/i.exec(head.header('authorization'))?.[1];
  if (bearer !== undefined) return bearer;
  return options.queryAllowed === true ? (head.query.get('apiKey') ?? '') : '';
}

export function keyProblem(verdict: Exclude<KeyVerdict, 'granted'>, traceId: string): PlainResponse {
  if (verdict === 'forbidden') return problemResponse('FORBIDDEN', 'this API key may not do this', traceId);
  const message = 'the API key is missing or wrong: send it as X-API-KEY, or as Authorization: Bearer';
  return problemResponse('UNAUTHENTICATED', message, traceId, { headers: { 'WWW-Authenticate': 'Bearer' } });
}

function digestOf(key: string): Buffer {
  return hash('sha256', key, 'buffer');
}
