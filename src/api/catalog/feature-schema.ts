export const featureTypeDefs = /* GraphQL */ `
  extend type Query {
    "The feature with this name; the error FEATURE_NOT_FOUND when there is none."
    feature(
      "The feature's UUID or refId. Either this or \`refId\` is required."
      id: String
      "The feature's refId or UUID."
      refId: String
    ): Feature

    "All features, oldest first unless sorted otherwise."
    features(
      "Only features that meet every condition given."
      filter: FeatureFilter
      "Which page of them."
      paging: CursorPaging
      "The order; only its first entry counts."
      sorting: [FeatureSort!]
    ): FeatureConnection
  }

  extend type Mutation {
    """
    Creates a feature. With a meter, events count that were reported before, too. The error DUPLICATE_ENTITY when
    the refId is taken; a catalog holds at most 10,000 features.
    """
    createFeature(
      "The feature."
      input: CreateFeatureInput!
    ): Feature

    """
    Changes the given fields of a feature and leaves the others. A changed meter counts anew whatever events are
    kept. What kind of feature it is never changes, and values of an ENUM feature are only added.
    """
    updateFeature(
      "Which feature, and the fields that change."
      input: UpdateFeatureInput!
    ): Feature

    """
    Archives a feature, which makes it SUSPENDED: it is granted to nobody, and no package can grant it or charge for
    it anew. Its usage is counted on. Doing it again changes nothing.
    """
    archiveFeature(
      "Which feature."
      input: ArchiveFeatureInput!
    ): Feature
  }

  "Something that plans can grant and, when it is metered, usage can be counted of."
  type Feature {
    "The UUID that Tollgate gave."
    id: ID!
    "The caller's own name for the feature. It never changes."
    refId: String!
    "The name that people see."
    displayName: String!
    "What the feature is."
    description: String
    "What kind of value the feature has."
    featureType: FeatureType!
    "Whether and how usage is counted."
    meterType: MeterType!
    "What one of it is called, such as \`call\`."
    featureUnits: String
    "What several of it are called, such as \`calls\`."
    featureUnitsPlural: String
    "The values that an ENUM feature can have."
    enumConfiguration: [FeatureEnumValue!]
    "How counted units become those that are shown and billed."
    unitTransformation: UnitTransformation
    "How raw events become usage; null when the application reports usage itself."
    meter: Meter
    "Where the feature stands in its life."
    featureStatus: FeatureStatus!
    "The caller's own data: an object of strings."
    additionalMetaData: JSON
    "When the feature was created."
    createdAt: DateTime!
    "When the feature last changed."
    updatedAt: DateTime!
  }

  "What kind of value a feature has."
  enum FeatureType {
    "There or not."
    BOOLEAN
    "A number: a fixed one, or usage when the feature is metered."
    NUMBER
    "One or more of a list of values."
    ENUM
  }

  "Whether and how usage of a feature is counted."
  enum MeterType {
    "Not counted."
    None
    "It goes up and down, as seats do."
    FLUCTUATING
    "It adds up, as API calls do."
    INCREMENTAL
  }

  "Where a feature stands in its life."
  enum FeatureStatus {
    "Created, and in no published plan yet."
    NEW
    "In use."
    ACTIVE
    "Granted to nobody for now."
    SUSPENDED
  }

  "A value that an ENUM feature can have."
  type FeatureEnumValue {
    "The value that programs see."
    value: String!
    "The name that people see."
    displayName: String!
  }

  "How counted units become those that are shown and billed: the count divided, then rounded to a whole number."
  type UnitTransformation {
    "The divisor, above 0."
    divide: Decimal!
    "How the quotient becomes a whole number."
    round: UnitTransformationRound!
    "What one of the result is called."
    featureUnits: String
    "What several of the result are called."
    featureUnitsPlural: String
  }

  "How a quotient becomes a whole number."
  enum UnitTransformationRound {
    "To the next whole number up."
    UP
    "To the next whole number down."
    DOWN
  }

  "How raw events become usage of a feature."
  type Meter {
    "What is made of the events that count."
    aggregation: MeterAggregation!
    "Which events count: those that meet one of these; all events when there is none."
    filters: [MeterFilter!]!
  }

  "What is made of the events that count."
  type MeterAggregation {
    "The function."
    function: AggregationFunction!
    "The dimension that the function is applied to; null for COUNT."
    field: String
  }

  "What a meter makes of events."
  enum AggregationFunction {
    "The number of events."
    COUNT
    "The sum of a dimension. Events whose dimension is missing or no number do not count."
    SUM
    "The largest value of a dimension. Events whose dimension is missing or no number do not count."
    MAX
    "The smallest value of a dimension. Events whose dimension is missing or no number do not count."
    MIN
    "The average of a dimension. Events whose dimension is missing or no number do not count."
    AVG
    "The number of different values of a dimension, told apart by their text. Exact."
    UNIQUE
  }

  "Conditions on an event, all of which must hold."
  type MeterFilter {
    "The conditions."
    conditions: [MeterCondition!]!
  }

  "A condition on one field of an event."
  type MeterCondition {
    "A dimension, or \`eventName\` for the event's own name."
    field: String!
    "How the field is compared."
    operation: FilterOperation!
    "What the field is compared with; null for IN, IS_NULL and IS_NOT_NULL."
    value: String
    "What IN compares with; null for the others."
    values: [String!]
  }

  """
  How a field of an event is compared. EQUALS, NOT_EQUALS and IN compare as numbers when both sides are numbers,
  else as texts. A missing field meets only IS_NULL and NOT_EQUALS.
  """
  enum FilterOperation {
    "Equal to the value."
    EQUALS
    "Not equal to the value, or missing."
    NOT_EQUALS
    "A number above the value."
    GREATER_THAN
    "A number, the value or above."
    GREATER_THAN_OR_EQUAL
    "A number below the value."
    LESS_THAN
    "A number, the value or below."
    LESS_THAN_OR_EQUAL
    "Missing."
    IS_NULL
    "There, whatever it is."
    IS_NOT_NULL
    "A text with the value somewhere in it."
    CONTAINS
    "A text that begins with the value."
    STARTS_WITH
    "A text that ends with the value."
    ENDS_WITH
    "Equal to one of the values."
    IN
  }

  "A feature to create."
  input CreateFeatureInput {
    "The caller's own name: 1 to 255 letters, digits, \`_\`, \`|\`, \`.\` and \`-\`, the first one a letter or digit."
    refId: String!
    "The name that people see, 1 to 255 characters."
    displayName: String!
    "What the feature is, at most 4,000 characters."
    description: String
    "What kind of value the feature has."
    featureType: FeatureType!
    "Whether and how usage is counted. When absent: INCREMENTAL with a meter, None without."
    meterType: MeterType
    "What one of it is called, 1 to 255 characters."
    featureUnits: String
    "What several of it are called, 1 to 255 characters."
    featureUnitsPlural: String
    "The values of an ENUM feature, 1 to 500 different ones; for no other type."
    enumConfiguration: [FeatureEnumValueInput!]
    "How counted units become those that are shown and billed; for metered features only."
    unitTransformation: UnitTransformationInput
    "How raw events become usage. Without it, the application reports usage itself."
    meter: MeterInput
    "The caller's own data: an object of strings, at most 16 KiB of JSON."
    additionalMetaData: JSON
  }

  "Fields of a feature to change. An absent field stays as it is; null clears it."
  input UpdateFeatureInput {
    "The feature's refId or UUID."
    refId: String!
    "The name that people see, 1 to 255 characters. It cannot be cleared."
    displayName: String
    "What the feature is, at most 4,000 characters."
    description: String
    "What one of it is called, 1 to 255 characters."
    featureUnits: String
    "What several of it are called, 1 to 255 characters."
    featureUnitsPlural: String
    "All values of an ENUM feature: those that it has, and new ones. Names may change."
    enumConfiguration: [FeatureEnumValueInput!]
    "How counted units become those that are shown and billed; for metered features only."
    unitTransformation: UnitTransformationInput
    "How raw events become usage; for metered features only. Null: the application reports usage itself."
    meter: MeterInput
    "The caller's own data: an object of strings, at most 16 KiB of JSON. It replaces what was there."
    additionalMetaData: JSON
  }

  "Names the feature to archive."
  input ArchiveFeatureInput {
    "The feature's refId or UUID."
    refId: String!
  }

  "A value that an ENUM feature can have."
  input FeatureEnumValueInput {
    "The value that programs see, 1 to 255 characters."
    value: String!
    "The name that people see, 1 to 255 characters."
    displayName: String!
  }

  "How counted units become those that are shown and billed."
  input UnitTransformationInput {
    "The divisor, above 0."
    divide: Decimal!
    "How the quotient becomes a whole number."
    round: UnitTransformationRound = UP
    "What one of the result is called, 1 to 255 characters."
    featureUnits: String
    "What several of the result are called, 1 to 255 characters."
    featureUnitsPlural: String
  }

  "How raw events become usage of a feature. All texts together have at most 64 KiB."
  input MeterInput {
    "What is made of the events that count."
    aggregation: MeterAggregationInput!
    "Which events count: those that meet one of these, at most 20; all events when absent."
    filters: [MeterFilterInput!]
  }

  "What is made of the events that count."
  input MeterAggregationInput {
    "The function."
    function: AggregationFunction!
    "The dimension that the function is applied to, 1 to 1,000 characters; required by all functions but COUNT."
    field: String
  }

  "Conditions on an event, all of which must hold."
  input MeterFilterInput {
    "The conditions, 1 to 50."
    conditions: [MeterConditionInput!]!
  }

  "A condition on one field of an event."
  input MeterConditionInput {
    "A dimension, or \`eventName\` for the event's own name; 1 to 1,000 characters."
    field: String!
    "How the field is compared."
    operation: FilterOperation!
    "What the field is compared with, at most 1,000 characters. A number where the operation orders."
    value: String
    "What IN compares with, 1 to 1,000 texts."
    values: [String!]
  }

  "Conditions on features, all of which must hold."
  input FeatureFilter {
    "On the refId."
    refId: StringFilter
    "On the type."
    featureType: FeatureTypeFilter
    "On whether and how usage is counted."
    meterType: MeterTypeFilter
  }

  "A condition on a feature's type."
  input FeatureTypeFilter {
    "This type."
    eq: FeatureType
  }

  "A condition on whether and how usage is counted."
  input MeterTypeFilter {
    "This one."
    eq: MeterType
  }

  "An order of features."
  input FeatureSort {
    "What to sort by; equal ones are sorted by refId."
    field: FeatureSortField!
    "The direction."
    direction: SortDirection!
  }

  "What features can be sorted by."
  enum FeatureSortField {
    "When the feature was created."
    createdAt
  }

  "A page of features."
  type FeatureConnection {
    "The features of this page, with their cursors."
    edges: [FeatureEdge!]!
    "Where the page lies in the list."
    pageInfo: PageInfo!
    "How many features meet the filter, on all pages."
    totalCount: Int!
  }

  "A feature's place in a list."
  type FeatureEdge {
    "The place, for \`after\` and \`before\`. It stays valid."
    cursor: String!
    "The feature."
    node: Feature!
  }
`;
