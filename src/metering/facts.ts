/**
 * What reaches Tollgate, once checked: the facts that everything behind the edge works on.
 * Field names follow the HTTP contract; an absent optional text is the empty string, so that a fact, a
 * ClickHouse row and an identity hash agree on one form.
 */
import type { Quantity } from '../quantity.ts';
import type { ReservationOrder } from './reservation.ts';

/** A raw event, as an application saw it happen. Identity: see `identity.ts`. */
export interface EventFact {
  readonly customerId: string;
  readonly resourceId: string;
  readonly eventName: string;
  readonly idempotencyKey: string;
  /** CloudEvents `source`; empty for events sent in Tollgate's own form. */
  readonly source: string;
  /** When it happened, epoch ms. Equal to `receivedAt` when the sender gave none. */
  readonly timestamp: number;
  /** When this copy reached the edge, epoch ms. */
  readonly receivedAt: number;
  /** Key and text of each dimension, keys unique. Numbers are canonical decimal text, booleans `true`/`false`. */
  readonly dimensions: readonly (readonly [key: string, text: string])[];
}

export type UpdateBehavior = 'DELTA' | 'SET';

/** Usage that the application calculated itself. */
export interface MeasurementFact {
  readonly customerId: string;
  readonly resourceId: string;
  readonly featureId: string;
  /** Empty when the sender gave none: such a measurement is never a duplicate. */
  readonly idempotencyKey: string;
  readonly value: Quantity;
  readonly updateBehavior: UpdateBehavior;
  /** `createdAt`, epoch ms. Equal to `receivedAt` when the sender gave none. */
  readonly timestamp: number;
  readonly receivedAt: number;
  readonly dimensions: readonly (readonly [key: string, text: string])[];
  readonly rejectIfExceeded: boolean;
  /** Of a reservation instead: only a commit counts. */
  readonly reservation?: ReservationOrder;
}

/** Bounds of the HTTP contract, section 3. */
export const factLimits = {
  /** Characters of customerId, resourceId, featureId, eventName, idempotencyKey and source. */
  idLengthMax: 255,
  eventsPerCallMax: 10_000,
  measurementsPerCallMax: 1_000,
  eventBytesMax: 1_048_576,
  bodyBytesMax: 16 * 1_048_576,
  /** Epoch ms of 1900-01-01T00:00:00.000Z and 2299-12-31T23:59:59.999Z, the range of ClickHouse's DateTime64. */
  instantMin: -2_208_988_800_000,
  instantMax: 10_413_791_999_999,
  /** How far ahead of the edge's clock a timestamp may lie, ms. */
  futureMsMax: 24 * 3_600_000,
} as const;

/** Why one event or measurement of a call was not taken. `index` is its place in the call, from 0. */
export interface Rejection {
  readonly index: number;
  readonly code: ProblemCode;
  readonly message: string;
}

/** Every code that a caller can meet; docs/errors.md explains each one, and a test holds the two together. */
export type ProblemCode =
  | 'UNAUTHENTICATED'
  | 'FORBIDDEN'
  | 'VALIDATION_ERROR'
  | 'MALFORMED_JSON'
  | 'TIMESTAMP_IN_FUTURE'
  | 'PAYLOAD_TOO_LARGE'
  | 'UNSUPPORTED_MEDIA_TYPE'
  | 'NOT_FOUND'
  | 'METHOD_NOT_ALLOWED'
  | 'RATE_LIMITED'
  | 'OVERLOADED'
  | 'QUEUE_UNAVAILABLE'
  | 'ACK_PENDING'
  | 'CUSTOMER_NOT_FOUND'
  | 'PRODUCT_NOT_FOUND'
  | 'PLAN_NOT_FOUND'
  | 'ADDON_NOT_FOUND'
  | 'FEATURE_NOT_FOUND'
  | 'SUBSCRIPTION_NOT_FOUND'
  | 'DUPLICATE_ENTITY'
  | 'ENTITLEMENT_LIMIT_EXCEEDED'
  | 'QUERY_TOO_COMPLEX'
  | 'INTERNAL';
