import { randomUUID } from 'node:crypto';
import { afterAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { ManualClock } from '../clock.ts';
import { customerRef } from '../customers/customer-record.ts';
import type { InvoiceToCollect, PaymentProvider, PaymentResult } from '../payments/payment-provider.ts';
import { TestPaymentProvider } from '../payments/test-payment-provider.ts';
import { closeRedis, openRedis } from '../queue/redis-connection.ts';
import type { RecordStore } from '../records/record-store.ts';
import { RedisOutbox } from '../records/redis-outbox.ts';
import { RedisRecordStore } from '../records/redis-record-store.ts';
import type { CollectedInvoice } from './collected-invoice.ts';
import { dayMs, fee, makePlan, makeProduct, paid, published } from './life-cycle.fixture.ts';
import { newSubscription, provisionCustomers } from './record-register.fixture.ts';
import { RecordSubscriptionRegister } from './record-subscription-register.ts';
import { bookOf, bookRef } from './subscription-record.ts';

const redis = openRedis(inject('redisUrl'), 'worker');
const audit = { actor: 'key', traceId: 'trace', operation: 'test', at: published };

let namespace: string;
let records: RedisRecordStore;
let clock: ManualClock;
let provider: CountedProvider;
let register: RecordSubscriptionRegister;

beforeEach(async () => {
  namespace = `{payments-${randomUUID()}}`;
  records = new RedisRecordStore(redis, namespace);
  clock = new ManualClock(published + dayMs);
  provider = new CountedProvider();
  register = registerOn(records);
  await provisionCustomers(records, ['acme', 'later']);
  await payBy('acme', 'test:succeeds');
});

afterAll(() => closeRedis(redis));

describe('an invoice', () => {
  it('is collected after a crash between its commit and the provider, once', async () => {
    const dying = registerOn(new MortalRecords({ diesOfCommit: true }));
    await expect(dying.provision(newSubscription('acme', 'basic', monthly), audit)).rejects.toThrow('crash');
    expect(provider.asked).toEqual([]);
    expect(await statusOf('bought')).toBe('PAYMENT_PENDING');
    clock.advance(20_000);
    expect((await register.collectDue(10)).done).toBe(1);
    expect(await statusOf('bought')).toBe('ACTIVE');
    expect((await register.collectDue(10)).done).toBe(0);
    expect(provider.asked).toHaveLength(1);
  });

  it('is collected after a crash between the provider and its note: asked again by the same id', async () => {
    const store = new MortalRecords({ diesOfCommit: false });
    const collect = async (invoice: InvoiceToCollect): Promise<PaymentResult> => {
      store.isDead = true;
      return provider.collect(invoice);
    };
    const dying = registerOn(store, providerThat(collect));
    await expect(dying.provision(newSubscription('acme', 'basic', monthly), audit)).rejects.toThrow('crash');
    expect(await statusOf('bought')).toBe('PAYMENT_PENDING');
    clock.advance(20_000);
    await register.collectDue(10);
    expect(await statusOf('bought')).toBe('ACTIVE');
    expect(new Set(provider.asked.map(({ id }) => id)).size).toBe(1);
  });

  it('is asked about again, less and less often, while the provider does not answer', async () => {
    const silent = registerOn(
      records,
      providerThat(() => Promise.reject(new Error('away'))),
    );
    await silent.provision(newSubscription('acme', 'basic', monthly), audit);
    expect(await statusOf('bought')).toBe('PAYMENT_PENDING');
    const waits: number[] = [];
    for (const seconds of [59, 1, 239, 1]) {
      clock.advance(seconds * 1_000);
      waits.push((await silent.collectDue(10)).done);
    }
    expect(waits).toEqual([0, 1, 0, 1]);
    clock.advance(dayMs);
    await register.settleDue(10);
    await register.collectDue(10);
    expect(await register.subscription('bought')).toMatchObject({ cancelReason: 'PENDING_PAYMENT_EXPIRED' });
  });

  it('takes effect once though several processes collect it at once', async () => {
    await register.provision(newSubscription('later', 'basic', monthly), audit);
    expect(await statusOf('bought')).toBe('PAYMENT_PENDING');
    await payBy('later', 'test:succeeds');
    clock.advance(60_000);
    const others = Array.from({ length: 6 }, () => registerOn(new RedisRecordStore(redis, namespace)));
    await Promise.all(others.map((other) => other.collectDue(10)));
    expect(await statusOf('bought')).toBe('ACTIVE');
    const paidOnes = (await invoiceChanges()).filter(({ after }) => after.status === 'PAID');
    expect(paidOnes).toHaveLength(1);
  });

  it('is made for each period that began while nobody was there, by several who come back at once', async () => {
    await register.provision(newSubscription('acme', 'basic', monthly), audit);
    clock.advance(200 * dayMs);
    const others = Array.from({ length: 4 }, () => registerOn(new RedisRecordStore(redis, namespace)));
    await Promise.all([
      ...others.map((other) => other.settleDue(10)),
      ...others.map((other) => other.live('acme')),
    ]);
    expect((await register.settleDue(10)).done).toBe(0);
    await Promise.all(others.map((other) => other.collectDue(10)));
    const changes = await invoiceChanges();
    const made = changes.filter(({ before }) => before === undefined).map(({ after }) => after);
    const months = made.map(({ lineItems: [line] }) =>
      new Date(line?.periodStart ?? 0).toISOString().slice(0, 10),
    );
    expect(months).toEqual([1, 2, 3, 4, 5, 6, 7].map((month) => `2025-0${month}-02`));
    expect(changes.filter(({ after }) => after.status === 'PAID')).toHaveLength(made.length);
    expect(new Set(provider.asked.map(({ id }) => id)).size).toBe(made.length);
  });

  it('is made for each period also where that is more than one commit takes', async () => {
    await register.provision(newSubscription('acme', 'basic', monthly), audit);
    clock.advance(300 * 31 * dayMs);
    await register.settleDue(10);
    const made = (await invoiceChanges()).filter(({ before }) => before === undefined);
    const starts = made.map(({ after }) => after.lineItems[0]?.periodStart);
    expect(starts.slice(1)).toEqual(made.slice(0, -1).map(({ after }) => after.lineItems[0]?.periodEnd));
    expect(made.at(-1)?.after.lineItems[0]?.periodEnd).toBeGreaterThan(clock.now());
    expect(made.length).toBeGreaterThan(300);
  });

  it('of an archived customer is collected all the same', async () => {
    await register.provision(newSubscription('later', 'basic', monthly), audit);
    await payBy('later', 'test:succeeds', clock.now());
    clock.advance(60_000);
    await register.settleDue(10);
    expect((await register.collectDue(10)).done).toBe(1);
    expect((await invoiceChanges()).at(-1)?.after.status).toBe('PAID');
  });

  it('that is paid while its customer is archived is the customer’s credit, as it was given up', async () => {
    const slow = registerOn(
      records,
      providerThat(async (invoice) => {
        await register.cancel('bought', immediately, audit);
        await payBy('acme', 'test:succeeds', clock.now());
        return provider.collect(invoice);
      }),
    );
    await slow.provision(newSubscription('acme', 'basic', monthly), audit);
    expect((await invoiceChanges()).map(({ after }) => after.status)).toEqual(['OPEN', 'CANCELED', 'PAID']);
    const [book] = await records.read([bookRef('acme')]);
    expect(bookOf('acme', book)).toMatchObject({
      isHidden: true,
      credits: [{ payerId: 'acme', currency: 'usd', amount: '30' }],
    });
  });

  it('was paid outside when somebody says so; one that is given up cannot be', async () => {
    await register.provision(newSubscription('later', 'basic', monthly), audit);
    expect(await register.markInvoicePaid('bought', audit)).toMatchObject({
      subscription: { status: 'ACTIVE' },
    });
    const second = { ...monthly, refId: 'second' };
    await register.provision(newSubscription('later', 'pro', second), audit);
    clock.advance(dayMs);
    for (const [name, code] of [
      ['second', 'VALIDATION_ERROR'],
      ['none', 'SUBSCRIPTION_NOT_FOUND'],
    ] as const) {
      expect(await register.markInvoicePaid(name, audit)).toMatchObject({ problem: { code } });
    }
  });
});

const immediately = { time: 'IMMEDIATE', endDate: null, action: 'DEFAULT', prorate: null } as const;
const monthly = { refId: 'bought', billingPeriod: 'MONTHLY' } as const;

function providerThat(collect: PaymentProvider['collect']): PaymentProvider {
  return { name: 'test', collect, attach: async () => undefined, secretOf: async () => null };
}

/** The provider for tests, and what it was asked about. */
class CountedProvider implements PaymentProvider {
  readonly name = 'test';
  readonly plain = new TestPaymentProvider();
  readonly asked: InvoiceToCollect[] = [];

  async collect(invoice: InvoiceToCollect): Promise<PaymentResult> {
    this.asked.push(invoice);
    return this.plain.collect(invoice);
  }

  attach(paymentMethodId: string): Promise<string | undefined> {
    return this.plain.attach(paymentMethodId);
  }

  secretOf(billingId: string): Promise<string | null> {
    return this.plain.secretOf(billingId);
  }
}

/** What a process has of the records until it dies. */
class MortalRecords extends RedisRecordStore {
  isDead = false;
  readonly #diesOfCommit: boolean;

  constructor({ diesOfCommit }: { readonly diesOfCommit: boolean }) {
    super(redis, namespace);
    this.#diesOfCommit = diesOfCommit;
  }

  override async read(...asked: Parameters<RecordStore['read']>): ReturnType<RecordStore['read']> {
    if (this.isDead) throw new Error('crash');
    return super.read(...asked);
  }

  override async commit(...asked: Parameters<RecordStore['commit']>): ReturnType<RecordStore['commit']> {
    const outcome = await super.commit(...asked);
    this.isDead = this.#diesOfCommit;
    return outcome;
  }
}

function registerOn(store: RecordStore, payments: PaymentProvider = provider): RecordSubscriptionRegister {
  const plans = new Map(
    [makePlan('basic', 'app', paid(fee('30'))), makePlan('pro', 'app', paid(fee('60')))].map((plan) => [
      plan.refId,
      plan,
    ]),
  );
  const catalog = {
    package: (name: string) => Promise.resolve(plans.get(name)),
    product: (name: string) => Promise.resolve(makeProduct(name)),
    coupon: () => Promise.resolve(undefined),
  };
  return new RecordSubscriptionRegister({ records: store, catalog, clock, payments });
}

async function payBy(customerId: string, billingId: string, archivedAt: number | null = null): Promise<void> {
  const [record] = await records.read([customerRef(customerId)]);
  const body = { ...(record?.body as object), billingId, archivedAt };
  await records.commit([{ ...customerRef(customerId), expectedVersion: record?.version ?? 0, body }], audit);
}

async function statusOf(refId: string): Promise<string | undefined> {
  return (await register.subscription(refId))?.status;
}

interface InvoiceChange {
  readonly before: CollectedInvoice | undefined;
  readonly after: CollectedInvoice;
}

/** What was written of invoices since it was last asked, in order. */
async function invoiceChanges(): Promise<readonly InvoiceChange[]> {
  const outbox = new RedisOutbox(redis, namespace);
  const changes: InvoiceChange[] = [];
  for (let batch = await outbox.take(); batch !== undefined; batch = await outbox.take()) {
    for (const { kind, before, after } of batch.entries.flatMap(({ writes }) => writes)) {
      if (kind !== 'invoice') continue;
      const earlier = before === '' ? undefined : (JSON.parse(before) as CollectedInvoice);
      changes.push({ before: earlier, after: JSON.parse(after) as CollectedInvoice });
    }
    await outbox.done(batch.token);
  }
  return changes;
}
