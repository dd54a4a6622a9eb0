/** Every problem code with its HTTP status: one table for the answers and for docs/errors.md. */
import type { ProblemCode } from '../metering/facts.ts';

export interface ProblemKind {
  readonly status: number;
  /** True when the same call, sent again unchanged, may succeed. */
  readonly retryable: boolean;
  readonly meaning: string;
}

/** The status is that of a call refused whole; inside a list (`rejected`, `data`) the same code has none. */
export const problemKinds: Readonly<Record<ProblemCode, ProblemKind>> = {
  UNAUTHENTICATED: kind(401, 'The API key is missing or wrong.'),
  FORBIDDEN: kind(403, 'The API key is known but lacks the scope for this call.'),
  VALIDATION_ERROR: kind(400, 'A field or the call itself is not as the contract asks.'),
  MALFORMED_JSON: kind(400, 'The body is not JSON, or not UTF-8.'),
  TIMESTAMP_IN_FUTURE: kind(400, 'A timestamp lies more than 24 hours ahead of the time of receipt.'),
  PAYLOAD_TOO_LARGE: kind(413, 'The body, after decompression, or one event in it is larger than allowed.'),
  UNSUPPORTED_MEDIA_TYPE: kind(415, 'The Content-Type or Content-Encoding is not one that is taken here.'),
  NOT_FOUND: kind(404, 'There is nothing at this path.'),
  METHOD_NOT_ALLOWED: kind(405, 'The path exists, but not with this method; the header Allow lists which.'),
  RATE_LIMITED: kind(429, 'Too much at once; nothing of the call was taken.', 'retryable'),
  OVERLOADED: kind(503, 'A queue or buffer is at its bound; nothing of the call was taken.', 'retryable'),
  QUEUE_UNAVAILABLE: kind(503, 'Redis does not answer; nothing of the call was taken.', 'retryable'),
  ACK_PENDING: kind(504, 'Queued, but not yet processed; repeat with the same idempotencyKey.', 'retryable'),
  CUSTOMER_NOT_FOUND: kind(404, 'No customer has this id.'),
  PRODUCT_NOT_FOUND: kind(404, 'No product has this id.'),
  PLAN_NOT_FOUND: kind(404, 'No plan has this id, or none of its versions is published.'),
  ADDON_NOT_FOUND: kind(404, 'No add-on has this id, or none of its versions is published.'),
  FEATURE_NOT_FOUND: kind(404, 'No feature has this id.'),
  SUBSCRIPTION_NOT_FOUND: kind(404, 'No subscription has this id.'),
  DUPLICATE_ENTITY: kind(409, 'The id or idempotencyKey is taken, with other content.'),
  ENTITLEMENT_LIMIT_EXCEEDED: kind(409, 'The usage would pass a hard limit; nothing was recorded.'),
  QUERY_TOO_COMPLEX: kind(400, 'The GraphQL query asks for more than one call may.'),
  INTERNAL: kind(500, 'A fault of the server; its log has the traceId.', 'retryable'),
};

function kind(status: number, meaning: string, retryable?: 'retryable'): ProblemKind {
  return { status, retryable: retryable !== undefined, meaning };
}
