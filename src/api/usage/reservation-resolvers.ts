import { randomUUID } from 'node:crypto';
import type { Acknowledgement } from '../../metering/acknowledgement.ts';
import { FieldProblem } from '../../metering/decode-field.ts';
import { commitFact, decodeCommit, decodeReserve, releaseFact } from '../../metering/decode-reservation.ts';
import type { MeasurementFact } from '../../metering/facts.ts';
import {
  type Reservation,
  type ReservationAnswer,
  reservationNotFoundMessage,
} from '../../metering/reservation.ts';
import { ApiProblem, refusalProblem } from '../api-problem.ts';
import type { ApiContext } from '../context.ts';

type UsageReservation = ReservationAnswer['reservation'];

interface Given {
  readonly input: unknown;
}

export async function reserveUsage(
  _: unknown,
  { input }: Given,
  context: ApiContext,
): Promise<UsageReservation> {
  return ordered(valid(decodeReserve(input, context.services.clock.now(), randomUUID())), context);
}

export async function commitUsage(
  _: unknown,
  { input }: Given,
  { services, bodyBytes }: ApiContext,
): Promise<Acknowledgement> {
  const request = valid(decodeCommit(input));
  const reservation = await known(request.reservationId, services);
  const fact = commitFact(reservation, request, services.clock.now());
  const outcomes = await services.intake.acceptMeasurements([fact], bodyBytes);
  if ('code' in outcomes) throw refusalProblem(outcomes);
  const [outcome] = outcomes;
  if (outcome === undefined) throw new Error('the intake answered no outcome');
  if ('error' in outcome) throw new ApiProblem(outcome.error.code, outcome.error.message);
  return outcome;
}

export async function releaseUsage(
  _: unknown,
  { input: { reservationId } }: { readonly input: { readonly reservationId: string } },
  context: ApiContext,
): Promise<UsageReservation> {
  const { services } = context;
  return ordered(releaseFact(await known(reservationId, services), services.clock.now()), context);
}

async function ordered(
  order: MeasurementFact,
  { services, bodyBytes }: ApiContext,
): Promise<UsageReservation> {
  const outcome = await services.intake.acceptReservation(order, bodyBytes);
  if ('code' in outcome) throw refusalProblem(outcome);
  if ('reservation' in outcome) return outcome.reservation;
  const { code, message, ...details } = outcome.error;
  throw new ApiProblem(code, message, details);
}

async function known(id: string, { reservations }: ApiContext['services']): Promise<Reservation> {
  const reservation = await reservations.reservation(id);
  if (reservation !== undefined) return reservation;
  throw new ApiProblem('NOT_FOUND', reservationNotFoundMessage(id));
}

function valid<Decoded>(decoded: Decoded | FieldProblem): Decoded {
  if (!(decoded instanceof FieldProblem)) return decoded;
  const { code, field, message } = decoded;
  throw new ApiProblem(code, `${field === '' ? 'input' : `input.${field}`} ${message}`);
}
