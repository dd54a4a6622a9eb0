import type { PaymentProviderName } from '../config.ts';
import type { PaymentProvider } from './payment-provider.ts';
import { TestPaymentProvider } from './test-payment-provider.ts';

/** Undefined for `none`: nothing is invoiced, and whoever subscribes has access at once. */
export function builtInProvider(name: PaymentProviderName): PaymentProvider | undefined {
  return { none: undefined, test: new TestPaymentProvider() }[name];
}
