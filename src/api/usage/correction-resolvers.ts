import type {
  Correction,
  CorrectionRequest,
  ItemContent,
  ItemName,
  StoredItem,
} from '../../corrections/correction.ts';
import { decodeDimensions, FieldProblem } from '../../metering/decode-field.ts';
import { parseQuantity, quantityToText } from '../../quantity.ts';
import type { ReportedItem } from '../../usage/usage.ts';
import { ApiProblem } from '../api-problem.ts';
import type { ApiContext } from '../context.ts';

interface NameInput {
  readonly id?: string | null;
  readonly customerId?: string | null;
  readonly eventName?: string | null;
  readonly featureId?: string | null;
  readonly idempotencyKey?: string | null;
  readonly reason: string;
}

interface VoidInput extends NameInput {
  readonly timestamp?: number | null;
}

interface AmendInput extends NameInput {
  readonly reportedTimestamp?: number | null;
  readonly value?: string | null;
  readonly dimensions?: unknown;
  readonly timestamp?: number | null;
}

export async function voidMeasurement(
  _: unknown,
  { input }: { readonly input: VoidInput },
  context: ApiContext,
): Promise<ReportedUsage> {
  const request = { kind: 'VOID', reason: input.reason } as const;
  return correct(input, input.timestamp ?? null, request, 'voidMeasurement', context);
}

export async function amendMeasurement(
  _: unknown,
  { input }: { readonly input: AmendInput },
  context: ApiContext,
): Promise<ReportedUsage> {
  const amendment = {
    value: input.value ?? null,
    timestamp: input.timestamp ?? null,
    dimensions: dimensionsOf(input.dimensions),
  };
  const request = { kind: 'AMEND', reason: input.reason, amendment } as const;
  return correct(input, input.reportedTimestamp ?? null, request, 'amendMeasurement', context);
}

/** An entry of the log with its corrections. */
export interface ReportedUsage extends Omit<ReportedItem, 'state'> {
  readonly state: ReportedItem['state'] | 'VOIDED' | 'AMENDED';
  readonly corrections: readonly UsageCorrection[];
}

interface UsageCorrection extends Correction {
  /** What counted before it. */
  readonly before: ItemContent | null;
}

/** @param corrections of the item, oldest first. */
export function correctedUsage(item: ReportedItem, corrections: readonly Correction[]): ReportedUsage {
  const newest = corrections.at(-1);
  const corrected = newest?.kind === 'VOID' ? 'VOIDED' : 'AMENDED';
  return {
    ...item,
    state: newest === undefined ? item.state : corrected,
    corrections: corrections.map((correction, index) => ({
      ...correction,
      before: index === 0 ? reportedContent(item) : (corrections[index - 1]?.after ?? null),
    })),
  };
}

async function correct(
  input: NameInput,
  timestamp: number | null,
  request: CorrectionRequest,
  operation: string,
  { services, audit }: ApiContext,
): Promise<ReportedUsage> {
  const name = nameOf(input, timestamp);
  const feature = name.featureId === null ? undefined : await services.features.feature(name.featureId);
  const named = feature === undefined ? name : { ...name, featureId: feature.refId };
  const outcome = await services.corrections.correct(named, request, audit(operation));
  if ('problem' in outcome) throw new ApiProblem(outcome.problem.code, outcome.problem.message);
  return correctedUsage(itemOf(outcome.item), outcome.corrections);
}

function nameOf(input: NameInput, timestamp: number | null): ItemName {
  const { id = null, customerId = null, eventName = null, featureId = null, idempotencyKey = null } = input;
  const byKey = eventName !== null || featureId !== null || idempotencyKey !== null || timestamp !== null;
  const isKey =
    customerId !== null && idempotencyKey !== null && (eventName === null) !== (featureId === null);
  if (id === null ? !isKey : byKey) {
    const message =
      'name one entry: by id, with or without customerId, or by customerId, idempotencyKey and either eventName or ' +
      'featureId, with or without the timestamp that it was reported with';
    throw new ApiProblem('VALIDATION_ERROR', message);
  }
  return { id, customerId, eventName, featureId, idempotencyKey, timestamp };
}

function dimensionsOf(value: unknown): Readonly<Record<string, string>> | null {
  if (value === undefined || value === null) return null;
  const dimensions = decodeDimensions(value, 'dimensions');
  if (!(dimensions instanceof FieldProblem)) return Object.fromEntries(dimensions);
  throw new ApiProblem(dimensions.code, `${dimensions.field} ${dimensions.message}`);
}

function itemOf(item: StoredItem): ReportedItem {
  const { kind, name, content } = item;
  return {
    id: item.id,
    kind,
    state: 'COUNTED',
    customerId: item.customerId,
    resourceId: item.resourceId,
    eventName: kind === 'EVENT' ? name : null,
    featureId: kind === 'MEASUREMENT' ? name : null,
    idempotencyKey: item.idempotencyKey,
    value: content.value === null ? null : (parseQuantity(content.value) ?? null),
    updateBehavior: item.updateBehavior,
    timestamp: content.timestamp,
    receivedAt: item.receivedAt,
    dimensions: content.dimensions,
  };
}

function reportedContent({ timestamp, value, dimensions }: ReportedItem): ItemContent {
  return { timestamp, value: value === null ? null : quantityToText(value), dimensions };
}
