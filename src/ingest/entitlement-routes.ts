/** What a customer may do, for apps that ask on every request (contract, section 3). A refusal is a result: 200. */
import type { EntitlementCheck } from '../entitlements/check-entitlement.ts';
import type { EntitlementQuestion, EntitlementsQuestion, LiveChecks } from '../entitlements/live-checks.ts';
import type { ApiKeys } from '../http/api-key.ts';
import {
  type HttpRequest,
  jsonResponse,
  type PlainResponse,
  problemResponse,
  type RequestHead,
  type Route,
} from '../http/message.ts';
import { decodeId, FieldProblem } from '../metering/decode-field.ts';
import {
  compareQuantities,
  parseQuantity,
  type Quantity,
  quantityToText,
  zeroQuantity,
} from '../quantity.ts';
import type { Logger } from '../telemetry.ts';

export interface EntitlementRoutesOptions {
  readonly checks: Pick<LiveChecks, 'all' | 'check'>;
  readonly keys: ApiKeys;
  readonly log: Pick<Logger, 'error'>;
}

const requestedValuesMax = 100;

export function entitlementRoutes(options: EntitlementRoutesOptions): readonly Route[] {
  const { checks, keys } = options;
  const path = '/api/v1/customers/:customerId/entitlements';
  const guard: NonNullable<Route['guard']> = (head) => keys.guard(head, 'ingest');
  return [
    {
      method: 'GET',
      path: `${path}/check`,
      guard,
      handle: (request) =>
        answer(request, options, decodeCheck, async (question) => checkAnswer(await checks.check(question))),
    },
    {
      method: 'GET',
      path,
      guard,
      handle: (request) =>
        answer(request, options, decodeList, async (question) => {
          const checked = await checks.all(question);
          return 'deniedReason' in checked ? [] : checked.map(checkAnswer);
        }),
    },
  ];
}

async function answer<Question>(
  request: HttpRequest,
  { log }: EntitlementRoutesOptions,
  decode: (head: RequestHead) => Question | FieldProblem,
  ask: (question: Question) => Promise<unknown>,
): Promise<PlainResponse> {
  const { traceId } = request;
  const question = decode(request);
  if (question instanceof FieldProblem) {
    return problemResponse(question.code, `${question.field} ${question.message}`, traceId);
  }
  try {
    return jsonResponse(200, { data: await ask(question) });
  } catch (error) {
    const code = retryableCode(error);
    if (code === undefined) throw error;
    log.error(
      { traceId, fault: error instanceof Error ? error.name : 'unknown' },
      'a check was not answered',
    );
    const message = 'a store does not answer for now; ask again';
    return problemResponse(code, message, traceId, { retryAfterSeconds: 1 });
  }
}

/** Adapters' typed errors say that the question may be answered later; undefined for faults. */
function retryableCode(error: unknown): 'OVERLOADED' | 'QUEUE_UNAVAILABLE' | undefined {
  const { code, retryable } = error as { readonly code?: unknown; readonly retryable?: unknown };
  if (!(error instanceof Error) || retryable !== true) return undefined;
  return code === 'OVERLOADED' ? code : 'QUEUE_UNAVAILABLE';
}

function decodeCheck(head: RequestHead): EntitlementQuestion | FieldProblem {
  const scope = decodeList(head);
  if (scope instanceof FieldProblem) return scope;
  const featureId = decodeId(head.query.get('featureId') ?? undefined, 'featureId');
  if (featureId instanceof FieldProblem) return featureId;
  const requestedUsage = decodeUsage(head.query.get('requestedUsage'));
  if (requestedUsage instanceof FieldProblem) return requestedUsage;
  const requestedValues = head.query.getAll('requestedValues').filter((value) => value !== '');
  if (requestedValues.length > requestedValuesMax) {
    const message = `is there ${requestedValues.length} times; at most ${requestedValuesMax} are allowed`;
    return new FieldProblem('VALIDATION_ERROR', 'requestedValues', message);
  }
  return {
    ...scope,
    featureId,
    requestedUsage,
    requestedValues: requestedValues.length === 0 ? null : requestedValues,
  };
}

/** An empty parameter is the same as none. */
function decodeList({ params, query }: RequestHead): EntitlementsQuestion | FieldProblem {
  const customerId = decodeId(params['customerId'], 'customerId');
  if (customerId instanceof FieldProblem) return customerId;
  const given = query.get('resourceId') ?? '';
  const resourceId = given === '' ? null : decodeId(given, 'resourceId');
  return resourceId instanceof FieldProblem ? resourceId : { customerId, resourceId };
}

function decodeUsage(text: string | null): Quantity | null | FieldProblem {
  if (text === null || text === '') return null;
  const quantity = parseQuantity(text);
  if (quantity !== undefined && compareQuantities(quantity, zeroQuantity) >= 0) return quantity;
  const message = `is ${JSON.stringify(text.slice(0, 64))}; a number, 0 or above, is required`;
  return new FieldProblem('VALIDATION_ERROR', 'requestedUsage', message);
}

function checkAnswer(check: EntitlementCheck): unknown {
  const { featureId, isGranted, accessDeniedReason, entitlement, currentUsage, requestedUsage, asOf } = check;
  const { usagePeriod = null, validUntil = null } = entitlement ?? {};
  return {
    isGranted,
    accessDeniedReason,
    featureId,
    usageLimit: textOf(entitlement?.usageLimit ?? null),
    currentUsage: textOf(currentUsage),
    reservedUsage: textOf(check.reservedUsage),
    requestedUsage: textOf(requestedUsage),
    hasUnlimitedUsage: entitlement?.hasUnlimitedUsage ?? false,
    hasSoftLimit: entitlement?.hasSoftLimit ?? false,
    enumValues: entitlement?.enumValues ?? null,
    requestedValues: check.requestedValues,
    usagePeriodStart: timeOf(usagePeriod?.start ?? null),
    usagePeriodEnd: timeOf(usagePeriod?.end ?? null),
    validUntil: timeOf(validUntil),
    asOf: timeOf(asOf),
  };
}

function textOf(quantity: Quantity | null): string | null {
  return quantity === null ? null : quantityToText(quantity);
}

function timeOf(instant: number | null): string | null {
  return instant === null ? null : new Date(instant).toISOString();
}
