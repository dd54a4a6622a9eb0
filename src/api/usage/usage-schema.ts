export const usageTypeDefs = /* GraphQL */ `
  extend type Query {
    """
    Usage of a feature by a customer over a span of time. Every event and measurement counts in the interval of
    its own timestamp, also when it came late. Errors: CUSTOMER_NOT_FOUND, FEATURE_NOT_FOUND.
    """
    usageHistoryV2(
      "Whose usage of what, when, and how to cut it up."
      input: UsageHistoryV2Input!
    ): UsageHistoryV2

    "The log of reported events and measurements, newest first."
    measurements(
      "Only entries that meet every condition given."
      filter: ReportedUsageFilter
      "Which page of them."
      paging: CursorPaging
    ): ReportedUsageConnection
  }

  extend type Mutation {
    """
    Reports usage that the application calculated itself. Answers once the measurement is processed, with the
    usage that includes it. The same idempotencyKey counts once: sent again, the first answer comes back with
    \`duplicate\` true. After the error ACK_PENDING it is safe to send it again with the same idempotencyKey.
    """
    reportUsage(
      "The measurement."
      input: ReportUsageInput!
    ): UsageMeasurementWithCurrentUsage

    """
    As \`reportUsage\`, for 1 to 1,000 measurements. The answers come in the order sent; one that fails is null in
    its place and an error with its path, changes nothing, and costs its neighbours nothing.
    """
    reportUsageBulk(
      "The measurements."
      input: ReportUsageBulkInput!
    ): [UsageMeasurementWithCurrentUsage]

    """
    Reports raw events, 1 to 10,000 a call. Answers null without errors once all are durable. One that is rejected
    costs its neighbours nothing: the others are taken, and the error's \`extensions.details\` lists the rejected
    ones by index, code and message.
    """
    reportEvent(
      "The events."
      events: UsageEventsReportInput!
    ): Void
  }

  "Usage that the application calculated itself."
  input ReportUsageInput {
    "The customer's refId."
    customerId: String!
    "The refId of a metered feature without a meter."
    featureId: String!
    "The amount; negative amounts give back."
    value: Decimal!
    "What the amount does to the usage so far."
    updateBehavior: UsageUpdateBehavior = DELTA
    "The resource of the customer that the usage belongs to, 1 to 255 characters."
    resourceId: String
    "When it happened: at most 24 hours ahead, in the past as far as wanted. The time of receipt when absent."
    createdAt: DateTime
    "Further data about the usage: an object of strings, numbers and booleans."
    dimensions: JSON
    "Names this measurement, 1 to 255 characters, so that repeating it counts once."
    idempotencyKey: String
    "Whether to record nothing and answer ENTITLEMENT_LIMIT_EXCEEDED when the usage would pass a hard limit."
    rejectIfExceeded: Boolean = false
  }

  "What a measurement does to the usage so far."
  enum UsageUpdateBehavior {
    "Adds to it."
    DELTA
    "Replaces what was before it; later DELTAs add to it."
    SET
  }

  "Several measurements."
  input ReportUsageBulkInput {
    "The measurements, 1 to 1,000."
    usages: [ReportUsageInput!]!
  }

  "A measurement that was processed, with the usage that includes it."
  type UsageMeasurementWithCurrentUsage {
    "The measurement's UUID."
    id: ID!
    "The same as \`id\`."
    measurementId: ID!
    "The customer's refId."
    customerId: String!
    "The feature's refId."
    featureId: String!
    "The resource, when one was given."
    resourceId: String
    "The amount reported."
    value: Decimal!
    "When it happened."
    timestamp: DateTime!
    """
    Usage of the feature right after this measurement, as the entitlement that usageLimit is of counts it: in its
    current usage period, and of the resource where the entitlement is the resource's, else of the customer over all
    resources and none. So it is the usage that \`entitlement\` answers for the same resource. Where nothing is granted
    it is of all time, and of the resource when one was given. In the units of the feature's unitTransformation.
    """
    currentUsage: Decimal!
    "The usage that is granted; null without a limit."
    usageLimit: Decimal
    "The start of the current usage period; null when usage is not reset."
    usagePeriodStart: DateTime
    "The end of the current usage period, which is not part of it; null when usage is not reset."
    usagePeriodEnd: DateTime
    "When usage is reset next; null when it is not."
    nextResetDate: DateTime
    "Whether this had been counted before; the other fields are then those of the first time."
    duplicate: Boolean!
  }

  "Raw events to report."
  input UsageEventsReportInput {
    "The events, 1 to 10,000."
    events: [UsageEventReportInput!]!
  }

  """
  A raw event. customerId, resourceId, eventName and idempotencyKey together name it: the same again counts once.
  """
  input UsageEventReportInput {
    "The customer's refId. Events of one who is not yet provisioned are kept, and count afterwards."
    customerId: String!
    "What happened, 1 to 255 characters; meters filter by it."
    eventName: String!
    "Names this event, 1 to 255 characters."
    idempotencyKey: String!
    "The resource of the customer that the event belongs to, 1 to 255 characters."
    resourceId: String
    "When it happened: at most 24 hours ahead, in the past as far as wanted. The time of receipt when absent."
    timestamp: DateTime
    "Data about the event, which meters filter by and aggregate: an object of strings, numbers and booleans."
    dimensions: JSON
  }

  "Whose usage of what, when, and how to cut it up."
  input UsageHistoryV2Input {
    "The customer's refId."
    customerId: String!
    "The feature's refId or UUID."
    featureId: String!
    "One resource of the customer; all of them together when absent."
    resourceId: String
    "The start, which is part of the span."
    startDate: DateTime!
    "The end, which is not part of the span; now when absent."
    endDate: DateTime
    "A dimension: one series for each of its 50 largest values, and one for the rest."
    groupBy: String
    "The length of an interval. A span has at most 10,000 of them, 1,000 with groupBy."
    interval: UsageInterval = DAY
    "The time zone by whose calendar intervals begin, as an IANA name such as Europe/Berlin."
    timezone: String = "UTC"
    "What was known then: without what reached Tollgate later, and without corrections made later. Now when absent."
    asOf: DateTime
  }

  "The length of an interval."
  enum UsageInterval {
    "An hour, from its first minute on."
    HOUR
    "A day, from midnight on."
    DAY
    "A week, from Monday's midnight on."
    WEEK
    "A month, from its first midnight on."
    MONTH
  }

  "Usage over a span of time."
  type UsageHistoryV2 {
    "Usage over the whole span."
    totalUsage: Decimal!
    "The usage of each interval with its bounds, oldest first, whatever it is grouped by."
    periods: [UsageHistoryPeriod!]!
    "Usage by interval, for each value of groupBy; a single series without it."
    series: [UsageHistorySeries!]!
    """
    Moments at which usage began again from 0, oldest first, by what the customer is and was entitled to: the
    newest 10,000 of the span that have come. Totals and periods are not cut at them.
    """
    markers: [UsageHistoryMarker!]!
    "Whether groupBy met more than 50 values, so that the series \`other\` holds the rest."
    truncated: Boolean!
  }

  "Usage in one interval."
  type UsageHistoryPeriod {
    "The start, which is part of the interval."
    periodStart: DateTime!
    "The end, which is not part of the interval."
    periodEnd: DateTime!
    "The usage."
    usage: Decimal!
  }

  "Usage by interval."
  type UsageHistorySeries {
    "What this series is about; empty without groupBy."
    tags: [UsageHistoryTag!]!
    "One point an interval, oldest first."
    points: [UsageHistoryPoint!]!
  }

  "A dimension and its value."
  type UsageHistoryTag {
    "The dimension."
    key: String!
    "Its value."
    value: String!
  }

  "Usage in one interval."
  type UsageHistoryPoint {
    "The interval's start."
    timestamp: DateTime!
    "The usage in it."
    value: Decimal!
    "Whether usage began again from 0 in it: whether one of the markers lies in it."
    isResetPoint: Boolean!
  }

  "A moment at which usage began again from 0."
  type UsageHistoryMarker {
    "The moment."
    timestamp: DateTime!
    "Why."
    type: UsageHistoryMarkerType!
  }

  "Why usage began again from 0."
  enum UsageHistoryMarkerType {
    "A usage period ended."
    PERIODIC_RESET
    "The customer's subscription changed, and the product's usageResetCutoffRule did not let usage go on."
    SUBSCRIPTION_CHANGE_RESET
  }

  "Conditions on reported events and measurements, all of which must hold."
  input ReportedUsageFilter {
    "The customer's refId."
    customerId: String
    "The refId of a feature: its measurements."
    featureId: String
    "The name of events."
    eventName: String
    "It happened at this instant or later."
    from: DateTime
    "It happened before this instant."
    to: DateTime
  }

  "A page of reported events and measurements."
  type ReportedUsageConnection {
    "The entries of this page, with their cursors."
    edges: [ReportedUsageEdge!]!
    "Where the page lies in the log."
    pageInfo: PageInfo!
  }

  "A place in the log."
  type ReportedUsageEdge {
    "The place, for \`after\` and \`before\`. It stays valid."
    cursor: String!
    "The entry."
    node: ReportedUsage!
  }

  "An event or measurement as it was reported."
  type ReportedUsage {
    "Names the entry in this log; for a measurement, the id that its acknowledgement had."
    id: ID!
    "What it is."
    kind: ReportedUsageKind!
    "What became of it."
    state: ReportedUsageState!
    "The customer's refId."
    customerId: String!
    "The resource, when one was given."
    resourceId: String
    "An event's name."
    eventName: String
    "The refId of a measurement's feature."
    featureId: String
    "The caller's name for it, when one was given."
    idempotencyKey: String
    "A measurement's amount."
    value: Decimal
    "What a measurement does to the usage so far."
    updateBehavior: UsageUpdateBehavior
    "When it happened."
    timestamp: DateTime!
    "When it reached Tollgate."
    receivedAt: DateTime!
    "Its data, as an object of strings."
    dimensions: JSON!
    "Its corrections, oldest first. All else is told as it was reported; what counts instead stands here."
    corrections: [UsageCorrection!]!
  }

  "What was reported."
  enum ReportedUsageKind {
    "A raw event."
    EVENT
    "Usage that the application calculated itself."
    MEASUREMENT
  }

  "What became of what was reported."
  enum ReportedUsageState {
    "It counts, for every meter that it meets."
    COUNTED
    "It does not count: the same identity had been reported before, with other content."
    CONFLICT
    "It was taken back and does not count. Its identity stays claimed: the same again is a duplicate."
    VOIDED
    "It counts, otherwise than it was reported: as its newest correction says."
    AMENDED
  }
`;
