import type { IntakeRefusal } from '../metering/intake.ts';
import type { ProblemCode } from '../metering/facts.ts';

/**
 * An expected failure of a field, thrown by its resolver (or returned in place of one item of a list) because
 * that is how GraphQL carries errors. Its message and details are for the caller; everything else that a
 * resolver throws is masked as INTERNAL.
 */
export class ApiProblem extends Error {
  readonly code: ProblemCode;
  /** Added to the error's `extensions`. */
  readonly extensions: Readonly<Record<string, unknown>>;

  constructor(code: ProblemCode, message: string, extensions: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.code = code;
    this.extensions = extensions;
  }
}

export function refusalProblem(refusal: IntakeRefusal): ApiProblem {
  const { code, message, retryAfterSeconds } = refusal;
  return new ApiProblem(code, message, { retryAfterSeconds });
}

export function customerNotFound(customerId: string): ApiProblem {
  return new ApiProblem('CUSTOMER_NOT_FOUND', `no customer has the refId ${JSON.stringify(customerId)}`);
}

export function featureNotFound(featureId: string): ApiProblem {
  return new ApiProblem('FEATURE_NOT_FOUND', `no feature has the refId or id ${JSON.stringify(featureId)}`);
}
