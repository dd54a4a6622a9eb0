/** A subscription that starts when it is paid: until then it gives no access and takes no other's place. */
import { cancelled, displace } from './advance.ts';
import { isDisplacedBy, isSameSlot, replaceIn, withReplacements } from './portfolio.ts';
import { statusAfter } from './status-table.ts';
import { hasEnded, type Offers, type Portfolio, type Subscription } from './subscription.ts';

/**
 * The portfolio in which the new one waits. `decided` is what it would be without a payment; of that only the ends
 * of others that waited, too, take place now.
 */
export function awaitingPayment(
  current: Portfolio,
  decided: Portfolio,
  starting: Subscription,
  offers: Offers,
): Portfolio {
  const waiting = { ...starting, status: statusAfter('NOT_STARTED', 'awaitPayment') };
  const kept = current.subscriptions.map((item) =>
    item.status === 'PAYMENT_PENDING' ? (findIn(decided, item) ?? item) : item,
  );
  return withReplacements({ ...current, subscriptions: [...kept, waiting] }, offers);
}

/** It is paid, and takes the place of what is there and of what is scheduled. */
export function confirmPayment(
  portfolio: Portfolio,
  offers: Offers,
  waiting: Subscription,
  now: number,
): Portfolio {
  const started = { ...waiting, status: statusAfter(waiting.status, 'confirmPayment') };
  const next = displace(replaceIn(portfolio, started), started, now, offers);
  const subscriptions = next.subscriptions.map((other) =>
    other.status === 'NOT_STARTED' &&
    other.startDate >= started.startDate &&
    isDisplacedBy(other, started, offers)
      ? cancelled(other, now, 'UPGRADE_OR_DOWNGRADE')
      : other,
  );
  return withReplacements({ ...next, subscriptions }, offers);
}

/**
 * Those that wait in vain: their invoice sets off what they would replace, and that has ended, went to another
 * resource or was invoiced anew meanwhile. As with what is scheduled, the newer change takes their place (facts,
 * section 4.6).
 */
export function waitingInVain(
  before: Portfolio,
  after: Portfolio,
  invoiced: readonly Subscription[],
  offers: Offers,
): readonly Subscription[] {
  const gone = before.subscriptions.filter((item) => {
    const then = findIn(after, item);
    if (item.status !== 'ACTIVE' || then === undefined) return false;
    return hasEnded(then) || !isSameSlot(then, item, offers);
  });
  return after.subscriptions.filter(
    (item) =>
      item.status === 'PAYMENT_PENDING' &&
      [...gone, ...invoiced].some((other) => other.refId !== item.refId && isSameSlot(other, item, offers)),
  );
}

function findIn({ subscriptions }: Portfolio, { refId }: Subscription): Subscription | undefined {
  return subscriptions.find((item) => item.refId === refId);
}
