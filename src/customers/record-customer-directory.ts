import { changeRecords } from '../records/change-records.ts';
import { CoalescedReads } from '../records/coalesced-reads.ts';
import type { Audit, RecordStore } from '../records/record-store.ts';
import { type CustomerChange, customerNotFound } from './change-customer.ts';
import type {
  Customer,
  CustomerFilter,
  CustomerPage,
  CustomerPageQuery,
  CustomerPlace,
  CustomerRegister,
} from './customer.ts';
import {
  customerIndexes,
  customerOf,
  customerRef,
  customersIndex,
  customerWrite,
} from './customer-record.ts';
import {
  promotionalEntitlementsOf,
  promotionalEntitlementsRef,
  promotionalEntitlementsWrite,
} from './promotional-entitlement-record.ts';
import type { PromotionalChange, PromotionalEntitlement } from './promotional-entitlement.ts';

export class RecordCustomerDirectory implements CustomerRegister {
  readonly #records: RecordStore;
  readonly #reads: CoalescedReads;

  constructor(records: RecordStore) {
    this.#records = records;
    this.#reads = new CoalescedReads(records);
  }

  async customer(refId: string): Promise<Customer | undefined> {
    const customer = customerOf(await this.#reads.read(customerRef(refId)));
    return customer?.archivedAt === null ? customer : undefined;
  }

  existing(refIds: readonly string[]): Promise<ReadonlySet<string>> {
    return this.#records.members('customer', customersIndex, refIds);
  }

  async change(
    refId: string,
    audit: Audit,
    decide: (existing: Customer | undefined) => CustomerChange,
  ): Promise<CustomerChange> {
    const ref = customerRef(refId);
    const outcome = await changeRecords<CustomerChange>(this.#records, [ref], audit, ([record]) => {
      const existing = customerOf(record);
      const result = decide(existing);
      if ('problem' in result) return { writes: [], result };
      const isSame = result.customer === existing;
      const writes = isSame ? [] : [customerWrite(result.customer, record?.version ?? 0)];
      return { writes, letters: result.letter === undefined ? [] : [result.letter], result };
    });
    return outcome.result;
  }

  async promotionalEntitlements(refId: string): Promise<readonly PromotionalEntitlement[]> {
    return promotionalEntitlementsOf(await this.#reads.read(promotionalEntitlementsRef(refId)));
  }

  async changePromotionalEntitlements(
    refId: string,
    audit: Audit,
    decide: (existing: readonly PromotionalEntitlement[]) => PromotionalChange,
  ): Promise<PromotionalChange> {
    const refs = [customerRef(refId), promotionalEntitlementsRef(refId)];
    const outcome = await changeRecords<PromotionalChange>(this.#records, refs, audit, ([record, grants]) => {
      if (customerOf(record)?.archivedAt !== null) {
        return { writes: [], result: { problem: customerNotFound(refId) } };
      }
      const result = decide(promotionalEntitlementsOf(grants));
      if ('problem' in result) return { writes: [], result };
      return { writes: [promotionalEntitlementsWrite(refId, result.all, grants?.version ?? 0)], result };
    });
    return outcome.result;
  }

  async page(query: CustomerPageQuery): Promise<CustomerPage> {
    const { filter, order, after, before, end, limit } = query;
    if (filter.refId !== null) return this.#pageOfOne(filter.refId, query);
    const [first = customersIndex, ...others] = customerIndexes(filter);
    const page = await this.#records.page({
      kind: 'customer',
      indexes: [first, ...others],
      scoreFrom: filter.createdFrom,
      scoreBefore: filter.createdBefore,
      order: order === 'oldest-first' ? 'ascending' : 'descending',
      after: recordPlaceOf(after),
      before: recordPlaceOf(before),
      end,
      limit,
    });
    const { records, ...where } = page;
    return { ...where, customers: records.map(customerOf).filter((customer) => customer !== undefined) };
  }

  async #pageOfOne(refId: string, query: CustomerPageQuery): Promise<CustomerPage> {
    const customer = await this.customer(refId);
    if (customer === undefined || !meets(customer, query.filter)) return emptyPage;
    const wayAfter = query.after === null ? 1 : comparePlaces(customer, query.after);
    const wayBefore = query.before === null ? -1 : comparePlaces(customer, query.before);
    const sign = query.order === 'oldest-first' ? 1 : -1;
    const inside =
      (query.after === null || wayAfter * sign > 0) && (query.before === null || wayBefore * sign < 0);
    return { ...emptyPage, customers: inside ? [customer] : [], totalCount: 1 };
  }
}

const emptyPage: CustomerPage = { customers: [], totalCount: 0, hasNextPage: false, hasPreviousPage: false };

function recordPlaceOf(place: CustomerPlace | null): { score: number; key: string } | null {
  return place === null ? null : { score: place.createdAt, key: place.refId };
}

function meets(customer: Customer, filter: CustomerFilter): boolean {
  return (
    (filter.name === null || customer.name === filter.name) &&
    (filter.email === null || customer.email === filter.email) &&
    (filter.createdFrom === null || customer.createdAt >= filter.createdFrom) &&
    (filter.createdBefore === null || customer.createdAt < filter.createdBefore)
  );
}

function comparePlaces(a: CustomerPlace, b: CustomerPlace): number {
  return a.createdAt - b.createdAt || Buffer.compare(Buffer.from(a.refId), Buffer.from(b.refId));
}
