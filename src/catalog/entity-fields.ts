/** The fields that everything in the catalog has, and what they may hold. */

export const entityLimits = {
  /** Characters of names and units. */
  nameLengthMax: 255,
  descriptionLengthMax: 4_000,
} as const;

const refIdPattern = /^[a-zA-Z0-9][a-zA-Z0-9_|.-]{0,254}$/;

/** Null and undefined mean that nothing was said. */
export function isGiven<T>(value: T | null | undefined): value is T & {} {
  return value !== null && value !== undefined;
}

export function refIdProblem(refId: string, field = 'refId'): string | undefined {
  return refIdPattern.test(refId)
    ? undefined
    : `${field} must be 1 to 255 characters: letters, digits, _ | . and -, the first one a letter or digit`;
}

export function namesProblem(names: Readonly<Record<string, string | null | undefined>>): string | undefined {
  const { nameLengthMax } = entityLimits;
  for (const [field, text] of Object.entries(names)) {
    if (isGiven(text) && (text === '' || text.length > nameLengthMax)) {
      return `${field} must have 1 to ${nameLengthMax} characters`;
    }
  }
  return undefined;
}

export function descriptionProblem(description: string | null | undefined): string | undefined {
  const { descriptionLengthMax } = entityLimits;
  return (description ?? '').length > descriptionLengthMax
    ? `description must have at most ${descriptionLengthMax} characters`
    : undefined;
}
