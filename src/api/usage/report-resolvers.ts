import { jsonExceeds } from '../../json.ts';
import type { Acknowledgement, MeasurementOutcome } from '../../metering/acknowledgement.ts';
import { decodeEvent } from '../../metering/decode-event.ts';
import { isRejection } from '../../metering/decode-field.ts';
import { decodeMeasurement, decodeSingleMeasurement } from '../../metering/decode-measurement.ts';
import { type EventFact, factLimits, type MeasurementFact, type Rejection } from '../../metering/facts.ts';
import { ApiProblem, refusalProblem } from '../api-problem.ts';
import type { ApiContext } from '../context.ts';

type Answer = Acknowledgement | ApiProblem;

export async function reportUsage(
  _: unknown,
  { input }: { readonly input: unknown },
  context: ApiContext,
): Promise<Answer | undefined> {
  const { services, bodyBytes } = context;
  const receivedAt = services.clock.now();
  const decoded =
    oversized('the measurement', input, 0, bodyBytes) ?? decodeSingleMeasurement(input, receivedAt);
  const [answer] = await acknowledge([decoded], context);
  return answer;
}

/** GraphQL turns a problem in the list into null in its place and an error with its path. */
export async function reportUsageBulk(
  _: unknown,
  { input }: { readonly input: { readonly usages: readonly unknown[] } },
  context: ApiContext,
): Promise<readonly Answer[]> {
  checkCount('usages', input.usages.length, factLimits.measurementsPerCallMax);
  const { services, bodyBytes } = context;
  const receivedAt = services.clock.now();
  const decoded = input.usages.map(
    (usage, index) =>
      oversized(`usages[${index}]`, usage, index, bodyBytes) ?? decodeMeasurement(usage, index, receivedAt),
  );
  return acknowledge(decoded, context);
}

export async function reportEvent(
  _: unknown,
  { events: { events } }: { readonly events: { readonly events: readonly unknown[] } },
  { services, bodyBytes }: ApiContext,
): Promise<null> {
  checkCount('events', events.length, factLimits.eventsPerCallMax);
  const receivedAt = services.clock.now();
  const facts: EventFact[] = [];
  const rejected: Rejection[] = [];
  for (const [index, event] of events.entries()) {
    const decoded =
      oversized(`events[${index}]`, event, index, bodyBytes) ?? decodeEvent(event, index, receivedAt);
    if (isRejection(decoded)) rejected.push(decoded);
    else facts.push(decoded);
  }
  const refusal = facts.length === 0 ? undefined : await services.intake.acceptEvents(facts, bodyBytes);
  if (refusal !== undefined) throw refusalProblem(refusal);
  if (rejected.length === 0) return null;
  const message = `${facts.length} events accepted, ${rejected.length} rejected; details lists these`;
  throw new ApiProblem('VALIDATION_ERROR', message, { accepted: facts.length, details: rejected });
}

async function acknowledge(
  decoded: readonly (MeasurementFact | Rejection)[],
  { services, bodyBytes }: ApiContext,
): Promise<readonly Answer[]> {
  const facts = decoded.filter((one): one is MeasurementFact => !isRejection(one));
  const outcomes = facts.length === 0 ? [] : await services.intake.acceptMeasurements(facts, bodyBytes);
  if ('code' in outcomes) throw refusalProblem(outcomes);
  const remaining = outcomes.values();
  return decoded.map((one) =>
    isRejection(one) ? new ApiProblem(one.code, one.message) : answerOf(remaining.next().value),
  );
}

function answerOf(outcome: MeasurementOutcome | undefined): Answer {
  if (outcome === undefined)
    throw new Error('the intake answered fewer outcomes than it was given measurements');
  if (!('error' in outcome)) return outcome;
  const { code, message, ...details } = outcome.error;
  return new ApiProblem(code, message, details);
}

function checkCount(list: string, count: number, countMax: number): void {
  if (count >= 1 && count <= countMax) return;
  throw new ApiProblem('VALIDATION_ERROR', `${list} holds ${count} items; allowed are 1 to ${countMax}`);
}

/** One of them is never larger than the body that it came in, so most bodies need no measuring. */
function oversized(name: string, fact: unknown, index: number, bodyBytes: number): Rejection | undefined {
  const { eventBytesMax } = factLimits;
  if (bodyBytes <= eventBytesMax || !jsonExceeds(fact, eventBytesMax)) return undefined;
  return {
    index,
    code: 'PAYLOAD_TOO_LARGE',
    message: `${name} is larger than ${eventBytesMax} bytes`,
  };
}
