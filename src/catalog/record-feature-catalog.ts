import { changeRecords } from '../records/change-records.ts';
import { KindSnapshot } from '../records/kind-snapshot.ts';
import type { Audit, RecordStore, StoredRecord } from '../records/record-store.ts';
import type { Feature, FeatureCatalog, FeatureChange } from './feature.ts';

/** The catalog of features as records: kind `feature`, key the refId, body the feature. */
export class RecordFeatureCatalog implements FeatureCatalog {
  readonly #records: RecordStore;
  readonly #snapshot: KindSnapshot<Snapshot>;

  constructor(records: RecordStore) {
    this.#records = records;
    this.#snapshot = new KindSnapshot(records, 'feature', snapshotOf);
  }

  async feature(id: string): Promise<Feature | undefined> {
    const { byRefId, byId } = await this.#snapshot.current();
    return byRefId.get(id) ?? byId.get(id);
  }

  async features(): Promise<readonly Feature[]> {
    const { oldestFirst } = await this.#snapshot.current();
    return oldestFirst;
  }

  async create(feature: Feature, audit: Audit): Promise<'created' | 'exists' | 'full'> {
    const write = { kind: 'feature', key: feature.refId, expectedVersion: 0, body: feature } as const;
    const outcome = await this.#records.commit([write], audit);
    return outcomesOfCreate[outcome];
  }

  async update<Problem>(
    id: string,
    audit: Audit,
    change: (existing: Feature) => FeatureChange<Problem>,
  ): Promise<FeatureChange<Problem> | undefined> {
    const named = await this.feature(id);
    if (named === undefined) return undefined;
    const ref = { kind: 'feature', key: named.refId } as const;
    const outcome = await changeRecords<FeatureChange<Problem> | undefined>(
      this.#records,
      [ref],
      audit,
      ([record]) => {
        if (record === undefined) return { writes: [], result: undefined };
        const existing = record.body as Feature;
        const result = change(existing);
        if ('problem' in result || result.feature === existing) return { writes: [], result };
        return { writes: [{ ...ref, expectedVersion: record.version, body: result.feature }], result };
      },
    );
    return outcome.result;
  }
}

const outcomesOfCreate = { committed: 'created', conflict: 'exists', full: 'full' } as const;

interface Snapshot {
  readonly oldestFirst: readonly Feature[];
  readonly byRefId: ReadonlyMap<string, Feature>;
  readonly byId: ReadonlyMap<string, Feature>;
}

function snapshotOf(records: readonly StoredRecord[]): Snapshot {
  const features = records.map(({ body }) => body as Feature);
  return {
    oldestFirst: features.toSorted((a, b) => a.createdAt - b.createdAt || (a.refId < b.refId ? -1 : 1)),
    byRefId: new Map(features.map((feature) => [feature.refId, feature])),
    byId: new Map(features.map((feature) => [feature.id, feature])),
  };
}
