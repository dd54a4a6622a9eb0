/** What programs outside already use is in the served schema: operations, fields and spellings that may not go away. */
import {
  type GraphQLNamedType,
  type GraphQLSchema,
  type GraphQLType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
  isRequiredArgument,
  isRequiredInputField,
  Kind,
  parse,
  type TypeNode,
} from 'graphql';
import { describe, expect, it } from 'vitest';
import { apiSchema } from './schema.ts';
import { inputsInUse } from './contract-inputs.fixture.ts';
import { answersInUse, operationsInUse } from './contract.fixture.ts';

describe('every operation in use, with its arguments and what it answers', () => {
  it.each(uses(operationsInUse))('%s', (path, type, required) => {
    expect(shapeAt(apiSchema, path)).toEqual({ type, required });
  });
});

describe('every input field in use, and whether it has to be given', () => {
  it.each(uses(inputsInUse))('%s', (path, type, required) => {
    expect(shapeAt(apiSchema, path)).toEqual({ type, required });
  });

  it.each(typesOf(inputsInUse))('%s: no other field has to be given', (name) => {
    const type = apiSchema.getType(name);
    const fields = isInputObjectType(type) ? Object.values(type.getFields()) : [];
    const known = new Set(uses(inputsInUse).map(([path]) => path));
    const others = fields.filter((field) => !known.has(`${name}.${field.name}`));
    expect(others.filter(isRequiredInputField).map((field) => field.name)).toEqual([]);
  });
});

describe('every answer in use', () => {
  it.each(uses(answersInUse))('%s', (path, type) => {
    expect(shapeAt(apiSchema, path)?.type).toBe(type);
  });
});

describe('enum values are spelled as published', () => {
  it.each([
    ['FeatureType', 'BOOLEAN NUMBER ENUM', ''],
    ['MeterType', 'None FLUCTUATING INCREMENTAL', ''],
    ['FeatureStatus', 'NEW ACTIVE SUSPENDED', ''],
    ['UnitTransformationRound', 'UP DOWN', ''],
    ['AggregationFunction', 'SUM MAX MIN AVG COUNT UNIQUE', ''],
    [
      'FilterOperation',
      `EQUALS NOT_EQUALS GREATER_THAN GREATER_THAN_OR_EQUAL LESS_THAN LESS_THAN_OR_EQUAL IS_NULL IS_NOT_NULL
        CONTAINS STARTS_WITH ENDS_WITH IN`,
      '',
    ],
    ['PricingType', 'FREE PAID CUSTOM', ''],
    ['BillingModel', 'FLAT_FEE PER_UNIT USAGE_BASED MINIMUM_SPEND', 'CREDIT_BASED'],
    ['BillingPeriod', 'MONTHLY ANNUALLY', ''],
    ['TiersMode', 'VOLUME GRADUATED', ''],
    ['PackageStatus', 'DRAFT PUBLISHED ARCHIVED', ''],
    ['PublishMigrationType', 'NEW_CUSTOMERS ALL_CUSTOMERS', ''],
    ['TrialPeriodUnits', 'DAY MONTH', ''],
    ['TrialEndBehavior', 'CONVERT_TO_PAID CANCEL_SUBSCRIPTION', ''],
    ['EntitlementResetPeriod', 'YEAR MONTH WEEK DAY HOUR', ''],
    [
      'ResetPeriodAnchor',
      `SubscriptionStart StartOfTheMonth EverySunday EveryMonday EveryTuesday EveryWednesday EveryThursday EveryFriday
        EverySaturday`,
      '',
    ],
    ['EntitlementBehavior', 'Increment Override', ''],
    ['CouponType', 'FIXED PERCENTAGE', ''],
    ['CouponStatus', 'ACTIVE ARCHIVED', ''],
    ['SubscriptionStartSetup', 'PLAN_SELECTION TRIAL_PERIOD FREE_PLAN', ''],
    ['SubscriptionEndSetup', 'DOWNGRADE_TO_FREE CANCEL_SUBSCRIPTION', ''],
    ['SubscriptionCancellationTime', 'END_OF_BILLING_PERIOD IMMEDIATE SPECIFIC_DATE', ''],
    ['UsageResetCutoffBehavior', 'ALWAYS_RESET NEVER_RESET BILLING_PERIOD_CHANGE', ''],
    ['SubscriptionStatus', 'PAYMENT_PENDING ACTIVE EXPIRED IN_TRIAL CANCELED NOT_STARTED', ''],
    ['PaymentCollection', 'NOT_REQUIRED FAILED ACTION_REQUIRED PROCESSING', ''],
    ['SubscriptionInvoiceStatus', 'OPEN CANCELED PAID', ''],
    [
      'SubscriptionCancelReason',
      'UPGRADE_OR_DOWNGRADE TRIAL_ENDED TRIAL_CONVERTED Immediate ScheduledCancellation CustomerArchived',
      'CANCELLED_BY_BILLING EXPIRED DETACH_BILLING PENDING_PAYMENT_EXPIRED AutoCancellationRule',
    ],
    ['SubscriptionCancellationAction', 'DEFAULT REVOKE_ENTITLEMENTS', ''],
    ['SubscriptionMigrationTime', 'IMMEDIATE END_OF_BILLING_PERIOD', ''],
    ['ScheduleStrategy', 'IMMEDIATE END_OF_BILLING_PERIOD END_OF_BILLING_MONTH', ''],
    ['BillingCycleAnchor', 'UNCHANGED NOW', ''],
    ['SubscriptionScheduleStatus', 'SCHEDULED', 'PENDING_PAYMENT CANCELED DONE FAILED'],
    [
      'SubscriptionScheduleType',
      'DOWNGRADE PLAN BILLING_PERIOD UNIT_AMOUNT ADDON MIGRATE_TO_LATEST',
      'RECURRING_CREDITS PRICE_OVERRIDE COUPON ADDITIONAL_META_DATA BILLING_INFO_METADATA',
    ],
    ['ProvisionSubscriptionStatus', 'SUCCESS PAYMENT_REQUIRED', ''],
    ['UsageUpdateBehavior', 'DELTA SET', ''],
    ['UsageInterval', 'HOUR DAY WEEK MONTH', ''],
    ['UsageHistoryMarkerType', 'PERIODIC_RESET SUBSCRIPTION_CHANGE_RESET', ''],
    [
      'AccessDeniedReason',
      `FeatureNotFound CustomerNotFound CustomerIsArchived CustomerResourceNotFound NoActiveSubscription
        NoFeatureEntitlementInSubscription RequestedUsageExceedingLimit RequestedValuesMismatch BudgetExceeded
        FeatureTypeMismatch Revoked`,
      'InsufficientCredits EntitlementNotFound Unknown',
    ],
  ])('%s', (name, needed, known) => {
    const type = apiSchema.getType(name);
    const values = isEnumType(type) ? type.getValues().map((value) => value.name) : [];
    const neededNames = needed.split(/\s+/);
    expect(values).toEqual(expect.arrayContaining(neededNames));
    expect([...neededNames, ...known.split(' ')]).toEqual(expect.arrayContaining(values));
  });
});

