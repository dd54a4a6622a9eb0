export const correctionTypeDefs = /* GraphQL */ `
  extend type Mutation {
    """
    Takes back an event or a measurement that should not have been reported: it counts nowhere any more, in no
    meter and no period. Answers once every figure heeds it. What was reported stays in the log, and its identity
    stays claimed: sent again with the same idempotencyKey it is a duplicate and does not count either; send it
    with another one, or amend it. After the error ACK_PENDING it is safe to repeat the call as it is. Errors:
    VALIDATION_ERROR where no entry, or more than one, is named so.
    """
    voidMeasurement(
      "What to take back, and why."
      input: VoidMeasurementInput!
    ): ReportedUsage

    """
    Puts right an event or a measurement that was reported wrongly: from then on it counts as if it had been
    reported so, in every meter and in the period of its new timestamp. What is not given stays as it counted
    last. The newest correction of an entry decides, so that amending counts again what was voided. Answers and
    errors as \`voidMeasurement\`.
    """
    amendMeasurement(
      "What to put right, how, and why."
      input: AmendMeasurementInput!
    ): ReportedUsage
  }

  """
  Names an entry of \`measurements\`: by its id, or by customerId, eventName or featureId, and idempotencyKey.
  """
  input VoidMeasurementInput {
    "The entry's id."
    id: ID
    "The customer's refId. Beside an id it may be left out; with it the entry is found faster."
    customerId: String
    "The name of an event."
    eventName: String
    "The refId or UUID of a measurement's feature."
    featureId: String
    "The key that it was reported with."
    idempotencyKey: String
    "The timestamp that it was reported with, where one key was used at several times."
    timestamp: DateTime
    "Why, in 1 to 1,000 characters: for whoever reads the log."
    reason: String!
  }

  """
  Names an entry of \`measurements\`, as \`VoidMeasurementInput\` does, and what of it is to be different.
  """
  input AmendMeasurementInput {
    "The entry's id."
    id: ID
    "The customer's refId. Beside an id it may be left out; with it the entry is found faster."
    customerId: String
    "The name of an event."
    eventName: String
    "The refId or UUID of a measurement's feature."
    featureId: String
    "The key that it was reported with."
    idempotencyKey: String
    "The timestamp that it was reported with, where one key was used at several times."
    reportedTimestamp: DateTime
    "Why, in 1 to 1,000 characters: for whoever reads the log."
    reason: String!
    "The right amount of a measurement. An event has none: amend the dimension that meters aggregate."
    value: Decimal
    "The right data, all of it: an object of strings, numbers and booleans that takes the place of the old."
    dimensions: JSON
    "When it really happened: at most 24 hours ahead."
    timestamp: DateTime
  }

  "A correction of an event or a measurement. Usage heeds the newest one."
  type UsageCorrection {
    "Names the correction."
    id: ID!
    "What it does."
    kind: UsageCorrectionKind!
    "Why it was made."
    reason: String!
    "When it was made."
    at: DateTime!
    "The short id of the API key that made it."
    actor: String!
    "What counted before; null when nothing did."
    before: CorrectedUsage
    "What counts from then on; null when nothing does."
    after: CorrectedUsage
  }

  "What a correction does."
  enum UsageCorrectionKind {
    "It takes the entry back."
    VOID
    "It counts the entry otherwise."
    AMEND
  }

  "What of an event or a measurement can be corrected."
  type CorrectedUsage {
    "When it happened."
    timestamp: DateTime!
    "A measurement's amount."
    value: Decimal
    "Its data, as an object of strings."
    dimensions: JSON!
  }
`;
