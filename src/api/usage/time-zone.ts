/**
 * A time zone's IANA name in its canonical spelling, or undefined when it is no zone. ICU takes names in any
 * letter case and offsets such as +01:00 too; ClickHouse takes neither.
 */
export function canonicalTimeZone(name: string): string | undefined {
  if (!/^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/.test(name)) return undefined;
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone;
  } catch {
    return undefined;
  }
}