interface Shape {
  /** The named type, in brackets where it is a list. */
  readonly type: string;
  readonly required: boolean;
}

/** One row for each field and argument of the definitions: its path, its type, and whether it has to be given. */
function uses(definitions: string): readonly [path: string, type: string, required: boolean][] {
  return parse(definitions).definitions.flatMap((definition) => {
    if (!('fields' in definition) || !('name' in definition) || definition.name === undefined) return [];
    const owner = definition.name.value;
    return (definition.fields ?? []).flatMap((field): [string, string, boolean][] => {
      const path = `${owner}.${field.name.value}`;
      const isInput = field.kind === Kind.INPUT_VALUE_DEFINITION;
      const own: [string, string, boolean] = [path, spelled(field.type), isInput && isNonNull(field.type)];
      const args = 'arguments' in field ? (field.arguments ?? []) : [];
      return [
        own,
        ...args.map((argument): [string, string, boolean] => [
          `${path}.${argument.name.value}`,
          spelled(argument.type),
          isNonNull(argument.type),
        ]),
      ];
    });
  });
}

function typesOf(definitions: string): readonly string[] {
  return [...new Set(uses(definitions).map(([path]) => path.split('.')[0] ?? ''))];
}

function spelled(node: TypeNode): string {
  if (node.kind === Kind.NON_NULL_TYPE) return spelled(node.type);
  return node.kind === Kind.LIST_TYPE ? `[${spelled(node.type)}]` : node.name.value;
}

function isNonNull(node: TypeNode): boolean {
  return node.kind === Kind.NON_NULL_TYPE;
}

/** `Type.field` or `Type.field.argument`, as it is served; undefined where there is none. */
function shapeAt(schema: GraphQLSchema, path: string): Shape | undefined {
  const [owner = '', name = '', argumentName] = path.split('.');
  const type: GraphQLNamedType | undefined = schema.getType(owner);
  if (isInputObjectType(type)) {
    const field = type.getFields()[name];
    return field && { type: withoutNonNull(field.type), required: isRequiredInputField(field) };
  }
  if (!isObjectType(type) && !isInterfaceType(type)) return undefined;
  const field = type.getFields()[name];
  if (argumentName === undefined) return field && { type: withoutNonNull(field.type), required: false };
  const argument = field?.args.find((candidate) => candidate.name === argumentName);
  return argument && { type: withoutNonNull(argument.type), required: isRequiredArgument(argument) };
}

function withoutNonNull(type: GraphQLType): string {
  return String(type).replaceAll('!', '');
}
