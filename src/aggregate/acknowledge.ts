/** What the reporter of a measurement is told (contract, section 3). */
import { createHash } from 'node:crypto';
import type { Acknowledgement, MeasurementOutcome, Refusal } from '../metering/acknowledgement.ts';
import type { MeasurementFact } from '../metering/facts.ts';
import { quantityToText } from '../quantity.ts';
import { decisions } from './decide.ts';
import type { StoredAcknowledgement } from './flush-store.ts';

/** A UUID (version 8) that is the same whenever the same flush is done again, and no other's. */
export function measurementId(flushToken: string, position: number): string {
  const bytes = createHash('sha256').update(`${flushToken}:${position}`).digest().subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** `stored` is this very measurement, or the first of which this one is a duplicate. */
export function acknowledgement(
  fact: MeasurementFact,
  stored: StoredAcknowledgement,
  duplicate: boolean,
): Acknowledgement {
  const period = stored.usagePeriod;
  const periodEnd = period === null ? null : new Date(period.end).toISOString();
  return {
    id: stored.id,
    customerId: fact.customerId,
    featureId: fact.featureId,
    resourceId: fact.resourceId === '' ? null : fact.resourceId,
    value: quantityToText(stored.value),
    timestamp: new Date(stored.timestamp).toISOString(),
    currentUsage: quantityToText(stored.currentUsage),
    usageLimit: stored.usageLimit === null ? null : quantityToText(stored.usageLimit),
    usagePeriodStart: period === null ? null : new Date(period.start).toISOString(),
    usagePeriodEnd: periodEnd,
    nextResetDate: periodEnd,
    duplicate,
  };
}

/** Contract, section 3: `usage` is that of the limit's own scope as it stood then, without the measurement. */
export function limitExceeded(
  { featureId, reservation }: MeasurementFact,
  currentUsage: string,
  usageLimit: string,
  reservedUsage: string,
): Refusal {
  const isReserving = reservation !== undefined;
  const beside = reservedUsage === '0' ? '' : `, with ${reservedUsage} reserved beside it`;
  const message =
    `usage of feature ${JSON.stringify(featureId)} is ${currentUsage}${beside}, and this would take it past the limit ` +
    `of ${usageLimit}; nothing was ${isReserving ? 'reserved' : 'recorded'}: raise the limit, wait for the next usage ` +
    `period${isReserving ? '' : ', or send it without rejectIfExceeded'}`;
  const figures = { currentUsage, usageLimit, ...(reservedUsage === '0' ? {} : { reservedUsage }) };
  return { error: { code: 'ENTITLEMENT_LIMIT_EXCEEDED', message, ...figures } };
}

/** Why a measurement changed nothing; for every decision that needs no more than itself to say so. */
export function refusalOf(fact: MeasurementFact, decision: number): Refusal {
  const { customerId, featureId } = fact;
  switch (decision) {
    case decisions.conflict:
      if (fact.reservation !== undefined) return committedOtherwise;
      return refusal(
        'DUPLICATE_ENTITY',
        'this idempotencyKey was used before for a measurement with another value, behavior, createdAt or ' +
          'dimensions; nothing was recorded: send a new measurement under a new idempotencyKey',
      );
    case decisions.customerNotFound:
      return refusal(
        'CUSTOMER_NOT_FOUND',
        `there is no customer ${JSON.stringify(customerId)}; provision it with provisionCustomer, then report again`,
      );
    case decisions.featureNotFound:
      return refusal(
        'FEATURE_NOT_FOUND',
        `there is no feature ${JSON.stringify(featureId)}; create it with createFeature, then report again`,
      );
    case decisions.featureNotReportable:
      return refusal(
        'VALIDATION_ERROR',
        `usage of feature ${JSON.stringify(featureId)} cannot be reported: it has a meter over raw events (send ` +
          'those instead), or it is not of the type NUMBER',
      );
    default:
      return unexplained;
  }
}

/** For a batch that was set aside whole. */
export const buried: Refusal = refusal(
  'INTERNAL',
  'this could not be processed and was set aside as a dead letter; nothing was recorded, and an operator can replay it',
);

/** A duplicate whose first copy is nowhere to be found, as when ClickHouse has lost data that Redis remembers. */
export const originalMissing: MeasurementOutcome = refusal(
  'INTERNAL',
  'this measurement was recorded before, but its acknowledgement cannot be found; nothing was recorded now',
);

const committedOtherwise: Refusal = refusal(
  'DUPLICATE_ENTITY',
  'this reservation was committed before, with another amount or other dimensions; nothing was recorded now',
);

const unexplained: Refusal = refusal('INTERNAL', 'this measurement was refused; nothing was recorded');

function refusal(code: Refusal['error']['code'], message: string): Refusal {
  return { error: { code, message } };
}
