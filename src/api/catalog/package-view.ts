/** One version of a package, or its draft, as the API shows it. */
import {
  latestVersion,
  type Package,
  type PackageContent,
  type PackageVersion,
} from '../../catalog/package.ts';

/** The schema's type Plan or Addon; fields that are not here have resolvers. */
export interface PackageView extends PackageContent {
  readonly __typename: 'Plan' | 'Addon';
  readonly id: string;
  readonly refId: string;
  readonly productId: string;
  readonly status: Package['status'];
  readonly versionNumber: number;
  readonly isLatest: boolean;
  readonly publishedAt: number | null;
  readonly migrationType: PackageVersion['migrationType'] | null;
  readonly createdAt: number;
  readonly updatedAt: number;
  /** Only the prices that hold in this country; all prices when null. */
  readonly billingCountryCode: string | null;
  readonly source: Package;
}

/** The newest published version, or the draft while none is published. */
export function latestView(source: Package, billingCountryCode: string | null = null): PackageView {
  const latest = latestVersion(source);
  if (latest === undefined) return editedView(source);
  return { ...viewOf(source, latest), billingCountryCode };
}

/** The draft, or the newest version while there is none. */
export function editedView(source: Package): PackageView {
  const { draft, versions, status } = source;
  if (draft === null) return latestView(source);
  const shown = viewOf(source, {
    content: draft,
    versionNumber: versions.length + 1,
    publishedAt: null,
    migrationType: null,
  });
  return { ...shown, status: status === 'ARCHIVED' ? 'ARCHIVED' : 'DRAFT', isLatest: false };
}

export function versionView(source: Package, versionNumber: number): PackageView | undefined {
  const version = source.versions.find((candidate) => candidate.versionNumber === versionNumber);
  return version === undefined ? undefined : viewOf(source, version);
}

interface Shown {
  readonly content: PackageContent;
  readonly versionNumber: number;
  readonly publishedAt: number | null;
  readonly migrationType: PackageVersion['migrationType'] | null;
}

function viewOf(source: Package, { content, versionNumber, publishedAt, migrationType }: Shown): PackageView {
  const { id, refId, productId, status, createdAt, updatedAt } = source;
  return {
    ...content,
    __typename: source.type === 'PLAN' ? 'Plan' : 'Addon',
    id,
    refId,
    productId,
    status,
    versionNumber,
    isLatest: versionNumber === source.versions.length,
    publishedAt,
    migrationType,
    createdAt,
    updatedAt,
    billingCountryCode: null,
    source,
  };
}
