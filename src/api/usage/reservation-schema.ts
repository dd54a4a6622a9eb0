export const reservationTypeDefs = /* GraphQL */ `
  extend type Mutation {
    """
    Holds usage back for a while, before it is known how much is used in the end: what is reserved counts against the
    limit for every check, \`rejectIfExceeded\` and reservation, and is not usage yet. It ends by \`commitUsage\`,
    \`releaseUsage\`, or by itself. Beyond a hard limit nothing is reserved, and the error is
    ENTITLEMENT_LIMIT_EXCEEDED. For features whose usage is reported, not metered from events. A customer may have
    1,000 active reservations of a feature.
    """
    reserveUsage(
      "How much of what, and for how long."
      input: ReserveUsageInput!
    ): UsageReservation

    """
    Records what was used of a reservation as a measurement, and ends it. It commits once: the same again answers the
    first measurement with \`duplicate\` true. Errors: NOT_FOUND; VALIDATION_ERROR when it has expired or was released;
    DUPLICATE_ENTITY when it was committed with another amount.
    """
    commitUsage(
      "The reservation, and how much was used."
      input: CommitUsageInput!
    ): UsageMeasurementWithCurrentUsage

    """
    Ends a reservation without recording anything. One that has ended already stays as it is, and its status tells how
    it ended. Errors: NOT_FOUND.
    """
    releaseUsage(
      "The reservation."
      input: ReleaseUsageInput!
    ): UsageReservation
  }

  "Usage to hold back."
  input ReserveUsageInput {
    "The customer's refId."
    customerId: String!
    "The refId of a metered feature without a meter."
    featureId: String!
    "How much, above 0; at most this much can be committed."
    amount: Decimal!
    "The resource of the customer that is to use it, 1 to 255 characters."
    resourceId: String
    "After how many seconds it expires: 1 to 86,400."
    ttlSeconds: Int = 300
    """
    Names this reservation, 1 to 255 characters: the same again answers the same reservation, until an hour after it
    has ended. Without one, a reservation whose answer is lost counts until it expires.
    """
    idempotencyKey: String
  }

  "What was used of a reservation."
  input CommitUsageInput {
    "The reservation's id."
    reservationId: String!
    "How much was used: 0 up to what is reserved. All of it when absent."
    amount: Decimal
    "Further data about the usage: an object of strings, numbers and booleans."
    dimensions: JSON
  }

  "A reservation to end."
  input ReleaseUsageInput {
    "The reservation's id."
    reservationId: String!
  }

  "Usage that is held back, or was."
  type UsageReservation {
    "The reservation's UUID."
    id: ID!
    "The same as \`id\`."
    reservationId: ID!
    "The customer's refId."
    customerId: String!
    "The feature's refId."
    featureId: String!
    "The resource, when one was given."
    resourceId: String
    "The amount reserved."
    amount: Decimal!
    "Whether it counts, and how it ended."
    status: UsageReservationStatus!
    "From this moment on it counts no more, if nothing ends it before."
    expiresAt: DateTime!
    "Usage that the limit is compared with, in the limit's units; no reservation is in it."
    currentUsage: Decimal!
    "What all active reservations add to it."
    reservedUsage: Decimal!
    "The usage that is granted; null without a limit."
    usageLimit: Decimal
    "Whether the same had been reserved before."
    duplicate: Boolean!
  }

  "What became of a reservation."
  enum UsageReservationStatus {
    "It counts against the limit."
    ACTIVE
    "What was used of it is recorded."
    COMMITTED
    "It was given back."
    RELEASED
    "Its time is over, and nothing was recorded."
    EXPIRED
  }
`;
