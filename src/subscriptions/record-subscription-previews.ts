import { randomUUID } from 'node:crypto';
import { customerOf, customerRef } from '../customers/customer-record.ts';
import type { AppliedCoupon } from '../catalog/coupon.ts';
import { RehearsedRecords } from '../records/rehearsed-records.ts';
import type { RecordKind } from '../records/record-kinds.ts';
import type { Audit } from '../records/record-store.ts';
import { advance } from './advance.ts';
import { payerOf } from './invoice.ts';
import { offersFor } from './record-offers.ts';
import {
  RecordSubscriptionRegister,
  type SubscriptionRegisterOptions,
} from './record-subscription-register.ts';
import { bookOf } from './subscription-record.ts';
import {
  previewOf,
  type PreviewOutcome,
  type RehearsedChange,
  type SubscriptionPreviews,
} from './subscription-preview.ts';
import type { NewSubscription, SubscriptionOutcome, SubscriptionRegister } from './subscription-register.ts';
import type { Subscription } from './subscription.ts';
import type { UpdateRequest } from './update.ts';

/**
 * Lets the register itself carry out the operation, on records that it cannot change: so a preview is decided on,
 * and refused, by the very code that the operation is.
 */
export class RecordSubscriptionPreviews implements SubscriptionPreviews {
  readonly #options: SubscriptionRegisterOptions;
  readonly #register: SubscriptionRegister;

  constructor(options: SubscriptionRegisterOptions) {
    this.#options = options;
    this.#register = new RecordSubscriptionRegister(options);
  }

  async provision(request: NewSubscription): Promise<PreviewOutcome> {
    // What time has done is carried out first, as before every answer, so that one commit is left to rehearse.
    await this.#register.live(request.customerId);
    return this.#preview((register, audit) => register.provision(request, audit));
  }

  async update(name: string, request: UpdateRequest): Promise<PreviewOutcome> {
    await this.#register.subscription(name);
    return this.#preview((register, audit) => register.update(name, request, audit));
  }

  async #preview(
    operation: (register: SubscriptionRegister, audit: Audit) => Promise<SubscriptionOutcome>,
  ): Promise<PreviewOutcome> {
    const records = new RehearsedRecords(this.#options.records);
    // Everything is as of one instant, however long the reading takes.
    const at = this.#options.clock.now();
    // What is to be paid is what the change comes to, whenever it is paid.
    const rehearsal = { ...this.#options, records, clock: { now: () => at }, payments: undefined };
    const register = new RecordSubscriptionRegister(rehearsal);
    const audit = { actor: 'preview', traceId: randomUUID(), operation: 'preview', at };
    const outcome = await operation(register, audit);
    if ('problem' in outcome) return outcome;
    return { preview: previewOf(await this.#changeTo(outcome.subscription, records, at)) };
  }

  async #changeTo(
    { refId, customerId }: Subscription,
    { decidedOn, writes }: RehearsedRecords,
    at: number,
  ): Promise<RehearsedChange> {
    const stored = subscriptionsIn(decidedOn).filter((item) => item.customerId === customerId);
    const written = subscriptionsIn(writes);
    const book = decidedOn.find(({ kind }) => kind === 'subscription-book');
    const { trialedProductIds } = bookOf(customerId, book);
    const offers = await offersFor(this.#options.catalog, [...stored, ...written].flatMap(packageNamesOf));
    const before = advance({ subscriptions: stored, trialedProductIds }, offers, at);
    const kept = stored.filter((item) => !written.some((other) => other.refId === item.refId));
    const after = { subscriptions: [...kept, ...written], trialedProductIds };
    const payerCoupons = await this.#couponsOf([...stored, ...written].map(payerOf));
    return { before, after, refId, offers, payerCoupons, at };
  }

  async #couponsOf(payerIds: readonly string[]): Promise<ReadonlyMap<string, AppliedCoupon | null>> {
    const known = [...new Set(payerIds)];
    const customers = (await this.#options.records.read(known.map(customerRef))).map(customerOf);
    return new Map(known.map((payerId, place) => [payerId, customers[place]?.coupon ?? null]));
  }
}

function subscriptionsIn(
  records: readonly { readonly kind: RecordKind; readonly body: unknown }[],
): readonly Subscription[] {
  return records.flatMap(({ kind, body }) => (kind === 'subscription' ? [body as Subscription] : []));
}

function packageNamesOf({ planId, addons }: Subscription): readonly string[] {
  return [planId, ...addons.map(({ addonId }) => addonId)];
}
