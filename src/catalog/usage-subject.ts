/**
 * What a counter of usage counts, without the feature around it: a meter, or the measurements that name a feature.
 * Features with equal meters share it, and a feature whose meter is changed gets another one.
 */
import { hash } from 'node:crypto';
import type { Feature } from './feature.ts';
import type { Meter } from './meter.ts';

export type UsageSubject = { readonly meter: Meter } | { readonly featureId: string };

export interface SubjectName {
  /** 32 hexadecimal digits; equal exactly when the texts are. */
  readonly key: string;
  /** The subject as JSON, for `decodeSubject`. */
  readonly text: string;
}

/** Length of `SubjectName.key`. */
export const subjectKeyLength = 32;

export function subjectOf({ meter, refId }: Pick<Feature, 'meter' | 'refId'>): UsageSubject {
  return meter === null ? { featureId: refId } : { meter };
}

/** Some 3 µs; features live as long as the catalog's copy of them, so it is done once for each. */
export function subjectNameOf(feature: Feature): SubjectName {
  const known = names.get(feature);
  if (known !== undefined) return known;
  const text = encodeSubject(subjectOf(feature));
  const name = { key: hash('sha256', text, 'hex').slice(0, subjectKeyLength), text };
  names.set(feature, name);
  return name;
}

const names = new WeakMap<Feature, SubjectName>();

/** Of a text that `subjectNameOf` made. */
export function decodeSubject(text: string): UsageSubject {
  return JSON.parse(text) as UsageSubject;
}

/** Written out, so that neither the order of keys nor a field that does not bear on usage makes a difference. */
function encodeSubject(subject: UsageSubject): string {
  if ('featureId' in subject) return JSON.stringify({ featureId: subject.featureId });
  const { aggregation, filters } = subject.meter;
  return JSON.stringify({
    meter: {
      aggregation: { function: aggregation.function, field: aggregation.field },
      filters: filters.map(({ conditions }) => ({
        conditions: conditions.map(({ field, operation, value, values }) => ({
          field,
          operation,
          value,
          values,
        })),
      })),
    },
  });
}
