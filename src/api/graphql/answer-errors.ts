/** Errors as callers see them: each with `extensions.code` and `extensions.traceId`, and no more than they may know. */
import { GraphQLError } from 'graphql';
import type { ProblemCode } from '../../metering/facts.ts';
import { ApiProblem } from '../api-problem.ts';

/** Queries change nothing, and what these mutations store they store whole or not at all, under the caller's name. */
const storeAwayMessage = 'a store does not answer for now; it is safe to ask for this field again';
const maskedMessage = 'a fault of the server; its log has this traceId';

/** What went wrong inside, for the log; undefined for what callers are told. */
export interface AnswerError {
  readonly answer: GraphQLError;
  readonly code: string;
  readonly fault: unknown;
}

export function answerError(error: GraphQLError, traceId: string): AnswerError {
  const { code, message, extensions, fault } = disclose(error);
  const { nodes, source, positions, path } = error;
  const answer = new GraphQLError(message, {
    nodes: nodes ?? null,
    source: source ?? null,
    positions: positions ?? null,
    path: path ?? null,
    extensions: { ...extensions, code, traceId },
  });
  return { answer, code, fault };
}

export function problemError(code: ProblemCode, message: string, traceId: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code, traceId } });
}

interface Disclosed {
  readonly code: string;
  readonly message: string;
  readonly extensions: Readonly<Record<string, unknown>>;
  readonly fault?: unknown;
}

function disclose(error: GraphQLError): Disclosed {
  const { originalError, message, path, extensions } = error;
  if (originalError instanceof ApiProblem) {
    return { code: originalError.code, message, extensions: originalError.extensions };
  }
  // Without a path it is about the request: its document, its operation or its variables. So is an argument whose
  // variable turned out to be null.
  if (path === undefined || (originalError instanceof GraphQLError && message.startsWith('Argument "'))) {
    const { code = 'VALIDATION_ERROR' } = extensions;
    return { code: String(code), message, extensions };
  }
  // Adapters' typed errors say that the call may succeed later; their texts stay inside.
  if (isRetryable(originalError)) {
    const code = toldCodes.has(originalError.code) ? String(originalError.code) : 'INTERNAL';
    return { code, message: storeAwayMessage, extensions: { retryAfterSeconds: 1 }, fault: originalError };
  }
  return { code: 'INTERNAL', message: maskedMessage, extensions: {}, fault: originalError ?? error };
}

/** The others name a store, which is nobody's business outside. */
const toldCodes: ReadonlySet<unknown> = new Set<ProblemCode>(['OVERLOADED', 'QUEUE_UNAVAILABLE']);

function isRetryable(error: Error | null | undefined): error is Error & { readonly code: unknown } {
  return error instanceof Error && 'code' in error && 'retryable' in error && error.retryable === true;
}
