/** Reservations beside `POST /api/v1/usage`: reserve, commit, release. */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../clock.ts';
import type { ApiKeys } from '../http/api-key.ts';
import {
  type HttpRequest,
  jsonResponse,
  type PlainResponse,
  problemResponse,
  type Route,
} from '../http/message.ts';
import { parseJsonBytes } from '../json.ts';
import type { Refusal, UsageOutcome } from '../metering/acknowledgement.ts';
import { QueueUnavailableError } from '../metering/batch.ts';
import { describe, FieldProblem, isJsonObject } from '../metering/decode-field.ts';
import {
  type CommitRequest,
  commitFact,
  decodeCommit,
  decodeReserve,
  releaseFact,
} from '../metering/decode-reservation.ts';
import { factLimits } from '../metering/facts.ts';
import type { Intake, IntakeRefusal } from '../metering/intake.ts';
import { type Reservation, reservationNotFoundMessage } from '../metering/reservation.ts';
import { mediaTypeOf, unsupportedMediaType } from './decode-body.ts';

export interface ReservationRoutesOptions {
  readonly intake: Intake;
  /** Fails with `QueueUnavailableError`. */
  readonly reservations: { reservation(id: string): Promise<Reservation | undefined> };
  readonly keys: ApiKeys;
  readonly clock: Clock;
}

export function reservationRoutes(options: ReservationRoutesOptions): readonly Route[] {
  const guard: NonNullable<Route['guard']> = (head) => options.keys.guard(head, 'ingest');
  const path = '/api/v1/usage/reservations';
  const route = (suffix: string, answer: Answer): Route => ({
    method: 'POST',
    path: path + suffix,
    guard,
    handle: async (request) => toResponse(request, await unlessUnavailable(answer(request, options))),
  });
  return [
    route('', reserve),
    route('/:reservationId/commit', commit),
    route('/:reservationId/release', release),
  ];
}

type JsonObject = Readonly<Record<string, unknown>>;
type Answered = UsageOutcome | IntakeRefusal | FieldProblem;
type Answer = (request: HttpRequest, options: ReservationRoutesOptions) => Promise<Answered>;

async function unlessUnavailable(answered: Promise<Answered>): Promise<Answered> {
  try {
    return await answered;
  } catch (error) {
    if (!(error instanceof QueueUnavailableError)) throw error;
    const message = 'Redis does not answer; nothing was taken';
    return { code: error.code, message, retryAfterSeconds: 1 };
  }
}

async function reserve(request: HttpRequest, { intake, clock }: ReservationRoutesOptions): Promise<Answered> {
  const body = bodyOf(request);
  if (!('value' in body)) return body;
  const order = decodeReserve(body.value, clock.now(), randomUUID());
  return order instanceof FieldProblem ? order : intake.acceptReservation(order, request.body.length);
}

async function commit(request: HttpRequest, options: ReservationRoutesOptions): Promise<Answered> {
  const { intake, clock } = options;
  const body = bodyOf(request);
  if (!('value' in body)) return body;
  const asked = commitOf(request, body.value);
  if (asked instanceof FieldProblem) return asked;
  const reservation = await known(asked.reservationId, options);
  if ('error' in reservation) return reservation;
  const fact = commitFact(reservation, asked, clock.now());
  const outcomes = await intake.acceptMeasurements([fact], request.body.length);
  if ('code' in outcomes) return outcomes;
  const [outcome] = outcomes;
  if (outcome === undefined) throw new Error('the intake answered no outcome');
  return outcome;
}

async function release(request: HttpRequest, options: ReservationRoutesOptions): Promise<Answered> {
  const { intake, clock } = options;
  const reservation = await known(request.params['reservationId'] ?? '', options);
  if ('error' in reservation) return reservation;
  return intake.acceptReservation(releaseFact(reservation, clock.now()), request.body.length);
}

/** The id stands in the path alone. */
function commitOf({ params }: HttpRequest, body: JsonObject): CommitRequest | FieldProblem {
  if ('reservationId' in body) {
    return new FieldProblem('VALIDATION_ERROR', 'reservationId', 'stands in the path, not in the body');
  }
  return decodeCommit({ ...body, reservationId: params['reservationId'] });
}

async function known(id: string, { reservations }: ReservationRoutesOptions): Promise<Reservation | Refusal> {
  const found = await reservations.reservation(id);
  return found ?? { error: { code: 'NOT_FOUND', message: reservationNotFoundMessage(id) } };
}

/** Without a body nothing is said. */
function bodyOf(request: HttpRequest): { readonly value: JsonObject } | Refusal | FieldProblem {
  const { body } = request;
  if (body.length === 0) return { value: {} };
  const contentType = request.header('content-type');
  if (mediaTypeOf(contentType) !== 'application/json') {
    const { code, message } = unsupportedMediaType(contentType, ['application/json']).refusal;
    return { error: { code, message } };
  }
  if (body.length > factLimits.eventBytesMax) {
    return new FieldProblem('PAYLOAD_TOO_LARGE', '', `is larger than ${factLimits.eventBytesMax} bytes`);
  }
  const parsed = parseJsonBytes(body);
  if (!parsed.ok) {
    return new FieldProblem('MALFORMED_JSON', '', `is not valid JSON: ${parsed.message}`);
  }
  if (isJsonObject(parsed.value)) return { value: parsed.value };
  return new FieldProblem('VALIDATION_ERROR', '', `is ${describe(parsed.value)}; an object is required`);
}

function toResponse({ traceId }: HttpRequest, answered: Answered): PlainResponse {
  if (answered instanceof FieldProblem) {
    const { code, field, message } = answered;
    return problemResponse(code, `${field === '' ? 'The body' : field} ${message}`, traceId);
  }
  if ('code' in answered) {
    const { code, message, retryAfterSeconds } = answered;
    return problemResponse(code, message, traceId, { retryAfterSeconds });
  }
  if ('error' in answered) {
    const { code, message, ...figures } = answered.error;
    const details = Object.keys(figures).length === 0 ? {} : { details: figures };
    return problemResponse(code, message, traceId, details);
  }
  return jsonResponse(200, { data: 'reservation' in answered ? answered.reservation : answered });
}
