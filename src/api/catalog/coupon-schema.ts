export const couponTypeDefs = /* GraphQL */ `
  extend type Query {
    "The coupon with this name; the error VALIDATION_ERROR when there is none. Archived ones are answered, too."
    coupon(
      "The coupon's UUID or refId. Either this or \`refId\` is required."
      id: String
      "The coupon's refId or UUID."
      refId: String
    ): Coupon

    "Coupons, oldest first unless sorted otherwise."
    coupons(
      "Only coupons that meet every condition given; without one on the status, none that is archived."
      filter: CouponFilter
      "Which page of them."
      paging: CursorPaging
      "The order; only its first entry counts."
      sorting: [CatalogSort!]
    ): CouponConnection
  }

  extend type Mutation {
    "Creates a coupon. The error DUPLICATE_ENTITY when the refId is taken; there are at most 10,000 coupons."
    createCoupon(
      "The coupon."
      input: CreateCouponInput!
    ): Coupon

    "Changes name, description and metadata of a coupon. What it takes off never changes: create another one for that."
    updateCoupon(
      "Which coupon, and the fields that change."
      input: UpdateCouponInput!
    ): Coupon

    "Archives a coupon: whoever has it keeps it, nobody can be given it anew. Doing it again changes nothing."
    archiveCoupon(
      "Which coupon."
      input: ArchiveCouponInput!
    ): Coupon
  }

  "A discount that customers and subscriptions can have."
  type Coupon {
    "The UUID that Tollgate gave."
    id: ID!
    "The caller's own name for the coupon. It never changes."
    refId: String!
    "The name that people see."
    name: String!
    "What the coupon is for."
    description: String
    "Whether it takes off amounts or a percentage."
    type: CouponType!
    "The percentage that it takes off, above 0 and up to 100; null for FIXED coupons."
    percentOff: Decimal
    "The amounts that it takes off, one for each currency; null for PERCENTAGE coupons."
    amountsOff: [Money!]
    "For how many months it holds once it is given; null for ever."
    durationInMonths: Int
    "Whether it can be given."
    status: CouponStatus!
    "The caller's own data."
    additionalMetaData: JSON
    "When the coupon was created."
    createdAt: DateTime!
    "When the coupon last changed."
    updatedAt: DateTime!
  }

  "What a coupon takes off."
  enum CouponType {
    "A fixed amount."
    FIXED
    "A percentage."
    PERCENTAGE
  }

  "Whether a coupon can be given."
  enum CouponStatus {
    "It can."
    ACTIVE
    "It can no more; whoever has it keeps it."
    ARCHIVED
  }

  "A coupon to create. It has either \`percentOff\` or \`amountsOff\`."
  input CreateCouponInput {
    "The caller's own name: 1 to 255 letters, digits, \`_\`, \`|\`, \`.\` and \`-\`, the first one a letter or digit."
    refId: String!
    "The name that people see, 1 to 255 characters."
    name: String!
    "What the coupon is for, at most 4,000 characters."
    description: String
    "Follows from what the coupon takes off when it is absent."
    type: CouponType
    "The percentage that it takes off, above 0 and up to 100."
    percentOff: Decimal
    "The amounts that it takes off, each above 0 and of another currency; 1 to 200."
    amountsOff: [MoneyInput!]
    "For how many months it holds once it is given, 1 to 1,200; for ever when absent."
    durationInMonths: Int
    "The caller's own data: an object, at most 16 KiB of JSON."
    additionalMetaData: JSON
  }

  "Fields of a coupon to change. An absent field stays as it is; null clears it."
  input UpdateCouponInput {
    "The coupon's refId or UUID."
    refId: String!
    "The name that people see, 1 to 255 characters. It cannot be cleared."
    name: String
    "What the coupon is for, at most 4,000 characters."
    description: String
    "The caller's own data: an object, at most 16 KiB of JSON. It replaces what was there."
    additionalMetaData: JSON
  }

  "Names the coupon to archive."
  input ArchiveCouponInput {
    "The coupon's refId or UUID."
    refId: String!
  }

  "Conditions on coupons, all of which must hold."
  input CouponFilter {
    "On the status."
    status: CouponStatusFilter
    "On when the coupon was created."
    createdAt: DateTimeFilter
  }

  "A condition on a coupon's status."
  input CouponStatusFilter {
    "This status."
    eq: CouponStatus
  }

  "A page of coupons."
  type CouponConnection {
    "The coupons of this page, with their cursors."
    edges: [CouponEdge!]!
    "Where the page lies in the list."
    pageInfo: PageInfo!
    "How many coupons meet the filter, on all pages."
    totalCount: Int!
  }

  "A coupon and its place in the list."
  type CouponEdge {
    "The place in the list; stays valid."
    cursor: String!
    "The coupon."
    node: Coupon!
  }
`;
