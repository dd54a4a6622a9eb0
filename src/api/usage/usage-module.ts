import type { Acknowledgement } from '../../metering/acknowledgement.ts';
import type { ReservationAnswer } from '../../metering/reservation.ts';
import type { ReportedItem } from '../../usage/usage.ts';
import type { ApiModule } from '../context.ts';
import { pageSizeOf } from '../graphql/connection.ts';
import { amendMeasurement, voidMeasurement } from './correction-resolvers.ts';
import { correctionTypeDefs } from './correction-schema.ts';
import { usageHistoryV2 } from './history-resolver.ts';
import { measurements } from './measurements-resolver.ts';
import { reportEvent, reportUsage, reportUsageBulk } from './report-resolvers.ts';
import { commitUsage, releaseUsage, reserveUsage } from './reservation-resolvers.ts';
import { reservationTypeDefs } from './reservation-schema.ts';
import { usageTypeDefs } from './usage-schema.ts';

export const usageModule: ApiModule = {
  typeDefs: usageTypeDefs + reservationTypeDefs + correctionTypeDefs,
  resolvers: {
    Query: { usageHistoryV2, measurements },
    Mutation: {
      reportUsage,
      reportUsageBulk,
      reportEvent,
      reserveUsage,
      commitUsage,
      releaseUsage,
      voidMeasurement,
      amendMeasurement,
    },
    UsageMeasurementWithCurrentUsage: { measurementId: (measurement: Acknowledgement) => measurement.id },
    UsageReservation: { reservationId: (reservation: ReservationAnswer['reservation']) => reservation.id },
    ReportedUsage: {
      resourceId: (item: ReportedItem) => absentIfEmpty(item.resourceId),
      idempotencyKey: (item: ReportedItem) => absentIfEmpty(item.idempotencyKey),
    },
  },
  costs: {
    'Query.usageHistoryV2': { weight: 1_000 },
    'Query.measurements': { weight: 500, items: pageSizeOf },
    'Mutation.reportUsage': { weight: 50 },
    'Mutation.reportUsageBulk': { weight: 1_000 },
    'Mutation.reportEvent': { weight: 1_000 },
    'Mutation.reserveUsage': { weight: 50 },
    'Mutation.commitUsage': { weight: 50 },
    'Mutation.releaseUsage': { weight: 50 },
    // One without a customer reads a month of timestamps.
    'Mutation.voidMeasurement': { weight: 500 },
    'Mutation.amendMeasurement': { weight: 500 },
  },
};

/** Facts have the empty text where nothing was given; GraphQL has null. */
function absentIfEmpty(text: string): string | null {
  return text === '' ? null : text;
}
